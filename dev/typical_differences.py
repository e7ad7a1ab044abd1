"""Measure how much faults change a typical photograph: the tables `typical` of `visibility`.

    python dev/typical_differences.py PHOTOGRAPHS

PHOTOGRAPHS is a folder, as `finevq data fetch-wallpapers` makes it; 48 of them are drawn, shrunk to
480 lines, and changed by each fault at four severities. Printed are medians of the root mean square
difference, in code values.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from finevq.datasets.degradations.catalogue import FAULTS, PixelFault
from finevq.datasets.degradations.footage import Footage, Frames
from finevq.datasets.degradations.visibility import difference
from finevq.datasets.sources import PHOTO_SUFFIXES

ATTRIBUTES = ("high saturation", "ringing", "moire", "other artifact")
SEVERITIES = (0.25, 0.5, 0.75, 1.0)
NUM_PHOTOGRAPHS = 48
NUM_DRAWS = 4
"""Of each fault on each photograph: a fault with several kinds draws one."""
SHORT_SIDE = 480


def main() -> None:
    """Print a line for each kind of fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", type=Path)
    folder = parser.parse_args().photographs
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    chosen = np.random.default_rng(0).choice(len(paths), NUM_PHOTOGRAPHS, replace=False)
    differences: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for index in chosen.tolist():
        frames = panned(cv2.imread(str(paths[index]))[..., ::-1])
        for attribute in ATTRIBUTES:
            fault = FAULTS[attribute]
            assert isinstance(fault, PixelFault)
            for severity in SEVERITIES:
                for draw in range(NUM_DRAWS):
                    rng = np.random.default_rng([index, draw])
                    outcome = fault.apply(Footage(frames.copy(), 25.0), severity, rng)
                    kind = attribute, str(outcome.parameters.get("kind", ""))
                    differences[kind][severity].append(difference(frames[1], outcome.footage))
    for (attribute, kind), by_severity in sorted(differences.items()):
        medians = ", ".join(f"{np.median(by_severity[severity]):.1f}" for severity in SEVERITIES)
        print(f"{attribute} {kind}: 0.0, {medians}")


def panned(photograph: Frames) -> Frames:
    """Return three frames (3, H, W, 3) of a slow pan."""
    scale = SHORT_SIDE / min(photograph.shape[:2])
    height, width = (round(side * scale / 2) * 2 for side in photograph.shape[:2])
    small = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    return np.stack([small[:, 2 * step : width - 6 + 2 * step] for step in range(3)])


if __name__ == "__main__":
    main()
