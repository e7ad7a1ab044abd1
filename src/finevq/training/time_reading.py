"""How bad faults of time are, read off motion features, for an opinion reader that sees pictures.

A logistic regression: frozen motion features tell it at least as well as all that is trained behind
them, and most videos have no such fault, so that a straight line would see some in each.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from finevq.datasets.degradations.labels import FINEVD_SCALE, OVERALL_WEIGHTS
from finevq.model.opinion_reader import TimeReader as ReaderModule
from finevq.model.opinion_reader import lowered, standardised
from finevq.model.projectors import Standardization
from finevq.training.samples import TrainingSample
from finevq.vocabulary import Dimension

_INVERSE_STRENGTH = 0.01
"""Of the penalty. On validation clips SRCC with severity is .620 at .001, .616 at .01, .611 at .1,
the mean error .068, .056, .050: in between."""
_MOST_STEPS = 1000

_Matrix = NDArray[np.float64]


class TimeReader:
    """Logistic regression from mean motion features to the severity of faults of time.

    Args:
        motion: (N, M, features).
        severities: (N,), 0..1.
    """

    def __init__(self, motion: Tensor, severities: Sequence[float]) -> None:
        self._standardization = Standardization(motion.shape[-1])
        self._standardization.fit(motion)
        seen = self._mean_of_bursts(motion)
        known = np.asarray(severities, np.float64)
        # A severity between counts as so much of a fault and so much of none.
        self._regression = LogisticRegression(C=_INVERSE_STRENGTH, max_iter=_MOST_STEPS).fit(
            np.concatenate([seen, seen]),
            np.repeat([1, 0], len(seen)),
            sample_weight=np.concatenate([known, 1.0 - known]),
        )

    def falls(self, motion: Tensor) -> Tensor:
        """Return the share (N,) that an opinion of pictures loses, from (N, M, features)."""
        severities = self._regression.predict_proba(self._mean_of_bursts(motion))[:, 1]
        return torch.from_numpy(OVERALL_WEIGHTS[Dimension.TEMPORAL] * severities)

    @torch.no_grad()
    def write_to(self, module: ReaderModule, low: float, high: float) -> None:
        """Give a model's reader this regression, in half precision, as weights are released.

        Args:
            module: The model's.
            low: Score that an opinion of 0 means.
            high: Score that an opinion of 1 means.
        """
        module.standardization.load_state_dict(self._standardization.state_dict())
        module.linear.weight.copy_(torch.from_numpy(self._regression.coef_).half())
        module.linear.bias.copy_(torch.from_numpy(self._regression.intercept_).half())
        module.ruined.fill_((FINEVD_SCALE.ruined - low) / (high - low))
        module.weight.fill_(OVERALL_WEIGHTS[Dimension.TEMPORAL])

    def _mean_of_bursts(self, motion: Tensor) -> _Matrix:
        means: _Matrix = standardised(self._standardization, motion).mean(dim=1).double().numpy()
        return means


def severities_of_time(samples: Sequence[TrainingSample]) -> list[float]:
    """Return how bad the known faults of time are (N,); a photograph has none."""
    known = [sample.dimension_severities or {} for sample in samples]
    return [severities.get(Dimension.TEMPORAL, 0.0) for severities in known]


def lowered_as_known(opinions: _Matrix, samples: Sequence[TrainingSample]) -> _Matrix:
    """Lower opinions of pictures (N,), on the MOS scale, by the faults of time of their samples."""
    falls = OVERALL_WEIGHTS[Dimension.TEMPORAL] * torch.tensor(severities_of_time(samples))
    result: _Matrix = lowered(torch.from_numpy(opinions), falls, FINEVD_SCALE.ruined).numpy()
    return result
