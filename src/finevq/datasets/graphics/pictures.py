"""Draws numbered pictures into a folder: which kind, and what is in it, follows from the seed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from finevq.datasets.graphics.canvas import Picture
from finevq.datasets.graphics.rendered import draw_game, draw_spheres
from finevq.datasets.graphics.scenes import draw_figures, draw_hills, draw_street
from finevq.datasets.graphics.screens import (
    draw_desktop,
    draw_document,
    draw_editor,
    draw_slide,
)
from finevq.datasets.graphics.visuals import (
    draw_equalizer,
    draw_particles,
    draw_title,
    draw_triangles,
)
from finevq.datasets.sources import DRAWING_SUFFIX
from finevq.datasets.whole_files import remove_torn, write_whole
from finevq.datasets.worker_pool import open_pool

_Drawer: TypeAlias = Callable[[np.random.Generator, int, int], Picture]

KINDS: Mapping[str, _Drawer] = {
    "hills": draw_hills,
    "street": draw_street,
    "figures": draw_figures,
    "desktop": draw_desktop,
    "editor": draw_editor,
    "slide": draw_slide,
    "document": draw_document,
    "equalizer": draw_equalizer,
    "title": draw_title,
    "particles": draw_particles,
    "triangles": draw_triangles,
    "spheres": draw_spheres,
    "game": draw_game,
}
"""What is drawn; pictures take turns."""

WIDTH, HEIGHT = 1920, 1080
"""Pixels; room for a camera that moves over it in 720p."""


def draw_picture(seed: int, index: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Draw picture number `index` of a seed.

    Returns:
        (height, width, 3) uint8 RGB; the same for the same arguments (other versions of Pillow may
        set letters a little differently).
    """
    drawer = list(KINDS.values())[index % len(KINDS)]
    return drawer(np.random.default_rng([seed, index]), width, height)


def write_pictures(
    folder: Path,
    count: int,
    seed: int = 0,
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draw pictures 0 to count - 1 as PNG; those that are there already are kept.

    Args:
        folder: Created where it does not exist.
        count: How many.
        seed: Part of the file names, so that seeds do not mix.
        workers: Processes.
        on_progress: Called with the number of pictures that are there.

    Returns:
        All files, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_torn(folder)
    names = list(KINDS)
    paths = [
        folder / f"{names[index % len(names)]}-{seed}-{index:04d}{DRAWING_SUFFIX}"
        for index in range(count)
    ]
    todo = [index for index, path in enumerate(paths) if not path.is_file()]
    done = count - len(todo)
    with open_pool(workers) as pool:
        tasks = [pool.submit(_write, paths[index], seed, index) for index in todo]
        for task in tasks:
            task.result()
            done += 1
            if on_progress:
                on_progress(done)
    return paths


def _write(path: Path, seed: int, index: int) -> None:
    cv2.setNumThreads(1)
    picture = draw_picture(seed, index)
    is_written, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert is_written
    write_whole(path, data.tobytes())
