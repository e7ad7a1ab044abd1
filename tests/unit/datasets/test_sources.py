"""Finding, rating, splitting and reading sources; fetching wallpapers."""

import subprocess

import cv2
import numpy as np
import pytest

from finevq.datasets import wallpapers
from finevq.datasets.degradations.codecs import Encoding, encode
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.sources import (
    SourceKind,
    find_sources,
    probe_clip,
    read_photo,
    read_window,
    scikit_image_sources,
    source_shares,
    split_of,
)
from finevq.errors import DatasetError, VideoDecodeError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(8):
        picture = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"p{index}.png"), picture)
    frames = np.repeat(np.arange(0, 250, 10, dtype=np.uint8), 64 * 96 * 3).reshape(25, 64, 96, 3)
    clip = encode(Footage(frames, 25.0), Encoding(codec="libx264", quality=4))
    (folder / "deep/clip.mp4").write_bytes(clip)
    (folder / "notes.txt").write_text("no source")
    return folder


def test_photos_and_clips_are_found_by_name_in_order(folder):
    found = find_sources([folder], with_scikit_image=False)
    assert [s.name for s in found][:2] == ["mine/deep/clip.mp4", "mine/p0.png"]
    assert found[0].kind is SourceKind.CLIP
    assert len(found) == 9


def test_patterns_leave_sources_out(folder):
    found = find_sources([folder], exclude=["p[0-6]*", "*.mp4"], with_scikit_image=False)
    assert [s.name for s in found] == ["mine/p7.png"]


def test_only_the_better_share_of_scored_sources_is_kept(folder):
    table = folder.parent / "mos.csv"
    table.write_text("image,mos\n" + "".join(f"p{i}.png,{10 * i}\n" for i in range(8)))
    found = find_sources([folder], mos_csv=table, keep_share=0.5, with_scikit_image=False)
    rated = [s for s in found if s.is_rated]
    assert [s.path.name for s in rated] == ["p4.png", "p5.png", "p6.png", "p7.png"]
    assert [s.quality for s in rated] == sorted(s.quality for s in rated)
    assert not next(s for s in found if s.kind is SourceKind.CLIP).is_rated


def test_a_table_without_scores_is_refused(folder):
    table = folder.parent / "mos.csv"
    table.write_text("image,stars\np0.png,3\n")
    with pytest.raises(DatasetError, match="column mos"):
        find_sources([folder], mos_csv=table)


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not a folder"):
        find_sources([tmp_path / "nowhere"])
    with pytest.raises(DatasetError, match="no photograph"):
        find_sources([tmp_path], with_scikit_image=False)


def test_a_split_depends_on_the_name_alone():
    splits = [split_of(f"folder/{index}.jpg") for index in range(2000)]
    assert splits == [split_of(f"folder/{index}.jpg") for index in range(2000)]
    assert splits.count("train") / 2000 == pytest.approx(0.8, abs=0.04)
    assert splits.count("test") / 2000 == pytest.approx(0.1, abs=0.03)


def test_a_small_folder_is_not_drowned_by_a_large_one(folder):
    small = [s for s in find_sources([folder], with_scikit_image=False)]
    shares = source_shares(small)
    assert float(shares.sum()) == pytest.approx(1.0)


def test_the_free_photographs_of_scikit_image_are_there_and_color():
    found = scikit_image_sources()
    assert len(found) == 4
    for source in found:
        picture = read_photo(source.path)
        assert (picture[..., 0] != picture[..., 2]).any()


def test_a_window_of_a_clip_starts_where_asked(folder):
    facts = probe_clip(folder / "deep/clip.mp4")
    assert (facts.width, facts.height, facts.fps) == (96, 64, 25.0)
    frames = read_window(folder / "deep/clip.mp4", 0.4, 5, (48, 32))
    assert frames.shape == (5, 32, 48, 3)
    assert frames[:, 16, 24, 0] == pytest.approx([100, 110, 120, 130, 140], abs=4)


def test_broken_files_are_named(tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video")
    with pytest.raises(VideoDecodeError, match=r"bad\.mp4"):
        probe_clip(bad)
    with pytest.raises(VideoDecodeError, match=r"bad\.mp4"):
        read_photo(bad)


def test_fetching_wallpapers_keeps_what_is_there_and_explains_what_is_not(tmp_path, monkeypatch):
    def fails(command, **_):
        raise subprocess.CalledProcessError(100, command, stderr=b"E: Unable to locate package")

    monkeypatch.setattr(wallpapers.subprocess, "run", fails)
    with pytest.raises(DatasetError, match="any other folder of photographs"):
        wallpapers.fetch_wallpapers(tmp_path / "w")
    (tmp_path / "w/Dune.jpg").write_bytes(b"x")
    assert wallpapers.fetch_wallpapers(tmp_path / "w") == [tmp_path / "w/Dune.jpg"]
    assert wallpapers.fetch_wallpapers(tmp_path / "w", offline=True) == [tmp_path / "w/Dune.jpg"]


def test_scored_sources_of_other_folds_are_left_out(folder, tmp_path):
    names = sorted(path.name for path in folder.iterdir() if path.suffix == ".png")
    table = tmp_path / "mos.csv"
    table.write_text(
        "image,mos\n" + "".join(f"{name},{index}\n" for index, name in enumerate(names))
    )

    def found(folds):
        sources = find_sources(
            [folder], mos_csv=table, keep_share=1.0, rated_folds=folds, with_scikit_image=False
        )
        return {source.path.name for source in sources if source.is_rated}

    parts = [found({fold}) for fold in range(5)]
    assert set().union(*parts) == found(None) == set(names)
    assert sum(map(len, parts)) == len(names)
