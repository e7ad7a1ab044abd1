import json
from pathlib import Path

import numpy as np
import pytest

from finevq.errors import StudyError
from finevq.study.labels import NO_DISTORTION, VideoLabels, read_labels
from finevq.study.qa import FAMILIES, QaPair, build_pairs, check_pair, count_families
from finevq.study.qa_audit import audit_pairs
from finevq.study.qa_phrasing import PhrasingReport, rephrase
from finevq.vocabulary import ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, Dimension, levels_of


def _labels(count: int = 800, seed: int = 0) -> list[VideoLabels]:
    """Skewed as FineVD's: blur decides half of the videos, a quarter has no fault."""
    generator = np.random.default_rng(seed)
    shares = {"blur": 0.47, "none": 0.26, "artifact": 0.13, "temporal": 0.06, "color": 0.05}
    shares["noise"] = 1.0 - sum(shares.values())
    labels = []
    for index in range(count):
        worst = str(generator.choice(list(shares), p=list(shares.values())))
        distorted = {d: str(d) == worst or bool(generator.random() < 0.2) for d in FAULT_DIMENSIONS}
        if worst == NO_DISTORTION:
            distorted = dict.fromkeys(FAULT_DIMENSIONS, False)
        # The first attributes of a dimension are the frequent ones.
        attributes = {
            d: (ATTRIBUTES[d][int(len(ATTRIBUTES[d]) * generator.random() ** 2)],)
            for d, is_bad in distorted.items()
            if is_bad
        }
        labels.append(
            VideoLabels(
                video=f"{index}.mp4",
                mos={d: float(generator.uniform(10, 80)) for d in DIMENSIONS},
                levels={d: str(generator.choice(levels_of(d))) for d in DIMENSIONS},
                distorted=distorted,
                attributes=attributes,
                most_impactful=worst,
            )
        )
    return labels


def test_every_pair_of_every_family_agrees_with_its_labels() -> None:
    pairs = build_pairs(_labels(), seed=1)
    assert list(count_families(pairs)) == list(FAMILIES)
    assert [(pair, problem) for pair in pairs if (problem := check_pair(pair))] == []


def test_the_same_seed_gives_the_same_pairs_and_another_one_others() -> None:
    labels = _labels(200)
    assert build_pairs(labels, seed=1) == build_pairs(labels, seed=1)
    assert build_pairs(labels, seed=1) != build_pairs(labels, seed=2)


def test_options_are_as_many_each_the_answer_once_a_group_and_never_right_by_accident() -> None:
    labels = {video.video: video for video in _labels()}
    pairs = [p for p in build_pairs(list(labels.values()), seed=1) if p.family == "which exists"]
    assert {len(pair.options) for pair in pairs} == {4}
    groups: dict[int, list[QaPair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
        seen = set(labels[pair.video].all_attributes) or {NO_DISTORTION}
        assert set(pair.options) & seen == {pair.facts["answer"]}
    for group in groups.values():
        assert {frozenset(pair.options) for pair in group} == {
            frozenset(pair.facts["answer"] for pair in group)
        }


def test_a_solver_without_the_video_stays_at_chance() -> None:
    audits = audit_pairs(build_pairs(_labels(), seed=1))
    assert [audit.family for audit in audits] == ["yes/no", "which exists", "which most"]
    for audit in audits:
        assert audit.passed, audit
        assert audit.accuracy - audit.chance <= 0.03, audit


@pytest.mark.full
def test_finevds_own_labels_give_pairs_that_cannot_be_guessed(shared: Path) -> None:
    labels = read_labels(shared / "data" / "finevd" / "labels.csv")
    assert min(video.mos[d] for video in labels for d in video.mos) < 0  # Z-scores on 0..100
    pairs = build_pairs(labels, seed=1)
    assert [(pair, problem) for pair in pairs if (problem := check_pair(pair))] == []
    audits = audit_pairs(pairs)
    assert [audit.family for audit in audits] == ["yes/no", "which exists", "which most"]
    for audit in audits:
        assert audit.num_pairs > 2000
        assert audit.accuracy - audit.chance <= 0.03, audit


def test_the_audit_finds_the_shortcuts_of_careless_options() -> None:
    generator = np.random.default_rng(0)
    # All six options and the answers as frequent as they are: the prior gives much away.
    every = [*map(str, FAULT_DIMENSIONS), NO_DISTORTION]
    careless = [
        QaPair(
            video=video.video,
            family="which most",
            question="Which distortion has the most impact on the quality of this video?",
            answer=video.most_impactful,
            options=tuple(str(option) for option in generator.permutation(every)),
            facts={"answer": video.most_impactful},
            group=index,
        )
        for index, video in enumerate(_labels())
    ]
    (audit,) = audit_pairs(careless)
    assert audit.accuracy > audit.chance + 0.2
    assert not audit.passed


def _pair(**values: object) -> QaPair:
    base = {"video": "a", "family": "rating", "question": "How is the blur?", "answer": "Mild."}
    return QaPair(**{**base, "facts": {"dimension": "blur", "level": "mild"}, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (_pair(), ""),
        (_pair(question="How is it?"), "the question must name blur"),
        (_pair(answer="Strong."), "the level 'mild' and no other"),
        (_pair(answer="Mild, nearly slight."), "the level 'mild' and no other"),
        (
            _pair(family="scoring", answer="It is 57.", facts={"dimension": "blur", "score": 57.5}),
            "must say 57.5",
        ),
        (
            _pair(
                family="scoring", answer="It is -1.64.", facts={"dimension": "blur", "score": -1.64}
            ),
            "",
        ),
        (
            _pair(
                family="scoring", answer="It is 1.64.", facts={"dimension": "blur", "score": -1.64}
            ),
            "must say -1.64",
        ),
        (
            _pair(
                family="which most",
                question="Which?",
                answer="Noise.",
                options=("noise", "blur"),
                facts={"answer": "blur"},
            ),
            "the answer must be 'blur'",
        ),
        (
            _pair(
                family="which most",
                question="Is it blur or what?",
                answer="Blur.",
                options=("noise", "blur"),
                facts={"answer": "blur"},
            ),
            "must not name an option",
        ),
        (
            _pair(
                family="description",
                answer="The overall quality is good, with some moire.",
                facts={"overall": "good", "most_impactful": "none", "attributes": []},
            ),
            "the labels say nothing of moire",
        ),
    ],
)
def test_the_check_finds_texts_that_contradict_the_labels(pair: QaPair, problem: str) -> None:
    found = check_pair(pair)
    assert (problem in found) if problem else found == ""


def test_a_language_models_text_is_kept_only_where_it_agrees() -> None:
    replies = iter(
        [
            'Sure: {"question": "What about the blur?", "answer": "I would call it mild."}',
            '{"question": "What about the blur?", "answer": "It is severe."}',
            "no JSON at all",
        ]
    )
    report = PhrasingReport()
    said = list(rephrase([_pair(), _pair(), _pair()], lambda prompt: next(replies), report))
    assert said[0].answer == "I would call it mild."
    assert said[1:] == [_pair(), _pair()]
    assert (report.num_rephrased, report.num_refused) == (1, 2)


def test_pairs_survive_json() -> None:
    pair = build_pairs(_labels(50), seed=1)[0]
    assert QaPair.from_dict(json.loads(json.dumps(pair.to_dict()))) == pair


def test_an_unknown_family_names_the_known_ones() -> None:
    with pytest.raises(StudyError, match="no family 'riddles'; there are rating"):
        build_pairs([], seed=1, families=["riddles"])


def test_descriptions_name_what_hurts_most() -> None:
    video = VideoLabels(
        video="a",
        levels={Dimension.OVERALL: "fair"},
        distorted={Dimension.BLUR: True, Dimension.COLOR: True},
        attributes={Dimension.BLUR: ("camera blur",), Dimension.COLOR: ("low contrast",)},
        most_impactful="blur",
    )
    (pair,) = build_pairs([video], seed=1, families=["description"])
    assert pair.answer == (
        "The overall quality of this video is fair, which is mainly affected by the blur "
        "distortion, especially the camera blur. There is also low contrast."
    )
