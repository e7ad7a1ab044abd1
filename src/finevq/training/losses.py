"""What training minimises."""

import torch
from torch import Tensor
from torch.nn import functional

from finevq.training.batches import IGNORED

_SCORE_UNIT = 13.0
"""Standard deviation of FineVD's MOS: scores are compared in its units."""


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of answer tokens.

    Args:
        logits: (B, L, vocabulary).
        labels: (B, L), IGNORED where nothing is learnt.
    """
    learnt = labels != IGNORED
    return functional.cross_entropy(logits[learnt], labels[learnt])


def score_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the Huber loss of scores, in standard deviations of FineVD's MOS.

    Args:
        predicted: (R,), MOS scale.
        target: (R,), MOS scale.
    """
    return functional.smooth_l1_loss(predicted / _SCORE_UNIT, target / _SCORE_UNIT, beta=0.5)


def correlation_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return (1 - PLCC) / 2 of a batch, 0 best; 0 where a correlation is undefined.

    Source: the linearity-inducing loss of Li et al., Norm-in-Norm (ACM MM 2020), for p = 2.

    Args:
        predicted: (R,).
        target: (R,).
    """
    if len(target) < 3 or float(target.std()) < 1e-6:
        return predicted.sum() * 0.0
    first, second = predicted - predicted.mean(), target - target.mean()
    plcc = (first * second).sum() / (first.norm() * second.norm() + 1e-6)
    return torch.clamp((1.0 - plcc) / 2.0, min=0.0)
