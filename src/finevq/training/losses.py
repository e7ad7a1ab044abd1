"""What training minimises."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from finevq.training.batches import IGNORED

_SCORE_UNIT = 13.0
"""Standard deviation of FineVD's MOS: scores are compared in its units."""

_CLEAR_DIFFERENCE = 3.0
"""Points of MOS from which an order counts as learnt."""

_SEVERITY_WEIGHT = 5.0
"""Severities lie in 0..1 and most are 0, so their errors are small beside those of scores."""


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of answer tokens.

    Args:
        logits: (B, L, vocabulary).
        labels: (B, L), IGNORED where nothing is learnt.
    """
    learnt = labels != IGNORED
    return functional.cross_entropy(logits[learnt], labels[learnt])


def belief_loss(yes: Tensor, no: Tensor, beliefs: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted cross-entropy of yes/no answers against shares of people; 0 without any.

    Args:
        yes: (Y,) log-likelihoods of the answer yes.
        no: (Y,) those of the answer no.
        beliefs: (Y,), share of people who would say yes, 0..1.
        weights: (Y,).
    """
    if not len(beliefs):
        return yes.sum() * 0.0
    losses = -(beliefs * yes + (1.0 - beliefs) * no)
    return (weights * losses).sum() / weights.sum()


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


def score_errors(
    predicted: Tensor, target: Tensor, *, kind: Literal["l1", "huber"], delta: float = 0.05
) -> Tensor:
    """Return the error of each score.

    Args:
        predicted: (R,), 0..1 of the scale.
        target: (R,), 0..1 of the scale.
        kind: l1, as the official code has it; huber: squared near the target.
        delta: huber only: where the two meet.

    Returns:
        (R,).
    """
    if kind == "l1":
        return (predicted - target).abs()
    return functional.smooth_l1_loss(predicted, target, beta=delta, reduction="none")


def rank_loss(
    predicted: Tensor, target: Tensor, groups: Sequence[object], *, temperature: float
) -> Tensor:
    """Return the mean logistic loss over pairs of one group whose targets differ; 0 without pairs.

    Source: Burges et al., Learning to Rank using Gradient Descent (ICML 2005), with certain pairs.

    Args:
        predicted: (R,), 0..1 of the scale.
        target: (R,), 0..1 of the scale.
        groups: (R,): only scores of one group (a dimension) are compared.
        temperature: Difference that counts as clear.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group = torch.tensor([numbers[item] for item in groups], device=predicted.device)
    is_pair = (group[:, None] == group) & (target[:, None] > target + 1e-6)  # first is better
    better, worse = is_pair.nonzero(as_tuple=True)
    if not len(better):
        return predicted.sum() * 0.0
    return functional.softplus((predicted[worse] - predicted[better]) / temperature).mean()


def order_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Return the mean logistic loss of certain orders; 0 without pairs.

    Source: as for `rank_loss`.

    Args:
        better: (P,), MOS scale.
        worse: (P,), MOS scale: what should be lower.
    """
    if not len(better):
        return better.sum() * 0.0
    return functional.softplus((worse - better) / _CLEAR_DIFFERENCE).mean()


def known_fault_loss(scores: Tensor, mos: Tensor, severities: Tensor, known: Tensor) -> Tensor:
    """Return the loss of a reader of degraded samples: scores, their order, severities.

    Args:
        scores: (B, dimensions), MOS scale.
        mos: (B, dimensions), MOS scale.
        severities: (B, faults), as read.
        known: (B, faults), 0..1.
    """
    order = [correlation_loss(scores[:, i], mos[:, i]) for i in range(mos.shape[1])]
    severity = functional.smooth_l1_loss(severities, known, beta=0.1)
    return score_loss(scores, mos) + torch.stack(order).mean() + _SEVERITY_WEIGHT * severity


def opinion_loss(overall: Tensor, opinions: Tensor) -> Tensor:
    """Return the loss of people's overall: its value and its order.

    Args:
        overall: (B,), MOS scale.
        opinions: (B,), MOS scale.
    """
    return score_loss(overall, opinions) + correlation_loss(overall, opinions)
