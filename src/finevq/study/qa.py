"""Question-answer pairs from labels, in the paper's forms, without shortcuts; pure.

Families: rating, scoring, yes/no, which exists, which most, description. Source: FineVQ, section
3.2, figure 2(c) and section 5.

No shortcut: a question whose answer can be guessed from its text teaches a model nothing about
videos. So yes/no has as many yes as no per dimension, and options come in groups: as many videos as
there are options share one set of options, and each option is the answer of exactly one of them.
What does not fit into a group gives no pair.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finevq.errors import StudyError
from finevq.study.labels import NO_DISTORTION, VideoLabels
from finevq.vocabulary import ALL_ATTRIBUTES, FAULT_DIMENSIONS, Dimension, dimension_of, levels_of

NUM_OPTIONS = 4
FAMILIES = ("rating", "scoring", "yes/no", "which exists", "which most", "description")
CHOICE_FAMILIES = ("yes/no", "which exists", "which most")

_NUMBER = r"(?<![\w.])[-\u2212]?\d+(?:\.\d+)?"
"""A number in a text: Z-scores on 0..100 go below 0; the hyphen of "low-50" is no sign."""

RATING_QUESTIONS = (
    "Considering <{dimension}>, how would you rate the quality level of this video?",
    "Which quality level does this video have when you look at its {dimension} only?",
    "Please rate the {dimension} quality of this video as a level.",
)
RATING_ANSWERS = (
    "Considering <{dimension}> dimension, the quality of this video is {level}.",
    "Looking at {dimension}, the quality of this video is {level}.",
)
SCORING_QUESTIONS = (
    "Considering <{dimension}>, please give the quality score of this video.",
    "From 0 to 100, what is the {dimension} quality score of this video?",
)
SCORING_ANSWERS = (
    "Considering <{dimension}> dimension, the quality score of this video is {score}.",
)
YES_NO_QUESTIONS = (
    "Is there any {dimension} distortion in this video?",
    "Does this video suffer from {dimension} distortion?",
)
WHICH_QUESTIONS = (
    "Which distortion exists in this video?",
    "Which of these distortions can be seen in this video?",
)
MOST_QUESTIONS = (
    "Which distortion has the most impact on the quality of this video?",
    "Which of these hurts the quality of this video most?",
)
DESCRIPTION_QUESTIONS = (
    "Please describe the quality of this video in detail.",
    "How good is this video, and what is wrong with it?",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class QaPair:
    """A question about a video with its answer."""

    video: str
    family: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    """In the order shown; empty where the answer is open."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The labels that the answer rests on; `check_pair` compares the text with them."""
    group: int = 0
    """Pairs that share a set of options; a split must keep them together."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "video": self.video,
            "family": self.family,
            "question": self.question,
            "answer": self.answer,
            "options": list(self.options),
            "facts": dict(self.facts),
            "group": self.group,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "QaPair":
        """Build a pair of what `to_dict` returned."""
        return cls(**{**values, "options": tuple(values["options"])})


def build_pairs(
    labels: Sequence[VideoLabels], seed: int, families: Sequence[str] = FAMILIES
) -> list[QaPair]:
    """Build all pairs of some families.

    Args:
        labels: Labels of videos.
        seed: Decides phrasings, groups and the order of options.
        families: Some of `FAMILIES`.

    Raises:
        StudyError: a family is unknown.
    """
    builders: dict[str, Callable[..., list[QaPair]]] = {
        "rating": _rating,
        "scoring": _scoring,
        "yes/no": _yes_no,
        "which exists": _which_exists,
        "which most": _which_most,
        "description": _description,
    }
    pairs: list[QaPair] = []
    for family in families:
        if family not in builders:
            raise StudyError(f"no family {family!r}; there are {', '.join(FAMILIES)}")
        generator = np.random.default_rng([seed, FAMILIES.index(family)])
        pairs += builders[family](labels, generator)
    return pairs


def check_pair(pair: QaPair) -> str:
    """Say how a pair's text contradicts its labels; an empty string where it does not.

    >>> check_pair(QaPair(video="a", family="yes/no", question="Any blur distortion?", answer="No.",
    ...                   facts={"dimension": "blur", "distorted": True}))
    "the answer must begin with 'yes'"
    """
    checks = {
        "rating": _check_rating,
        "scoring": _check_scoring,
        "yes/no": _check_yes_no,
        "which exists": _check_choice,
        "which most": _check_choice,
        "description": _check_description,
    }
    return checks[pair.family](pair)


def words_in(text: str, words: Sequence[str]) -> set[str]:
    """Return the words or phrases that occur in a text, as wholes; longer ones hide their parts.

    >>> sorted(words_in("Some gaussian noise, no other noise.", ["noise", "gaussian noise"]))
    ['gaussian noise', 'noise']
    """
    found, rest = set(), text.lower()
    for word in sorted(words, key=len, reverse=True):
        rest, count = re.subn(rf"(?<![\w-]){re.escape(word.lower())}(?![\w-])", " ", rest)
        if count:
            found.add(word)
    return found


def balanced_groups(
    answers: Mapping[str, Sequence[str]],
    present: Mapping[str, frozenset[str]],
    generator: np.random.Generator,
    size: int = NUM_OPTIONS,
) -> list[dict[str, str]]:
    """Group videos so that each option of a group is the answer of exactly one of its videos.

    Args:
        answers: Answer -> videos whose answer it is; each video once.
        present: Video -> everything that is also right for it, which no other option may be.
        generator: Decides who comes together.
        size: Options per group.

    Returns:
        Groups as option -> video.
    """
    waiting = {
        a: [str(v) for v in generator.permutation(list(videos))] for a, videos in answers.items()
    }
    groups = []
    while sum(1 for videos in waiting.values() if videos) >= size:
        # The most frequent first, so that no answer piles up; ties in random order.
        order = sorted(
            (a for a in waiting if waiting[a]), key=lambda a: (-len(waiting[a]), generator.random())
        )
        group = _first_group(order, waiting, present, size)
        if group is None:
            break
        for answer, video in group.items():
            waiting[answer].remove(video)
        groups.append(group)
    return groups


def _first_group(
    order: Sequence[str],
    waiting: Mapping[str, Sequence[str]],
    present: Mapping[str, frozenset[str]],
    size: int,
) -> dict[str, str] | None:
    group: dict[str, str] = {}
    for answer in order:
        for video in waiting[answer][:20]:
            fits = all(
                answer not in present[other] and chosen not in present[video]
                for chosen, other in group.items()
            )
            if fits:
                group[answer] = video
                break
        if len(group) == size:
            return group
    return None


def _pick(phrasings: Sequence[str], generator: np.random.Generator) -> str:
    return phrasings[int(generator.integers(len(phrasings)))]


def _rating(labels: Sequence[VideoLabels], generator: np.random.Generator) -> list[QaPair]:
    return [
        QaPair(
            video=video.video,
            family="rating",
            question=_pick(RATING_QUESTIONS, generator).format(dimension=dimension),
            answer=_pick(RATING_ANSWERS, generator).format(dimension=dimension, level=level),
            facts={"dimension": str(dimension), "level": level},
        )
        for video in labels
        for dimension, level in video.levels.items()
    ]


def _scoring(labels: Sequence[VideoLabels], generator: np.random.Generator) -> list[QaPair]:
    return [
        QaPair(
            video=video.video,
            family="scoring",
            question=_pick(SCORING_QUESTIONS, generator).format(dimension=dimension),
            answer=_pick(SCORING_ANSWERS, generator).format(
                dimension=dimension, score=f"{score:.2f}"
            ),
            facts={"dimension": str(dimension), "score": round(score, 2)},
        )
        for video in labels
        for dimension, score in video.mos.items()
    ]


def _yes_no(labels: Sequence[VideoLabels], generator: np.random.Generator) -> list[QaPair]:
    pairs: list[QaPair] = []
    for dimension in FAULT_DIMENSIONS:
        by_answer: dict[bool, list[str]] = {True: [], False: []}
        for video in labels:
            if dimension in video.distorted:
                by_answer[video.distorted[dimension]].append(video.video)
        count = min(len(videos) for videos in by_answer.values())
        for is_distorted, videos in by_answer.items():
            for video_name in generator.permutation(np.array(videos, dtype=object))[:count]:
                pairs.append(
                    QaPair(
                        video=str(video_name),
                        family="yes/no",
                        question=_pick(YES_NO_QUESTIONS, generator).format(dimension=dimension),
                        answer="Yes." if is_distorted else "No.",
                        options=("yes", "no"),
                        facts={"dimension": str(dimension), "distorted": is_distorted},
                        group=len(pairs),
                    )
                )
    return pairs


def _which_exists(labels: Sequence[VideoLabels], generator: np.random.Generator) -> list[QaPair]:
    answers: dict[str, list[str]] = defaultdict(list)
    present: dict[str, frozenset[str]] = {}
    for video in labels:
        seen = video.all_attributes
        # "other noise" and the like are no kind that could be shown.
        named = [name for name in seen if name in ALL_ATTRIBUTES and not name.startswith("other ")]
        if seen and not named:
            continue
        answers[_pick(named, generator) if named else NO_DISTORTION].append(video.video)
        present[video.video] = frozenset(seen or [NO_DISTORTION])
    return _choice_pairs("which exists", WHICH_QUESTIONS, answers, present, generator)


def _which_most(labels: Sequence[VideoLabels], generator: np.random.Generator) -> list[QaPair]:
    answers: dict[str, list[str]] = defaultdict(list)
    present: dict[str, frozenset[str]] = {}
    for video in labels:
        if video.most_impactful:
            answers[video.most_impactful].append(video.video)
            present[video.video] = frozenset([video.most_impactful])
    return _choice_pairs("which most", MOST_QUESTIONS, answers, present, generator)


def _choice_pairs(
    family: str,
    phrasings: Sequence[str],
    answers: Mapping[str, Sequence[str]],
    present: Mapping[str, frozenset[str]],
    generator: np.random.Generator,
) -> list[QaPair]:
    pairs = []
    groups = balanced_groups(answers, present, generator, min(NUM_OPTIONS, max(len(answers), 2)))
    for number, group in enumerate(groups):
        for answer, video in group.items():
            options = tuple(str(option) for option in generator.permutation(sorted(group)))
            pairs.append(
                QaPair(
                    video=video,
                    family=family,
                    question=_pick(phrasings, generator),
                    answer=f"{answer[:1].upper()}{answer[1:]}.",
                    options=options,
                    facts={"answer": answer},
                    group=number,
                )
            )
    return pairs


def _description(labels: Sequence[VideoLabels], generator: np.random.Generator) -> list[QaPair]:
    return [
        QaPair(
            video=video.video,
            family="description",
            question=_pick(DESCRIPTION_QUESTIONS, generator),
            answer=describe(video),
            facts={
                "overall": video.levels[Dimension.OVERALL],
                "most_impactful": video.most_impactful,
                "attributes": sorted(video.all_attributes),
            },
        )
        for video in labels
        if Dimension.OVERALL in video.levels and video.most_impactful
    ]


def describe(video: VideoLabels) -> str:
    """Describe a video's quality in the paper's form."""
    start = f"The overall quality of this video is {video.levels[Dimension.OVERALL]}"
    if video.most_impactful == NO_DISTORTION:
        return f"{start}, and no distortion stands out."
    worst = Dimension(video.most_impactful)
    sentence = f"{start}, which is mainly affected by the {worst} distortion"
    if kinds := _named(video, worst):
        sentence += f", especially the {_join(kinds)}"
    others = [d for d, is_bad in video.distorted.items() if is_bad and d != worst]
    if kinds := [name for dimension in others for name in _named(video, dimension)]:
        sentence += f". There is also {_join(kinds)}"
    return sentence + "."


def _named(video: VideoLabels, dimension: Dimension) -> list[str]:
    return [n for n in video.attributes.get(dimension, ()) if not n.startswith("other ")]


def _join(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _check_rating(pair: QaPair) -> str:
    dimension, level = Dimension(pair.facts["dimension"]), pair.facts["level"]
    if dimension not in words_in(pair.question, list(Dimension)):
        return f"the question must name {dimension}"
    said = words_in(pair.answer, levels_of(dimension))
    return "" if said == {level} else f"the answer must name the level {level!r} and no other"


def _check_scoring(pair: QaPair) -> str:
    if pair.facts["dimension"] not in words_in(pair.question, list(Dimension)):
        return f"the question must name {pair.facts['dimension']}"
    numbers = [float(number.replace("\u2212", "-")) for number in re.findall(_NUMBER, pair.answer)]
    return "" if numbers == [pair.facts["score"]] else f"the answer must say {pair.facts['score']}"


def _check_yes_no(pair: QaPair) -> str:
    wanted = "yes" if pair.facts["distorted"] else "no"
    if pair.facts["dimension"] not in words_in(pair.question, list(FAULT_DIMENSIONS)):
        return f"the question must name {pair.facts['dimension']}"
    return (
        ""
        if re.match(rf"{wanted}\b", pair.answer.strip().lower())
        else f"the answer must begin with {wanted!r}"
    )


def _check_choice(pair: QaPair) -> str:
    wanted = pair.facts["answer"]
    if list(pair.options).count(wanted) != 1 or len(set(pair.options)) != len(pair.options):
        return "the right answer must be among the options once, and no option twice"
    if words_in(pair.question, pair.options):
        return "the question must not name an option"
    return (
        "" if words_in(pair.answer, pair.options) == {wanted} else f"the answer must be {wanted!r}"
    )


def _check_description(pair: QaPair) -> str:
    wanted, text = pair.facts["overall"], pair.answer
    if words_in(text, levels_of(Dimension.OVERALL)) != {wanted}:
        return f"the text must say that the overall quality is {wanted}, and no other level"
    invented = words_in(text, ALL_ATTRIBUTES) - set(pair.facts["attributes"])
    if invented:
        return f"the labels say nothing of {', '.join(sorted(invented))}"
    worst = pair.facts["most_impactful"]
    if worst != NO_DISTORTION and worst not in words_in(text, list(FAULT_DIMENSIONS)):
        return f"the text must name {worst}, which hurts most"
    known = {dimension_of(n) for n in pair.facts["attributes"] if n in ALL_ATTRIBUTES} | {worst}
    if stray := words_in(text, list(FAULT_DIMENSIONS)) - known - {Dimension.NOISE}:
        return f"the labels do not blame {', '.join(sorted(stray))}"
    return ""


def count_families(pairs: Sequence[QaPair]) -> dict[str, int]:
    """Count pairs by family, in the order of `FAMILIES`."""
    counts = Counter(pair.family for pair in pairs)
    return {family: counts[family] for family in FAMILIES if counts[family]}
