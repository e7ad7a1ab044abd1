"""The last stage of nano: the reader of opinions that has a share of overall.

The encoder has fitted the training photographs, so they say little about others; photographs that
it never saw say more, and validation photographs have done their work once an epoch is chosen.
After the numbers on test data are written down, the test photographs teach the released reader,
too: the numbers then are those of the same reader with a fifth fewer photographs.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from finevq.model.finevq import FineVQ
from finevq.model.opinion_reader import Opinions
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
from finevq.training.predictions import Predictions, answer_states
from finevq.training.samples import Split, TrainingSample
from finevq.training.time_reading import TimeReader, lowered_as_read, severities_of_time
from finevq.vocabulary import Dimension

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
        seen = photographs.get("train")
        self._kind = KindReader([clips] if seen is None else [clips, seen])
        self._time = _time_reader(clips, seen)

    def fit(self, splits: Sequence[Split]) -> None:
        """Fit the reader to the photographs of some splits.

        Args:
            splits: The training split weighs less: the encoder has seen it.
        """
        rated = [self._rated(split) for split in splits if split in self._photographs]
        if not rated:
            rated = [RatedViews(self._clips.views, overall_of(self._clips.samples))]
        head = self._model.config.score_head
        reader = self._model.opinion_reader
        OpinionReader(rated, self._ordered).write_to(reader, head.low, head.high)
        self._time.write_to(reader.of_time, head.low, head.high)
        self._kind.write_to(reader)
        count = sum(len(part.opinions) for part in rated)
        _log.info("opinion stage: %d pictures and %d pairs", count, len(self._ordered))

    @torch.no_grad()
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
        asked = [questions.rating(Dimension.OVERALL)]
        states = [
            state for part in unseen for state in answer_states(self._model, prompter, part, asked)
        ]
        opinions = cross_fitted(
            RatedViews(
                torch.cat([part.views for part in unseen]),
                overall_of(samples),
                self._config.unseen_weight,
            ),
            [self._rated("train")] if "train" in self._photographs else [],
            self._ordered,
        )
        motion = torch.cat([part.motion[:, 0] for part in unseen])
        read: Tensor = self._model.score(torch.cat(states)[:, 0])
        scores = lowered_as_read(opinions, self._time, motion)
        means = np.concatenate([mean_features(part.views, 0) for part in unseen])
        familiar = self._model.opinion_reader.familiarity(torch.from_numpy(means).float())
        shares = self._model.config.opinion_share * familiar
        joined = Opinions(scores, shares).joined_with(read.double())
        return Predictions(tuple(asked), joined.unsqueeze(1).numpy(), {}), samples

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
    return OrderedViews(
        clips.views,
        [rows[place] for place in pairs.better.tolist()],
        [rows[place] for place in pairs.worse.tolist()],
        weight=config.order_weight,
        margin=config.margin,
    )
