"""A loaded model that assesses videos and answers questions about them.

The way of a video: read its pixels once, read them into a prefix once, ask every question as a
short suffix on that prefix, join the answers into one `Assessment`.
"""

import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from finevq.errors import ModelError, UnsupportedQuestionError
from finevq.inference.answering import ClosedAnswer, answer_closed
from finevq.inference.batching import assess_in_order
from finevq.inference.engine import Direct, Engine, Prefix
from finevq.inference.joining import join_scores, moved_levels, with_needed_ratings
from finevq.inference.population import Population
from finevq.inference.thumbnails import encode_thumbnails
from finevq.model.config import FaultFallConfig, HaloConfig
from finevq.prompts import questions, templates
from finevq.prompts.prompter import Prompter
from finevq.prompts.questions import Family, Question
from finevq.records import (
    Assessment,
    AttributeEstimate,
    Calibration,
    Clip,
    DimensionAssessment,
    Failure,
    ModelIdentity,
    Score,
    TimelineSegment,
    VideoInputConfig,
)
from finevq.settings import Settings
from finevq.video.decode import decode_video
from finevq.video.inputs import Decode, Pixels, VideoInputs, read_inputs
from finevq.video.isolation import DecoderPool
from finevq.vocabulary import ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, NO_FAULT, Dimension

SEGMENT_SECONDS = 2.0
"""Length of a stretch of the timeline, where the video is not too long for it."""

MAX_ANSWER_TOKENS = 256
"""Longest answer in a model's own words."""

_EVEN_ODDS = 0.5


class Session:
    """One loaded model. It is a `Scorer`.

    Args:
        identity: What the model is called in results.
        engine: The network.
        prompter: The template that it was trained on.
        video: What it takes from a video.
        calibration: Fitted to the weights.
        free_questions: Whether the model was trained to answer questions in any words.
        has_scores: Whether it gives scores; one that does not answers questions alone.
        fault_fall: How its overall falls by the other scores; it does not where None.
        halo: How the other scores fall by the worst of them; they do not where None.
        settings: Limits of reading videos.
    """

    def __init__(
        self,
        *,
        identity: ModelIdentity,
        engine: Engine,
        prompter: Prompter,
        video: VideoInputConfig,
        calibration: Calibration,
        free_questions: bool,
        has_scores: bool = True,
        fault_fall: FaultFallConfig | None = None,
        halo: HaloConfig | None = None,
        settings: Settings,
    ) -> None:
        self.identity = identity
        self._engine = engine
        self._prompter = prompter
        self._video = video
        self._calibration = calibration
        self._free_questions = free_questions
        self._has_scores = has_scores
        self._fault_fall = fault_fall or FaultFallConfig()
        self._halo = halo or HaloConfig()
        self._decode: Decode = partial(decode_video, settings=settings)
        if settings.isolate_decoder:
            pool = DecoderPool(settings=settings)
            self._decode = pool.decode
            # Its processes end with the session, or at the latest with the program.
            weakref.finalize(self, pool.close)
        self._population = Population.finevd()
        self._questions = _assessment_questions()

    def assess(self, path: str, *, timeline: bool = False, thumbnails: bool = False) -> Assessment:
        """Say how good a video is, in six dimensions, and what is wrong with it.

        Args:
            path: A video or picture.
            timeline: Also score stretches of about `SEGMENT_SECONDS`.
            thumbnails: Also keep small pictures of the frames that the model saw.

        Raises:
            ModelError: the model answers questions but gives no scores.
            VideoError: the video cannot be read.
        """
        self._require_scores()
        inputs = self._read(path, timeline=timeline, thumbnails=thumbnails)
        return self._assess_inputs(path, inputs)

    def assess_many(
        self, paths: Iterable[str], *, timeline: bool = False, thumbnails: bool = False
    ) -> Iterator[Assessment | Failure]:
        """Assess videos one after another, in order; a bad one yields a `Failure`.

        The next video is decoded while the model works on the current one.
        """
        self._require_scores()
        return assess_in_order(
            paths,
            lambda path: self._read(path, timeline=timeline, thumbnails=thumbnails),
            self._assess_inputs,
        )

    def ask(self, path: str, question: str, *, max_tokens: int = MAX_ANSWER_TOKENS) -> str:
        """Answer a question about a video in words.

        Args:
            path: A video or picture.
            question: In English.
            max_tokens: Longest answer in the model's own words, which are chosen greedily.

        Raises:
            UnsupportedQuestionError: the model was not trained to answer it.
            VideoError: the video cannot be read.
        """
        asked = self._recognise(question)  # before the video is read: it is cheaper to be wrong
        inputs = self._read(path, timeline=False, thumbnails=False)
        return self._answer(self._engine.read_video(inputs.whole), asked, max_tokens)

    # --- the Scorer seam ---

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.identity.name

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.identity.version

    @property
    def scale(self) -> tuple[float, float]:
        """FineVD's MOS scale."""
        return (0.0, 100.0)

    @property
    def higher_is_better(self) -> bool:
        """Always: scores are MOS."""
        return True

    def score(self, videos: Sequence[Clip]) -> Iterator[Score | Failure]:
        """Score clips in six dimensions, in order."""
        self._require_scores()
        ratings = [questions.rating(dimension) for dimension in DIMENSIONS]

        def rate(clip: Clip, inputs: VideoInputs) -> Score:
            answers = self._ask_closed(self._engine.read_video(inputs.whole), ratings)
            values = [answer.score for answer in answers]
            return Score(clip.label, dict(zip(DIMENSIONS, values, strict=True)))

        return assess_in_order(
            videos,
            lambda clip: self._read(clip.path, timeline=False, thumbnails=False),
            rate,
            name=lambda clip: clip.label,
        )

    # --- parts ---

    def _require_scores(self) -> None:
        if not self._has_scores:
            raise ModelError(
                f"model {self.name!r} answers questions but gives no scores; ask it "
                "(`finevq ask`), or load a score model"
            )

    def _read(self, path: str, *, timeline: bool, thumbnails: bool) -> VideoInputs:
        return read_inputs(
            path,
            self._video,
            decode=self._decode,
            segment_seconds=SEGMENT_SECONDS if timeline else None,
            with_thumbnails=thumbnails,
        )

    def _assess_inputs(self, path: str, inputs: VideoInputs) -> Assessment:
        started = time.perf_counter()
        prefix = self._engine.read_video(inputs.whole)
        dimensions, impact = self._judge(prefix)
        if self._prompter.describes_freely:
            level = dimensions[Dimension.OVERALL].level
            opening = templates.description_opening(level, impact.best)
            description = self._generate(prefix, questions.describe(), opening)
        else:
            description = _described(dimensions, impact.best)
        timeline = tuple(self._score_segment(segment) for segment in inputs.segments)
        model_seconds = time.perf_counter() - started
        return Assessment(
            video=path,
            model=self.identity,
            dimensions=dimensions,
            most_impactful=impact.best,
            most_impactful_probabilities=impact.probabilities,
            description=description,
            media=inputs.media,
            seconds={"decode": inputs.seconds, "model": model_seconds},
            timeline=timeline,
            warnings=inputs.warnings,
            thumbnails=encode_thumbnails(inputs.thumbnails),
        )

    def _judge(self, prefix: Prefix) -> tuple[dict[Dimension, DimensionAssessment], ClosedAnswer]:
        """Return the dimensions, and which of them hurts most, by closed answers."""
        answers = dict(zip(self._questions, self._ask_closed(prefix, self._questions), strict=True))
        dimensions = {dimension: self._dimension(dimension, answers) for dimension in DIMENSIONS}
        return dimensions, answers[questions.most()]

    def _dimension(
        self, dimension: Dimension, answers: Mapping[Question, ClosedAnswer]
    ) -> DimensionAssessment:
        rating = answers[questions.rating(dimension)]
        rated = DimensionAssessment(
            score=rating.score,
            level=rating.best,
            level_probabilities=rating.probabilities,
            percentile=self._population.percentile(dimension, rating.score),
        )
        if dimension is Dimension.OVERALL:
            return rated
        yes = answers[questions.distorted(dimension)].probabilities[templates.YES]
        estimates = [
            self._attribute(name, answers[questions.attribute(name)])
            for name in ATTRIBUTES[dimension]
        ]
        return replace(
            rated,
            distorted=yes >= self._calibration.thresholds.get(dimension, _EVEN_ODDS),
            distorted_probability=yes,
            attributes=tuple(sorted(estimates, key=lambda estimate: -estimate.probability)),
        )

    def _attribute(self, name: str, answer: ClosedAnswer) -> AttributeEstimate:
        yes = answer.probabilities[templates.YES]
        return AttributeEstimate(
            name, yes, present=bool(yes >= self._calibration.thresholds.get(name, _EVEN_ODDS))
        )

    def _score_segment(self, pixels: Pixels) -> TimelineSegment:
        ratings = [questions.rating(dimension) for dimension in DIMENSIONS]
        answers = self._ask_closed(self._engine.read_video(pixels), ratings)
        scores = [answer.score for answer in answers]
        return TimelineSegment(
            pixels.start_seconds, pixels.end_seconds, dict(zip(DIMENSIONS, scores, strict=True))
        )

    def _recognise(self, text: str) -> Question:
        try:
            return questions.recognise(text)
        except UnsupportedQuestionError:
            if self._free_questions:
                return questions.free(text)
            raise

    def _answer(self, prefix: Prefix, question: Question, max_tokens: int) -> str:
        if question.family is Family.SCORING and question.dimension:
            self._require_scores()
            (rating,) = self._ask_closed(prefix, [questions.rating(question.dimension)])
            return templates.scoring_answer(question.dimension, rating.score)
        if question.choices:
            (answer,) = self._ask_closed(prefix, [question])
            return f"{question.stem} {answer.best}.".strip()
        if question.family is Family.DESCRIBE and not self._prompter.describes_freely:
            dimensions, impact = self._judge(prefix)
            return _described(dimensions, impact.best)
        return self._generate(prefix, question, "", max_tokens)

    def _ask_closed(self, prefix: Prefix, asked: Sequence[Question]) -> list[ClosedAnswer]:
        needed = with_needed_ratings(asked, self._fault_fall, self._halo)
        answers = answer_closed(
            self._engine, self._prompter, prefix, needed, self._calibration.temperatures
        )
        joined = [
            self._joined(question, answer.score, prefix.direct)
            for question, answer in zip(needed, answers, strict=True)
        ]
        scores = np.array(joined)
        join_scores(scores, needed, self._fault_fall, self._halo)
        return [
            self._in_use(question, answer, float(score))
            for question, answer, score in zip(asked, answers, scores, strict=False)
        ]

    @staticmethod
    def _joined(question: Question, score: float, direct: Direct) -> float:
        """Return what the head reads of a dimension, joined with what is read directly."""
        if question.family is not Family.RATING or question.dimension is None:
            return score
        reading = direct.scores.get(question.dimension)
        return score if reading is None else reading.joined_with(score)

    def _in_use(self, question: Question, answer: ClosedAnswer, score: float) -> ClosedAnswer:
        """Return an answer with its final score, and levels that agree with it."""
        probabilities = answer.probabilities
        is_moved = self._has_scores and score != answer.score
        if question.family is Family.RATING and is_moved:
            read = np.array([list(probabilities.values())])
            points = np.array([score - answer.score])
            (moved,) = moved_levels(read, points, self._population.span).tolist()
            probabilities = dict(zip(probabilities, moved, strict=True))
        # Regressions all of them: nothing else keeps a score on the scale.
        low, high = self.scale
        return ClosedAnswer(probabilities, min(max(score, low), high))

    def _generate(
        self,
        prefix: Prefix,
        question: Question,
        opening: str,
        max_tokens: int = MAX_ANSWER_TOKENS,
    ) -> str:
        suffix = self._prompter.suffix_ids(question, opening)
        generated = self._engine.generate(
            prefix,
            suffix,
            stop_ids=self._prompter.stop_ids,
            max_new_tokens=max_tokens,
        )
        return f"{opening} {self._prompter.decode(generated)}".strip()


def _assessment_questions() -> list[Question]:
    return [
        *(questions.rating(dimension) for dimension in DIMENSIONS),
        *(questions.distorted(dimension) for dimension in FAULT_DIMENSIONS),
        *(questions.attribute(name) for names in ATTRIBUTES.values() for name in names),
        questions.most(),
    ]


def _described(dimensions: Mapping[Dimension, DimensionAssessment], most_impactful: str) -> str:
    """Describe a video by closed answers: its level, what hurts most, what else is present."""
    level = dimensions[Dimension.OVERALL].level
    if most_impactful == NO_FAULT:
        return templates.description(level, NO_FAULT, [])
    # Most probable first; what is found goes before what is only likelier.
    kinds = dimensions[Dimension(most_impactful)].attributes
    main = next((kind for kind in kinds if kind.present), kinds[0]).name
    present = [
        estimate
        for assessment in dimensions.values()
        for estimate in assessment.attributes
        if estimate.present and estimate.name != main
    ]
    present.sort(key=lambda estimate: -estimate.probability)
    return templates.description(level, main, [estimate.name for estimate in present])
