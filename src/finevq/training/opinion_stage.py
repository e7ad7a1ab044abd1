"""The last stage of nano: the reader of opinions that has a share of overall.

The encoder has fitted the training photographs, so they say little about others; photographs that
it never saw say more, and validation photographs have done their work once an epoch is chosen.
After the numbers on test data are written down, the test photographs teach the released reader,
too: the numbers then are those of the same reader with a fifth fewer photographs.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finevq.inference.joining import with_needed_ratings
from finevq.model.direct_readings import DirectReadings
from finevq.model.finevq import FineVQ
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.training.config import OpinionStageConfig
from finevq.training.encoded import EncodedSet
from finevq.training.kind_reading import KindReader
from finevq.training.opinions import (
    OpinionReader,
    OrderedViews,
    RatedViews,
    cross_fitted,
    mean_features,
    overall_of,
)
from finevq.training.orders import CertainPairs
from finevq.training.predictions import (
    Predictions,
    answer_states,
    direct_readings_of,
    scores_of,
)
from finevq.training.samples import Split, TrainingSample
from finevq.training.time_reading import TimeReader, severities_of_time
from finevq.vocabulary import DIMENSIONS, PICTURE_FAULT_DIMENSIONS, Dimension

_log = logging.getLogger(__name__)
Photographs = Mapping[Split, EncodedSet]


class OpinionStage:
    """Fits a model's reader of opinions.

    Args:
        model: All else trained; its encoder saw the training photographs.
        clips: Clips, stills and copies of the training split: their certain orders count, and where
            there are no photographs the reader learns overall from them.
        photographs: With people's opinions; may be empty.
        config: Weights.
    """

    def __init__(
        self,
        model: FineVQ,
        clips: EncodedSet,
        photographs: Photographs,
        config: OpinionStageConfig,
    ) -> None:
        self._model = model
        self._clips = clips
        self._photographs = photographs
        self._config = config
        self._ordered = _ordered(clips, config)

    @cached_property
    def _kind(self) -> KindReader:
        seen = self._photographs.get("train")
        return KindReader([self._clips] if seen is None else [self._clips, seen])

    @cached_property
    def _time(self) -> TimeReader:
        return _time_reader(self._clips, self._photographs.get("train"))

    def fit(self, splits: Sequence[Split]) -> None:
        """Fit the reader to the photographs of some splits.

        Args:
            splits: The training split weighs less: the encoder has seen it.
        """
        rated = self._rated_in(splits)
        if not rated:
            rated = [RatedViews(self._clips.views, overall_of(self._clips.samples))]
        head = self._model.config.score_head
        reader = self._model.opinion_reader
        OpinionReader(rated, self._ordered).write_to(reader, head.low, head.high)
        self._time.write_to(reader.of_time, head.low, head.high)
        self._kind.write_to(reader)
        count = sum(len(part.opinions) for part in rated)
        _log.info("opinion stage: %d pictures and %d pairs", count, len(self._ordered))

    def overall_of_unseen(
        self, prompter: NanoPrompter, splits: Sequence[Split]
    ) -> tuple[Predictions, list[TrainingSample]]:
        """Score all photographs that no encoder saw, each by a reader that never saw it either.

        Args:
            prompter: nano's template.
            splits: Of the photographs, those that the encoder did not learn from.
        """
        unseen = [self._photographs[split] for split in splits if split in self._photographs]
        samples = [sample for part in unseen for sample in part.samples]
        opinions = cross_fitted(
            RatedViews(
                torch.cat([part.views for part in unseen]),
                overall_of(samples),
                self._config.unseen_weight,
            ),
            [self._rated("train")] if "train" in self._photographs else [],
            self._ordered,
        )
        return self._overall(prompter, unseen, opinions), samples

    def overall_of_test(
        self, prompter: NanoPrompter
    ) -> tuple[Predictions, Sequence[TrainingSample]]:
        """Score the test photographs by a reader that learnt from all the others."""
        test = self._photographs["test"]
        reader = OpinionReader(self._rated_in(("train", "validation")), self._ordered)
        return self._overall(prompter, [test], reader(test.views)), test.samples

    @torch.no_grad()
    def _overall(
        self, prompter: NanoPrompter, parts: Sequence[EncodedSet], opinions: NDArray[np.float64]
    ) -> Predictions:
        """Return overall of photographs as in use, but with opinions (N,) of other readers."""
        model = self._model
        asked = [questions.rating(Dimension.OVERALL)]
        needed = with_needed_ratings(asked, model.config.fault_fall, model.config.halo)
        states = [state for part in parts for state in answer_states(model, prompter, part, needed)]
        read = model.score(torch.cat(states))
        motion = torch.cat([part.motion[:, 0] for part in parts])
        means = np.concatenate([mean_features(part.views, 0) for part in parts])
        familiar = model.opinion_reader.familiarity(torch.from_numpy(means).float())
        lowered = self._lowered_by_time(torch.from_numpy(opinions), motion)
        own = [direct_readings_of(model, part) for part in parts]
        readings = DirectReadings.behind_each_other(own)
        direct = readings.with_overall(lowered, model.config.opinion_share * familiar)
        scores = scores_of(model, needed, read, direct)
        moved = scores - read.double().numpy()
        return Predictions(tuple(asked), scores[:, : len(asked)], {}, moved[:, : len(asked)])

    def _lowered_by_time(self, opinions: Tensor, motion: Tensor) -> Tensor:
        """Lower opinions (N,), MOS, by what the model reads of faults of time."""
        head, reader = self._model.config.score_head, self._model.opinion_reader
        span = head.high - head.low
        raw: Tensor = reader.of_time((opinions - head.low) / span, motion)
        return head.low + span * raw

    def _rated_in(self, splits: Sequence[Split]) -> list[RatedViews]:
        return [self._rated(split) for split in splits if split in self._photographs]

    def _rated(self, split: Split) -> RatedViews:
        part = self._photographs[split]
        weight = 1.0 if split == "train" else self._config.unseen_weight
        return RatedViews(part.views, overall_of(part.samples), weight)


def _time_reader(clips: EncodedSet, photographs: EncodedSet | None) -> TimeReader:
    """Fit a reader of faults of time to clips, and to photographs, which have none."""
    motion = [clips.motion[:, 0]]
    severities = severities_of_time(clips.samples)
    if photographs is not None:
        motion += photographs.motion.unbind(1)
        severities += severities_of_time(photographs.samples) * photographs.motion.shape[1]
    return TimeReader(torch.cat(motion), severities)


def _ordered(clips: EncodedSet, config: OpinionStageConfig) -> OrderedViews:
    # Of what people never rated, the reader has no share; its orders would only bend the line.
    rows = [row for row, sample in enumerate(clips.samples) if sample.is_photographed]
    pairs = CertainPairs.among([clips.samples[row] for row in rows])
    # Nor is a reader of pictures asked for the order of what differs in time alone.
    columns = [DIMENSIONS.index(name) for name in PICTURE_FAULT_DIMENSIONS]
    shown = pairs.dimensions[:, columns].any(dim=1)
    return OrderedViews(
        clips.views,
        [rows[place] for place in pairs.better[shown].tolist()],
        [rows[place] for place in pairs.worse[shown].tolist()],
        weight=config.order_weight,
        margin=config.margin,
    )
