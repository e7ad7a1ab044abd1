"""A decoder that crashes or hangs costs its own video, nothing else."""

import os
import signal
import time

import numpy as np
import pytest

from finevq.errors import InvalidInputError, VideoDecodeError
from finevq.settings import Settings
from finevq.video import isolation
from finevq.video.decode import DecodedVideo
from finevq.video.isolation import DecoderPool
from finevq.video.transforms import Squash, Whole

from .conftest import NUM_FRAMES, numbers_of, read

pytestmark = pytest.mark.full


class Every:
    """Pick all frames; misbehave on the way if told so."""

    def __init__(self, fault=""):
        self.fault = fault

    def __call__(self, table):
        if self.fault == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.fault == "hang":
            time.sleep(600)
        if self.fault == "error":
            raise KeyError("no such stream")
        return {"a": np.arange(len(table))}


@pytest.fixture
def importable(monkeypatch):
    """Let the worker import this module under a name of its own."""
    import sys
    from pathlib import Path

    here = Path(__file__)
    monkeypatch.syspath_prepend(str(here.parents[3]))
    assert sys.path[0] == str(here.parents[3])


@pytest.fixture
def clip(counting):
    return counting("h264.mp4", "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "12")


@pytest.mark.usefixtures("importable")
class TestPool:
    def test_a_worker_gives_the_same_as_this_process(self, clip):
        with DecoderPool() as pool:
            video = pool.decode(clip, sampler=Every(), transforms={"a": Squash(40)})
        expected = read(clip, transform=Squash(40))
        np.testing.assert_array_equal(video.arrays["a"], expected.arrays["a"])
        assert video.media == expected.media
        video.arrays["a"][0] = 0  # a copy of one's own, to be changed at will

    def test_a_crash_is_named_and_the_next_video_is_read(self, clip):
        with DecoderPool() as pool:
            with pytest.raises(VideoDecodeError, match="crashed \\(signal SIGSEGV\\)") as caught:
                pool.decode(clip, sampler=Every("crash"), transforms={"a": Whole()})
            assert str(clip) in str(caught.value)
            video = pool.decode(clip, sampler=Every(), transforms={"a": Whole()})
        assert numbers_of(video.arrays["a"]) == list(range(NUM_FRAMES))

    def test_a_hang_is_ended(self, clip, monkeypatch):
        with DecoderPool(settings=Settings(decode_timeout_seconds=100)) as pool:
            pool.decode(clip, sampler=Every(), transforms={"a": Whole()})  # a warm worker
            monkeypatch.setattr(isolation, "GRACE_SECONDS", -98.0)
            with pytest.raises(VideoDecodeError, match="hung and was stopped after 2 s"):
                pool.decode(clip, sampler=Every("hang"), transforms={"a": Whole()})
            monkeypatch.setattr(isolation, "GRACE_SECONDS", 5.0)
            again = pool.decode(clip, sampler=Every(), transforms={"a": Whole()})
        assert numbers_of(again.arrays["a"]) == list(range(NUM_FRAMES))

    def test_errors_arrive_as_themselves_with_the_name_given(self, clip, monkeypatch):
        monkeypatch.chdir(clip.parent)
        with DecoderPool() as pool:
            with pytest.raises(InvalidInputError, match=r"^nothing\.mp4: cannot be read"):
                pool.decode("nothing.mp4", sampler=Every(), transforms={"a": Whole()})
            with pytest.raises(KeyError, match="no such stream"):
                pool.decode(clip, sampler=Every("error"), transforms={"a": Whole()})

    def test_many_come_in_order_and_a_bad_one_is_its_error(self, clip, tmp_path):
        bad = tmp_path / "bad.mp4"
        bad.write_text("not a video")
        with DecoderPool(num_workers=2) as pool:
            paths = [clip, bad, clip, tmp_path / "missing.mp4"]
            got = list(pool.decode_many(paths, sampler=Every(), transforms={"a": Squash(8)}))
        kinds = [type(one) for one in got]
        assert kinds == [DecodedVideo, VideoDecodeError, DecodedVideo, InvalidInputError]

    def test_a_sampler_that_cannot_travel_fails_here(self, clip):
        with DecoderPool() as pool, pytest.raises((AttributeError, TypeError, Exception)) as caught:
            pool.decode(clip, sampler=lambda _: {}, transforms={})
        assert "lambda" in str(caught.value) or "pickle" in str(caught.value).lower()

    def test_workers_are_used_again_and_end_with_the_pool(self, clip):
        pool = DecoderPool()
        with pool:
            for _ in range(2):
                pool.decode(clip, sampler=Every(), transforms={"a": Squash(8)})
            (worker,) = pool._idle
        assert worker._num_done == 2
        assert worker._process.poll() is not None
        with pytest.raises(RuntimeError, match="closed"):
            pool.decode(clip, sampler=Every(), transforms={"a": Squash(8)})


def test_a_pool_needs_a_worker():
    with pytest.raises(ValueError, match="at least 1"):
        DecoderPool(num_workers=0)
