from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from finevq.errors import VideoDecodeError, VideoLimitError
from finevq.settings import Settings
from finevq.study.media import make_playable, measure_clip


def _write(
    path: Path,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: tuple[int, ...] = (0, 1, 2, 3),
) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        stream.codec_context.time_base = Fraction(1, 10)
        for time in times:
            picture = np.full((48, 64, 3), 60, np.uint8)
            picture[:, time * 4 : time * 4 + 16] = 200
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pixel_format
            )
            frame.pts, frame.time_base = time, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_facts_of_a_clip_are_measured(tmp_path: Path) -> None:
    facts = measure_clip(_write(tmp_path / "a.mp4"), Settings())
    assert (facts.codec, facts.width, facts.height, facts.num_frames) == ("h264", 64, 48, 4)
    assert facts.duration_seconds == pytest.approx(0.4, abs=0.01)
    assert facts.is_playable
    # Two vertical edges of 140 gray values: the Sobel filter answers 4 x 140 next to each.
    luma_step = 140 * 219 / 255
    edge = np.zeros((46, 62))
    edge[:, [11, 12, 27, 28]] = 4 * luma_step
    assert facts.spatial_information == pytest.approx(edge.std(), rel=0.05)
    assert facts.temporal_information > 10


def test_a_still_has_no_temporal_information(tmp_path: Path) -> None:
    facts = measure_clip(_write(tmp_path / "a.mp4", times=(0,)), Settings())
    assert facts.temporal_information == 0.0
    assert facts.num_frames == 1


def test_a_playable_clip_is_copied_bit_by_bit(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp4")
    copy = make_playable(path, measure_clip(path, Settings()), tmp_path / "copy")
    assert (copy.how, copy.psnr_db) == ("copied", None)
    assert copy.path.read_bytes() == path.read_bytes()


def test_another_container_is_remuxed_without_touching_a_pixel(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mkv")
    copy = make_playable(path, measure_clip(path, Settings()), tmp_path / "copy")
    assert copy.how == "remuxed"
    assert copy.path.suffix == ".mp4"
    with av.open(str(path)) as one, av.open(str(copy.path)) as other:
        for left, right in zip(one.decode(video=0), other.decode(video=0), strict=True):
            np.testing.assert_array_equal(left.to_ndarray(), right.to_ndarray())


@pytest.mark.parametrize(
    ("codec", "pixel_format", "times"),
    [
        ("mpeg4", "yuv420p", (0, 1, 2, 3)),
        ("libx264", "yuv444p", (0, 1, 2, 3)),
        ("libx264", "yuv420p", (0, 1, 5, 6)),
    ],
)
def test_what_a_browser_cannot_play_becomes_constant_rate_h264(
    tmp_path: Path, codec: str, pixel_format: str, times: tuple[int, ...]
) -> None:
    path = _write(tmp_path / "a.mp4", codec, pixel_format, times)
    facts = measure_clip(path, Settings())
    assert not facts.is_playable
    copy = make_playable(path, facts, tmp_path / "copy")
    assert copy.how == "transcoded"
    assert copy.psnr_db is not None
    assert copy.psnr_db > 40
    ours = measure_clip(copy.path, Settings())
    assert ours.is_playable
    assert ours.duration_seconds == pytest.approx(facts.duration_seconds, abs=0.15)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(VideoDecodeError, match="no frame can be read"):
        measure_clip(tmp_path / "a.mp4", Settings())


def test_limits_hold(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp4")
    with pytest.raises(VideoLimitError, match="frames of 64x48"):
        measure_clip(path, Settings(max_frame_pixels=1000))
    with pytest.raises(VideoLimitError, match="more than 2 frames"):
        measure_clip(path, Settings(max_frames=2))


@pytest.mark.full
def test_real_clips_of_odd_kinds_become_playable(clips: Path, tmp_path: Path) -> None:
    for name, how in (
        ("decord_video_90.mov", "transcoded"),
        ("ffw_video-1s.avi", "transcoded"),
        ("intel_asl_thanks.mkv", "remuxed"),
        ("lsvq_muHWOSldMIs_reenc.mp4", "copied"),
    ):
        facts = measure_clip(clips / name, Settings())
        copy = make_playable(clips / name, facts, tmp_path / name)
        ours = measure_clip(copy.path, Settings())
        assert (name, copy.how) == (name, how)
        assert ours.is_playable
        assert (ours.width, ours.height) == (facts.width, facts.height)
        assert abs(ours.num_frames - facts.num_frames) <= 1
