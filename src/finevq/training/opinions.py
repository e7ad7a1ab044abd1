"""A reader of people's opinions that a few hundred photographs suffice for.

Photographs with opinions are few, and a network that sees each of them a hundred times learns them
by heart. A ridge regression on the same features does not: it is the better judge of pictures that
it never saw. So it judges every degraded clip and still, and the network learns from both: from
what people said, and from what people would probably have said. And it has a share of the released
model's overall score, where it learns from photographs that the encoder never saw, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finevq.model.image_encoder import EfficientNetEncoder
from finevq.model.opinion_reader import FARTHEST
from finevq.model.opinion_reader import OpinionReader as ReaderModule
from finevq.training.samples import TrainingSample
from finevq.training.time_reading import lowered_as_known
from finevq.vocabulary import Dimension

_STRENGTH = 3000.0
"""Ridge penalty on standardised features. On validation photographs SRCC is .803 at 1,000, .800 at
3,000, .789 at 10,000: the stronger of two that are equally good."""
_SMALLEST_SPREAD = 1e-9
_ROUNDS = 6
"""Of finding the pairs that are out of order and asking for their order."""

_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RatedViews:
    """Pictures with opinions."""

    views: Tensor
    """(N, variants, views, F, features)."""
    opinions: Sequence[float]
    """(N,), on the MOS scale."""
    weight: float = 1.0
    """Of each against the others."""

    def part(self, rows: Sequence[int]) -> "RatedViews":
        """Return some of them."""
        chosen = list(rows)
        return replace(
            self, views=self.views[chosen], opinions=[self.opinions[row] for row in chosen]
        )


class OrderedViews:
    """Pictures of which some are surely better than others.

    Args:
        views: (N, variants, views, F, features).
        better: (P,): rows.
        worse: (P,): rows.
        weight: Of a pair out of order against an opinion.
        margin: Points of MOS from which an order counts as kept.
    """

    def __init__(
        self,
        views: Tensor,
        better: Sequence[int],
        worse: Sequence[int],
        *,
        weight: float,
        margin: float,
    ) -> None:
        self.weight, self.margin = weight, margin
        # Many readers are fitted to the same pairs: their means are taken once, of those alone.
        rows = sorted({*better, *worse})
        place = {row: number for number, row in enumerate(rows)}
        self._means = mean_features(views[rows], 0)
        self._better = [place[row] for row in better]
        self._worse = [place[row] for row in worse]

    def __len__(self) -> int:
        return len(self._better)

    def differences(self, standardise: Callable[[_Matrix], _Matrix]) -> _Matrix:
        """Return by how much the better pictures' standardised features are larger."""
        shown = standardise(self._means)
        differences: _Matrix = shown[self._better] - shown[self._worse]
        return differences


class OpinionReader:
    """Ridge regression from mean features of all views to people's overall score.

    Args:
        rated: Pictures with opinions; at least one set.
        ordered: Pairs whose order is asked for, too: those out of order by squared hinge, as a
            support vector machine has it (Chapelle, Training a Support Vector Machine in the
            Primal, 2007).
    """

    def __init__(self, rated: Sequence[RatedViews], ordered: OrderedViews | None = None) -> None:
        features, opinions, weights = _rows_of(rated)
        self._center = np.average(features, axis=0, weights=weights)
        spread = np.sqrt(np.average((features - self._center) ** 2, axis=0, weights=weights))
        self._spread = np.where(spread < _SMALLEST_SPREAD, 1.0, spread)
        self._mean = float(np.average(opinions, weights=weights))
        seen = (features - self._center) / self._spread
        weighted = seen * weights[:, None]
        squares = weighted.T @ seen + _STRENGTH * np.eye(seen.shape[1])
        products = weighted.T @ (opinions - self._mean)
        self._slopes = np.linalg.solve(squares, products)
        if ordered is None or not len(ordered):
            return
        differences = ordered.differences(self._standardised)
        for _ in range(_ROUNDS):
            late = differences[differences @ self._slopes < ordered.margin]
            self._slopes = np.linalg.solve(
                squares + ordered.weight * late.T @ late,
                products + ordered.weight * ordered.margin * late.sum(axis=0),
            )

    def __call__(self, views: Tensor) -> _Matrix:
        """Return what people would probably say of each sample (N,), on the MOS scale."""
        opinions: _Matrix = self._mean + self._standardised(mean_features(views, 0)) @ self._slopes
        return opinions

    @torch.no_grad()
    def write_to(self, module: ReaderModule, low: float, high: float) -> None:
        """Give a model's reader this regression, in half precision, as weights are released.

        Args:
            module: The model's.
            low: Score that its output of 0 means.
            high: Score that its output of 1 means.
        """
        module.standardization.mean.copy_(torch.from_numpy(self._center))
        module.standardization.std.copy_(torch.from_numpy(self._spread))
        slopes = torch.from_numpy(self._slopes / (high - low))
        module.linear.weight.copy_(slopes.half().unsqueeze(0))
        module.linear.bias.fill_(float(np.float16((self._mean - low) / (high - low))))

    def _standardised(self, features: _Matrix) -> _Matrix:
        standardised: _Matrix = ((features - self._center) / self._spread).clip(-FARTHEST, FARTHEST)
        return standardised


def cross_fitted(
    unseen: RatedViews,
    always: Sequence[RatedViews],
    ordered: OrderedViews | None,
    *,
    num_parts: int = 10,
    seed: int = 0,
) -> _Matrix:
    """Return opinions (N,) of each picture by a reader that learnt from all others.

    Args:
        unseen: N pictures that no encoder saw.
        always: What every reader learns from besides.
        ordered: As in `OpinionReader`.
        num_parts: So many readers are fitted.
        seed: Of the parts.
    """
    count = len(unseen.opinions)
    parts = np.array_split(np.random.default_rng(seed).permutation(count), min(num_parts, count))
    opinions = np.zeros(count)
    for part in parts:
        others = np.setdiff1d(np.arange(count), part)
        reader = OpinionReader([*always, unseen.part(others.tolist())], ordered)
        opinions[part] = reader(unseen.views[part.tolist()])
    return opinions


def overall_of(samples: Sequence[TrainingSample]) -> list[float]:
    """Return the overall score of each sample."""
    return [sample.mos[Dimension.OVERALL] for sample in samples]


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
    Photographs move too: the reader's opinion of a photograph cannot be learnt by heart. Drawings
    and what is shown without color stay: photographs tell nothing of them.

    Args:
        samples: With known faults, or with people's opinions.
        views: (N, variants, views, F, features): theirs.
        reader: Fitted on training photographs.
        mos_range: Opinions beyond are taken as its ends.
        share: How far it moves; 1 all the way.
    """
    opinions = lowered_as_known(reader(views).clip(*mos_range), samples)
    return [
        _with_opinion(sample, opinion, share)
        for sample, opinion in zip(samples, opinions.tolist(), strict=True)
    ]


def _with_opinion(sample: TrainingSample, opinion: float, share: float) -> TrainingSample:
    if not sample.is_photographed:
        return sample
    overall = (1.0 - share) * sample.mos[Dimension.OVERALL] + share * opinion
    return replace(sample, mos={**sample.mos, Dimension.OVERALL: overall})


def _rows_of(rated: Sequence[RatedViews]) -> tuple[_Matrix, _Matrix, _Matrix]:
    """Return features (R, features), opinions and weights (R,): a row a picture and variant."""
    features, opinions, weights = [], [], []
    for part in rated:
        for variant in range(part.views.shape[1]):
            features.append(mean_features(part.views, variant))
            opinions.append(np.asarray(part.opinions, np.float64))
            weights.append(np.full(len(part.opinions), part.weight))
    return np.concatenate(features), np.concatenate(opinions), np.concatenate(weights)


def mean_features(views: Tensor, variant: int) -> _Matrix:
    """Return (N, views x features): what the network saw, averaged over frames."""
    seen = views[:, variant, ..., : -EfficientNetEncoder.num_colors]
    parts = [rows.float().mean(dim=2).flatten(1) for rows in seen.split(512)]
    means: _Matrix = torch.cat(parts).double().numpy()
    return means
