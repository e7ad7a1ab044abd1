"""How much of a fault its content shows.

A halo needs an edge, a ghost something that it can double, displaced colors need color. Such faults
add to a picture what is in it already, so at the same strength they may ruin one picture and leave
another as it was. Faults that take away are not weighed so: a soft picture is soft, however little
there was to lose.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Footage

_Frame: TypeAlias = npt.NDArray[np.uint8]
_LEAST = 0.05


def middle_frame(footage: Footage) -> _Frame:
    """Return a copy (H, W, 3) of the frame by which it is judged what a fault changes."""
    frame: _Frame = footage.frames[len(footage.frames) // 2]
    return frame.copy()


def difference(before: _Frame, after: Footage) -> float:
    """Return the root mean square difference, in code values, of the middle frame.

    Args:
        before: `middle_frame` before the fault.
        after: The same footage with the fault.
    """
    change = after.frames[len(after.frames) // 2].astype(np.float32) - before
    return float(np.sqrt(np.mean(change**2)))


def visibility(before: _Frame, after: Footage, severity: float, typical: Sequence[float]) -> float:
    """Return the share of a severity that a content shows, .05..1.

    That is the severity at which the fault changes a typical photograph as much as it changed this
    content, as a share of the planned one. A content that shows more than that has no larger share.

    Args:
        before: `middle_frame` before the fault.
        after: The same footage with the fault.
        severity: The planned one, 0..1.
        typical: `difference` that the fault makes in a typical photograph at severity 0, 1/4, 1/2,
            3/4 and 1; `dev/typical_differences.py` measures it.

    >>> flat = np.full((8, 8, 3), 90, np.uint8)
    >>> visibility(flat, Footage(flat[None] + np.uint8(5), 25.0), 0.5, (0, 5, 10, 20, 40))
    0.5
    """
    if severity <= 0:
        return 1.0
    seen = float(np.interp(difference(before, after), typical, np.linspace(0.0, 1.0, len(typical))))
    return float(np.clip(seen / severity, _LEAST, 1.0))
