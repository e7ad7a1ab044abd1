import logging
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from finevq.errors import InvalidInputError, VideoDecodeError
from finevq.records import VideoInputConfig
from finevq.settings import Settings
from finevq.training.decoded_cache import DecodedCache
from finevq.video.inputs import Pixels

CONFIG = VideoInputConfig(
    num_frames=2, views=("whole",), view_sizes=(32,), motion="bursts", motion_size=16
)
SAMPLE = Path(__file__).parents[3] / "examples/media/sample.mp4"
HERE = Settings(isolate_decoder=False)


def _cache(folder: Path, max_bytes: int = 2**30, config: VideoInputConfig = CONFIG) -> DecodedCache:
    return DecodedCache(folder, config, HERE, max_bytes)


def _same(first: Pixels, second: Pixels) -> bool:
    return (
        all(map(np.array_equal, first.views, second.views))
        and np.array_equal(first.motion, second.motion)
        and (first.start_seconds, first.end_seconds) == (second.start_seconds, second.end_seconds)
    )


def _forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("finevq.training.decoded_cache.decode_video", decode)


def _load_in_child(folder: Path, path: Path) -> None:
    _cache(folder).load(path)


def test_a_video_is_decoded_once_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cache = _cache(tmp_path / "kept")
    first = cache.load(SAMPLE)
    assert first.views[0].shape == (2, 32, 32, 3)
    _forbid_decoding(monkeypatch)
    copy = tmp_path / "renamed.mp4"
    shutil.copyfile(SAMPLE, copy)
    assert _same(cache.load(copy), first)
    assert _same(_cache(tmp_path / "kept").load(copy), first)


def test_another_sampling_or_another_content_is_another_entry(tmp_path: Path):
    cache = _cache(tmp_path)
    wider = VideoInputConfig(num_frames=3, views=("whole",), view_sizes=(32,), motion="none")
    assert cache.entry_of(SAMPLE) != _cache(tmp_path, config=wider).entry_of(SAMPLE)
    edited = tmp_path / "edited.mp4"
    content = bytearray(SAMPLE.read_bytes())
    content[-1] ^= 1
    edited.write_bytes(content)
    assert cache.entry_of(SAMPLE) != cache.entry_of(edited)


@pytest.mark.parametrize("damage", ["one bit", "cut short", "empty", "another archive"])
def test_a_damaged_entry_is_noticed_and_made_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
):
    cache = _cache(tmp_path)
    first = cache.load(SAMPLE)
    entry = cache.entry_of(SAMPLE)
    content = bytearray(entry.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 8
        entry.write_bytes(content)
    elif damage == "cut short":
        entry.write_bytes(content[:1000])
    elif damage == "empty":
        entry.write_bytes(b"")
    else:
        np.savez(entry, motion=np.zeros(3))
    assert _same(cache.load(SAMPLE), first)
    assert "is damaged and will be made again" in caplog.text
    caplog.clear()
    assert _same(cache.load(SAMPLE), first)
    assert not caplog.text


def test_old_entries_make_room_and_those_of_this_run_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    videos = []
    for number in range(3):
        video = tmp_path / f"{number}.mp4"
        video.write_bytes(SAMPLE.read_bytes() + bytes(number))  # the same pictures, other content
        videos.append(video)
    earlier = _cache(tmp_path / "kept")
    earlier.load(videos[0])
    size = earlier.num_bytes()
    os.utime(earlier.entry_of(videos[0]), (0, 0))
    cache = _cache(tmp_path / "kept", max_bytes=int(1.5 * size))
    cache.load(videos[1])
    assert not cache.entry_of(videos[0]).exists()
    assert cache.entry_of(videos[1]).exists()
    cache.load(videos[2])
    cache.load(videos[0])
    assert not cache.entry_of(videos[2]).exists()
    assert cache.num_bytes() <= 1.5 * size
    assert caplog.text.count("Raise the limit of the cache") == 1


def test_what_is_read_again_counts_as_used(tmp_path: Path):
    cache = _cache(tmp_path)
    cache.load(SAMPLE)
    entry = cache.entry_of(SAMPLE)
    os.utime(entry, (0, 0))
    _cache(tmp_path).load(SAMPLE)
    assert time.time() - entry.stat().st_mtime < 3600


def test_without_room_nothing_is_kept_and_files_of_dead_processes_go(tmp_path: Path):
    left = tmp_path / "x.123.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    cache = _cache(tmp_path, max_bytes=0)
    cache.load(SAMPLE)
    assert cache.num_bytes() == 0
    assert not left.exists()


def test_a_bad_video_says_what_is_wrong(tmp_path: Path):
    (tmp_path / "bad.mp4").write_text("no video")
    with pytest.raises(VideoDecodeError, match="text file"):
        _cache(tmp_path).load(tmp_path / "bad.mp4")
    with pytest.raises((InvalidInputError, VideoDecodeError), match=r"gone\.mp4"):
        _cache(tmp_path).load(tmp_path / "gone.mp4")


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", refuse)
    with caplog.at_level(logging.WARNING):
        assert _cache(tmp_path).load(SAMPLE).views
    assert "No space left on device" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
def test_several_processes_share_a_folder(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_load_in_child, args=(tmp_path, SAMPLE)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 1
    assert _same(_cache(tmp_path).load(SAMPLE), _cache(tmp_path / "other").load(SAMPLE))
