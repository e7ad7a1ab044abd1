"""Still pictures are one-frame videos, animations are clips."""

import subprocess
import sys

import numpy as np
import pytest

from finevq.errors import VideoDecodeError
from finevq.video.decode import probe_video

from .conftest import COUNT, COUNTING, NUM_FRAMES, numbers_of, read

Image = pytest.importorskip("PIL.Image")


def ramp(height=40, width=60):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width)[None]
    picture[..., 1] = np.linspace(0, 255, height)[:, None]
    picture[..., 2] = 80
    return picture


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("still.png", {}, 0),
        ("still.bmp", {}, 0),
        ("still.tiff", {}, 0),
        ("still.webp", {"lossless": True}, 0),
        ("lossy.webp", {"quality": 95}, 6),
        ("still.jpg", {"quality": 98, "subsampling": 0}, 3),
        ("still.gif", {}, 60),
    ],
)
def test_a_picture_is_a_video_of_one_frame(name, options, tolerance, tmp_path):
    path = tmp_path / name
    Image.fromarray(ramp()).save(path, **options)
    video = read(path)
    assert (video.media.num_frames, video.media.width, video.media.height) == (1, 60, 40)
    difference = np.abs(video.arrays["a"][0].astype(int) - ramp())
    assert difference.max() <= tolerance
    assert video.warnings == ()
    if name != "still.gif":
        assert video.media.fps is None
        assert video.media.duration_seconds == 0


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1"])
def test_png_of_every_kind_is_read(mode, tmp_path):
    path = tmp_path / "kind.png"
    picture = Image.fromarray(ramp())
    if "A" in mode:
        picture.putalpha(200)
    picture.convert(mode).save(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    got = read(path).arrays["a"][0]
    assert np.abs(got.astype(int) - expected).max() <= 1


_READS_ONE_OFTEN = """
import gc, sys
import av
from finevq.video.orientation import orientation_of
for _ in range(20):
    with av.open(sys.argv[1]) as container:
        orientation_of(next(container.decode(video=0)))
    gc.collect()
print("done")
"""


def test_a_png_with_a_named_color_profile_does_not_end_the_process(tmp_path):
    cms = pytest.importorskip("PIL.ImageCms")
    profile = cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()
    path = tmp_path / "profile.png"
    Image.fromarray(ramp()).save(path, icc_profile=profile)
    done = subprocess.run(
        [sys.executable, "-c", _READS_ONE_OFTEN, path], check=False, capture_output=True, text=True
    )
    assert done.stdout == "done\n", done.stderr


def test_a_16_bit_png_is_read(ffmpeg, tmp_path):
    path = tmp_path / "deep.png"
    ffmpeg(
        "-f", "lavfi", "-i", "color=0x4080c0:s=32x16", "-frames:v", "1", "-pix_fmt", "rgb48be", path
    )
    video = read(path)
    assert video.media.pixel_format == "rgb48be"
    got = video.arrays["a"][0].reshape(-1, 3).mean(0)
    assert got == pytest.approx([0x40, 0x80, 0xC0], abs=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, tmp_path):
    from PIL import ImageOps

    path = tmp_path / "phone.jpg"
    picture = Image.fromarray(ramp())
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif, quality=98, subsampling=0)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    got = read(path).arrays["a"][0]
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= 4


def test_an_animated_gif_is_a_clip(counting):
    path = counting("count.gif", vf=f"{COUNT},format=gray", source=COUNTING)
    video = read(path)
    assert video.media.num_frames == NUM_FRAMES
    assert numbers_of(video.arrays["a"]) == list(range(NUM_FRAMES))
    assert video.media.fps == pytest.approx(25, rel=0.02)


def test_an_animated_webp_equals_pil_frame_by_frame(tmp_path):
    from PIL import ImageSequence

    pictures = []
    for number in range(6):
        pixels = np.zeros((40, 60, 4), np.uint8)
        pixels[..., :3] = np.roll(ramp(), 7 * number, axis=1)
        pixels[..., 3] = 255 if number % 2 == 0 else np.arange(60)[None] * 4
        pictures.append(Image.fromarray(pixels))
    path = tmp_path / "moving.webp"
    times = [40, 50, 60, 70, 80, 5]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, lossless=True)
    expected = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(Image.open(path))]
    video = read(path)
    assert np.abs(video.arrays["a"].astype(int) - np.stack(expected)).max() <= 1
    np.testing.assert_allclose(video.times["a"], [0, 0.04, 0.09, 0.15, 0.22, 0.3])
    assert video.table.durations_seconds[-1] == pytest.approx(0.1)  # as browsers show 5 ms
    np.testing.assert_array_equal(read(path, [4, 1]).arrays["a"], video.arrays["a"][[4, 1]])


def test_a_lossy_animated_webp_counts_right(counting):
    path = counting("count.webp", "-c:v", "libwebp_anim", "-q:v", "90")
    video = read(path)
    assert numbers_of(video.arrays["a"]) == list(range(NUM_FRAMES))
    assert video.media.codec == "webp"


def test_a_cut_off_animation_keeps_what_is_there(counting, tmp_path):
    data = counting("count.webp", "-c:v", "libwebp_anim", "-q:v", "90").read_bytes()
    path = tmp_path / "cut.webp"
    path.write_bytes(data[: len(data) // 2])
    numbers = numbers_of(read(path).arrays["a"])
    assert numbers == list(range(len(numbers)))
    assert 5 < len(numbers) < 25


def test_a_broken_picture_is_named(tmp_path):
    path = tmp_path / "broken.png"
    Image.fromarray(ramp()).save(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(VideoDecodeError, match=r"broken\.png"):
        probe_video(path)
