"""Overall as in use: it falls where another dimension is clearly bad, and its level follows.

What people said of photographs teaches overall, and few photographs are ruined: a straight reading
of them stays too high for what is. So what the five other scores lack to a bound takes a share of
overall. Above the bound, where opinions know better, nothing changes.

The model says a level word where its score head reads the score. Where more than the head has a say
in the score, the word would contradict it: so the levels move by as much as the score did.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finevq.model.config import FaultFallConfig
from finevq.prompts import questions
from finevq.prompts.questions import Question
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension

_OVERALL = questions.rating(Dimension.OVERALL)
_OTHERS = tuple(questions.rating(dimension) for dimension in FAULT_DIMENSIONS)


def with_needed_ratings(asked: Sequence[Question], config: FaultFallConfig) -> list[Question]:
    """Return questions, and after them the ratings that a rating of overall among them needs."""
    if not config.halving or _OVERALL not in asked:
        return list(asked)
    return [*asked, *(rating for rating in _OTHERS if rating not in asked)]


def lower_overall(
    scores: NDArray[np.float64], asked: Sequence[Question], config: FaultFallConfig
) -> None:
    """Lower overall in place, where it is among what was asked.

    Args:
        scores: (..., Q), MOS; those of ratings count.
        asked: Q questions, from `with_needed_ratings`.
        config: The model's.
    """
    if not config.halving or _OVERALL not in asked:
        return
    others = scores[..., [asked.index(rating) for rating in _OTHERS]]
    lacking = np.maximum(config.below - others, 0.0).sum(axis=-1)
    overall = scores[..., asked.index(_OVERALL)]
    above = np.maximum(overall - config.ruined, 0.0)
    scores[..., asked.index(_OVERALL)] -= above * (1.0 - 0.5 ** (lacking / config.halving))


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
