"""A contact sheet of every fault at rising severity, to see whether it looks like the real thing.

Faults of a frame are shown as a crop at native pixels from the middle of the clip; faults of time
as a film strip above a slice through time (a band of rows of every frame, time downwards).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations import codecs
from finevq.datasets.degradations.applying import apply_chain
from finevq.datasets.degradations.chain import PlannedFault, needs_margin
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.degradations.temporal import SHAKE_MARGIN
from finevq.vocabulary import ALL_ATTRIBUTES, Dimension, dimension_of

_CELL_WIDTH, _CELL_HEIGHT, _NAME_WIDTH, _TITLE_HEIGHT = 256, 176, 176, 28
_STRIP_FRAMES = 5

SHEET_SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)


def contact_sheet(
    footage: Footage,
    *,
    attributes: Sequence[str] = ALL_ATTRIBUTES,
    severities: Sequence[float] = SHEET_SEVERITIES,
    variants: int = 1,
    seed: int = 0,
) -> npt.NDArray[np.uint8]:
    """Draw the sheet: a row for each attribute and variant, a column for each severity.

    Args:
        footage: Clean frames with `SHAKE_MARGIN` around them.
        attributes: Which rows.
        severities: Which columns.
        variants: Rows of one attribute, each with other random choices.
        seed: Of the first variant.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    titles = [
        _label(f"severity {severity:g}", _CELL_WIDTH, _TITLE_HEIGHT) for severity in severities
    ]
    rows = [np.hstack([_label("", _NAME_WIDTH, _TITLE_HEIGHT), *titles])]
    for attribute in attributes:
        for variant in range(variants):
            cells = [
                _cell(footage, PlannedFault(attribute, severity, seed + variant))
                for severity in severities
            ]
            name = cells[0][1]
            rows.append(
                np.hstack([_label(name, _NAME_WIDTH, _CELL_HEIGHT), *(cell for cell, _ in cells)])
            )
    return np.vstack(rows)


def _cell(footage: Footage, fault: PlannedFault) -> tuple[npt.NDArray[np.uint8], str]:
    chain = (fault,)
    copy = Footage(footage.frames.copy(), footage.fps)
    if not needs_margin(chain):
        trim_y, trim_x = (
            round(side * (1 - 1 / (1 + 2 * SHAKE_MARGIN)) / 4) * 2
            for side in (footage.height, footage.width)
        )
        inner = copy.frames[:, trim_y : footage.height - trim_y, trim_x : footage.width - trim_x]
        copy = Footage(np.ascontiguousarray(inner), footage.fps)
    result = apply_chain(copy, chain)
    frames = codecs.decode(result.data, (result.width, result.height))
    details = "; ".join(f"{k} {v}" for k, v in result.faults[0].parameters.items() if k == "kind")
    name = f"{fault.attribute}|{details}"
    if dimension_of(fault.attribute) is Dimension.TEMPORAL:
        return _bordered(_strip(frames)), name
    middle = frames[len(frames) // 2]
    top = max(0, (result.height - _CELL_HEIGHT) // 2)
    left = max(0, (result.width - _CELL_WIDTH) // 2)
    crop = middle[top : top + _CELL_HEIGHT, left : left + _CELL_WIDTH]
    return _bordered(np.ascontiguousarray(crop)), name


def _strip(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return thumbnails of neighbouring frames above one band of rows over time."""
    thumb = (_CELL_WIDTH // _STRIP_FRAMES, 40)
    first = len(frames) // 3
    shown = [
        cv2.resize(frames[min(first + 2 * k, len(frames) - 1)], thumb, interpolation=cv2.INTER_AREA)
        for k in range(_STRIP_FRAMES)
    ]
    strip = np.hstack(shown)
    strip = cv2.copyMakeBorder(
        strip, 0, 0, 0, _CELL_WIDTH - strip.shape[1], cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    size = (_CELL_WIDTH, _CELL_HEIGHT - thumb[1])
    left = max(0, (frames.shape[2] - _CELL_WIDTH) // 2)
    # The mean of a band of rows: a single row would jump to other texture with every tilt.
    middle, half = frames.shape[1] // 2, max(1, frames.shape[1] // 20)
    band = frames[:, middle - half : middle + half, left : left + _CELL_WIDTH]
    through_time = band.mean(axis=1).astype(np.uint8)
    slice_ = cv2.resize(through_time, size, interpolation=cv2.INTER_NEAREST)
    return np.vstack([strip, slice_])


def _bordered(cell: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    bordered = cv2.copyMakeBorder(
        cell[:_CELL_HEIGHT, :_CELL_WIDTH],
        0,
        max(0, _CELL_HEIGHT - cell.shape[0]),
        0,
        max(0, _CELL_WIDTH - cell.shape[1]),
        cv2.BORDER_CONSTANT,
        value=(40, 40, 40),
    )
    bordered[-1], bordered[:, -1] = 255, 255
    return np.asarray(bordered, np.uint8)


def _label(text: str, width: int, height: int) -> npt.NDArray[np.uint8]:
    label = np.full((height, width, 3), 255, np.uint8)
    for number, line in enumerate(text.split("|")):
        cv2.putText(
            label,
            line,
            (6, 20 + 20 * number),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.46 if number == 0 else 0.4,
            (0, 0, 0) if number == 0 else (110, 110, 110),
            1,
            cv2.LINE_AA,
        )
    return label
