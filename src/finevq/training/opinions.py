"""A reader of people's opinions that a few hundred photographs suffice for.

Photographs with opinions are few, and a network that sees each of them a hundred times learns them
by heart. A ridge regression on the same features does not: it is the better judge of pictures that
it never saw. So it judges every degraded clip and still, and the network learns from both: from
what people said, and from what people would probably have said.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from finevq.datasets.degradations.labels import FINEVD_SCALE, OVERALL_WEIGHTS
from finevq.training.samples import TrainingSample
from finevq.vocabulary import Dimension

_STRENGTH = 3000.0
"""Ridge penalty on standardised features. On validation photographs SRCC is .803 at 1,000, .800 at
3,000, .789 at 10,000: the stronger of two that are equally good."""
_FARTHEST = 6.0
"""Standard deviations; a feature beyond counts as so far, or ruined clips would leave the scale."""


class OpinionReader:
    """Ridge regression from mean features of both views to people's overall score.

    Args:
        views: (N, variants, views, F, features) of photographs of the training folds.
        opinions: (N,), on the MOS scale.
    """

    def __init__(self, views: Tensor, opinions: Sequence[float]) -> None:
        variants = range(views.shape[1])
        features = np.concatenate([_mean_features(views, variant) for variant in variants])
        self._scaler = StandardScaler().fit(features)
        self._ridge = Ridge(_STRENGTH).fit(
            self._scaler.transform(features), np.tile(opinions, len(variants))
        )

    def __call__(self, views: Tensor) -> NDArray[np.float64]:
        """Return what people would probably say of each sample (N,), on the MOS scale."""
        features = self._scaler.transform(_mean_features(views, 0)).clip(-_FARTHEST, _FARTHEST)
        opinions: NDArray[np.float64] = self._ridge.predict(features)
        return opinions


def with_probable_opinions(
    samples: Sequence[TrainingSample],
    views: Tensor,
    reader: OpinionReader,
    mos_range: tuple[float, float],
    *,
    share: float = 0.5,
) -> list[TrainingSample]:
    """Move each sample's overall score towards what people would probably say of its pictures.

    The rules of synthesis know what was done, the reader how good the picture was before and how
    people take it. Faults of time, which it cannot see, lower its opinion by their severity.
    Photographs move too: the reader's opinion of a photograph cannot be learnt by heart.

    Args:
        samples: With known faults, or with people's opinions.
        views: (N, variants, views, F, features): theirs.
        reader: Fitted on training photographs.
        mos_range: Opinions beyond are taken as its ends.
        share: How far it moves; 1 all the way.
    """
    opinions = reader(views).clip(*mos_range)
    return [
        _with_opinion(sample, float(opinion), share)
        for sample, opinion in zip(samples, opinions, strict=True)
    ]


def _with_opinion(sample: TrainingSample, opinion: float, share: float) -> TrainingSample:
    severity = (sample.dimension_severities or {}).get(Dimension.TEMPORAL, 0.0)
    ruined = FINEVD_SCALE.ruined
    of_pictures = max(opinion - ruined, 0.0)
    fall = OVERALL_WEIGHTS[Dimension.TEMPORAL] * severity  # which pictures cannot show
    opinion = min(opinion, ruined) + of_pictures * (1.0 - fall)
    overall = (1.0 - share) * sample.mos[Dimension.OVERALL] + share * opinion
    return replace(sample, mos={**sample.mos, Dimension.OVERALL: overall})


def _mean_features(views: Tensor, variant: int) -> NDArray[np.float32]:
    """Return (N, views x features), averaged over frames."""
    parts = [rows.float().mean(dim=2).flatten(1) for rows in views[:, variant].split(512)]
    means: NDArray[np.float32] = torch.cat(parts).numpy()
    return means
