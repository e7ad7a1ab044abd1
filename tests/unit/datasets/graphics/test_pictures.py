"""Drawn sources: each kind of picture, the same for the same seed, sharp, and kept when resumed."""

import cv2
import numpy as np
import pytest

from finevq.datasets.graphics import pictures
from finevq.datasets.graphics.pictures import KINDS, draw_picture, write_pictures
from finevq.datasets.sources import find_sources


@pytest.mark.parametrize("index", range(len(KINDS)), ids=list(KINDS))
def test_every_kind_draws_a_picture_with_sharp_edges(index):
    picture = draw_picture(1, index, 320, 180)
    assert picture.shape == (180, 320, 3)
    assert picture.dtype == np.uint8
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    softened = cv2.GaussianBlur(luma, (0, 0), 2.0)
    # A flawless picture has edges that a blur takes from it.
    assert np.abs(luma - softened).max() > 10


def test_the_same_number_gives_the_same_picture_and_another_gives_another():
    assert np.array_equal(draw_picture(3, 0, 160, 90), draw_picture(3, 0, 160, 90))
    assert not np.array_equal(draw_picture(3, 0, 160, 90), draw_picture(4, 0, 160, 90))
    assert not np.array_equal(draw_picture(3, 0, 160, 90), draw_picture(3, len(KINDS), 160, 90))


def test_pictures_that_are_there_are_kept_and_all_are_sources(tmp_path):
    folder = tmp_path / "drawn"
    counts = []
    first = write_pictures(folder, 2, seed=5)
    before = [path.stat().st_mtime_ns for path in first]
    (folder / ".torn.png.1.part").write_bytes(b"of a run that was killed")
    paths = write_pictures(folder, 3, seed=5, on_progress=counts.append)
    assert counts == [3]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert [path.stat().st_mtime_ns for path in paths[:2]] == before
    assert [cv2.imread(str(path)).shape for path in paths] == [
        (pictures.HEIGHT, pictures.WIDTH, 3)
    ] * 3
    found = find_sources([folder], with_scikit_image=False)
    assert [source.path for source in found] == sorted(paths)
    assert all(source.quality == 1.0 for source in found)
