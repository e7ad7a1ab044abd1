"""What looks like a photograph, for an opinion reader that learnt from photographs alone.

A logistic regression on the reader's own features tells photographs, degraded ones too, from
drawings and from pictures without color. What people say of those nobody asked here: the reader's
straight line leaves the photographs behind and is not to be trusted there.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from finevq.model.opinion_reader import OpinionReader, standardised
from finevq.training.encoded import EncodedSet
from finevq.training.opinions import mean_features

_INVERSE_STRENGTH = 0.001
"""Of the penalty. Of the reader's share validation photographs keep .998 (median), drawings .06,
gray pictures .13. With statistics of all these pictures instead of the reader's it was .995, .03,
.07, at .0001 .978, .12, .18, at .01 .999, .004, .02: in between."""
_MOST_STEPS = 300
_MOST_PICTURES = 16_000
"""More tell no more; drawn at random."""


class KindReader:
    """Learns to tell photographs from all else.

    Args:
        parts: Samples with their features, of training splits.
    """

    def __init__(self, parts: Sequence[EncodedSet]) -> None:
        count = sum(len(part) for part in parts)
        rng = np.random.default_rng(0)
        known, means = [], []
        for part in parts:
            rows = np.flatnonzero(rng.random(len(part)) < _MOST_PICTURES / count).tolist()
            known += [part.samples[row].is_photographed for row in rows]
            means.append(mean_features(part.views[rows], 0))
        self._known = np.array(known)
        self._means = np.concatenate(means)

    @torch.no_grad()
    def write_to(self, reader: OpinionReader) -> None:
        """Teach a model's reader the difference, in half precision, as weights are released.

        Args:
            reader: With its standardization fitted. One without familiarity stays as it is, and so
                does any that was shown one kind alone.
        """
        if not hasattr(reader, "of_kind") or self._known.all() or not self._known.any():
            return
        means = torch.from_numpy(self._means).float()
        seen = standardised(reader.standardization, means).double().numpy()
        regression = LogisticRegression(C=_INVERSE_STRENGTH, max_iter=_MOST_STEPS)
        regression.fit(seen, self._known)
        reader.of_kind.weight.copy_(torch.from_numpy(regression.coef_).half())
        reader.of_kind.bias.copy_(torch.from_numpy(regression.intercept_).half())
