"""Scores as in use: each is read by itself, and then they are joined.

Overall falls where another dimension is clearly bad. What people said of photographs teaches
overall, and few photographs are ruined: a straight reading of them stays too high for what is. So
what the five other scores lack to a bound takes a share of overall. Above the bound, where opinions
know better, nothing changes.

A dimension without a fault of its own falls a little with the worst one, as people's ratings do. A
score head sees that, but with an error as large as the effect: the other scores tell it better.

The model says a level word where its score head reads the score. Where more than the head has a say
in the score, the word would contradict it: so the levels move by as much as the score did.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finevq.model.config import FaultFallConfig, HaloConfig
from finevq.prompts import questions
from finevq.prompts.questions import Question
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension

_OVERALL = questions.rating(Dimension.OVERALL)
_OTHERS = tuple(questions.rating(dimension) for dimension in FAULT_DIMENSIONS)


def with_needed_ratings(
    asked: Sequence[Question], fall: FaultFallConfig, halo: HaloConfig
) -> list[Question]:
    """Return questions, and after them the ratings that joining those among them needs."""
    is_joined = (fall.halving and _OVERALL in asked) or (
        halo.share and any(rating in asked for rating in _with_halo(halo))
    )
    if not is_joined:
        return list(asked)
    return [*asked, *(rating for rating in _OTHERS if rating not in asked)]


def join_scores(
    scores: NDArray[np.float64],
    asked: Sequence[Question],
    fall: FaultFallConfig,
    halo: HaloConfig,
) -> None:
    """Join scores in place: all of them by what each is alone.

    Args:
        scores: (..., Q), MOS; those of ratings count.
        asked: Q questions, from `with_needed_ratings`.
        fall: How overall falls by the others.
        halo: How the others fall by the worst of them.
    """
    alone = scores.copy()
    if fall.halving and _OVERALL in asked:
        _lower_overall(scores, alone, asked, fall)
    if halo.share:
        _cast_halo(scores, alone, asked, halo)


def _lower_overall(
    scores: NDArray[np.float64],
    alone: NDArray[np.float64],
    asked: Sequence[Question],
    config: FaultFallConfig,
) -> None:
    lacking = np.maximum(config.below - _others(alone, asked), 0.0).sum(axis=-1)
    overall = alone[..., asked.index(_OVERALL)]
    above = np.maximum(overall - config.ruined, 0.0)
    scores[..., asked.index(_OVERALL)] -= above * (1.0 - 0.5 ** (lacking / config.halving))


def _cast_halo(
    scores: NDArray[np.float64],
    alone: NDArray[np.float64],
    asked: Sequence[Question],
    config: HaloConfig,
) -> None:
    falling = [asked.index(rating) for rating in _with_halo(config) if rating in asked]
    if not falling:
        return
    of_worst = np.maximum(config.clean - _others(alone, asked), 0.0).max(axis=-1)
    own = alone[..., falling]
    is_faultless = np.clip((own - config.faulty) / (config.faultless - config.faulty), 0.0, 1.0)
    returned = (1.0 - config.trust) * (config.clean - own)
    scores[..., falling] += is_faultless * (returned - config.share * of_worst[..., None])


def _others(scores: NDArray[np.float64], asked: Sequence[Question]) -> NDArray[np.float64]:
    """Return the scores (..., 5) of all dimensions but overall."""
    others: NDArray[np.float64] = scores[..., [asked.index(rating) for rating in _OTHERS]]
    return others


def _with_halo(config: HaloConfig) -> list[Question]:
    return [questions.rating(Dimension(name)) for name in config.dimensions]


def moved_levels(
    probabilities: NDArray[np.float64], points: NDArray[np.float64], span: tuple[float, float]
) -> NDArray[np.float64]:
    """Move the probabilities of levels as the score was moved.

    Each level's probability is spread evenly over its fifth of the scale, and what a level then
    covers is counted again; beyond the ends it stays in the end's level.

    Args:
        probabilities: (N, levels), worst first; rows sum to 1.
        points: (N,), MOS; how much higher the score became.
        span: Ends of the scale of levels.

    Returns:
        (N, levels).

    >>> moved_levels(np.array([[0.0, 1.0, 0.0, 0.0, 0.0]]), np.array([5.0]), (0.0, 100.0))
    array([[0.  , 0.75, 0.25, 0.  , 0.  ]])
    """
    count = probabilities.shape[1]
    ends = np.arange(count + 1.0)
    # What stands below an end of a level now stood so much lower before.
    before = ends[None, 1:-1] - points[:, None] * count / (span[1] - span[0])
    below = np.hstack([np.zeros((len(points), 1)), np.cumsum(probabilities, axis=1)])
    rows = zip(before, below, strict=True)
    inner = np.array([np.interp(wanted, ends, known) for wanted, known in rows])
    whole = np.hstack([below[:, :1], inner, below[:, -1:]])
    moved: NDArray[np.float64] = np.diff(whole, axis=1)
    return moved
