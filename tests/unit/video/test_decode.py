"""Files of every kind: the right frames, at the right times, the right way up, in time."""

import gc
import struct
import time
import zlib

import numpy as np
import pytest

from finevq.errors import InvalidInputError, VideoDecodeError, VideoLimitError
from finevq.settings import Settings
from finevq.video.decode import decode_video, iterate_frames, probe_video
from finevq.video.orientation import orientation_of
from finevq.video.sampling import burst_indices, uniform_indices
from finevq.video.transforms import Squash, Whole

from .conftest import COUNT, NUM_FRAMES, numbers_of, plain_frames, read

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "12")
FORMATS = {
    "h264.mp4": X264,
    "fragmented.mp4": (*X264, "-movflags", "frag_keyframe+empty_moov"),
    "h264.mkv": X264,
    "h264.ts": X264,
    "late.ts": (*X264, "-output_ts_offset", "95000"),  # the 33-bit clock wraps at 95,443 s
    "h264.flv": X264,
    "h264.avi": X264,
    "raw.h264": X264,
    "open.mkv": (*X264[:-2], "-g", "8", "-x264-params", "open-gop=1:scenecut=0"),
    "refresh.mp4": (*X264[:-2], "-x264-params", "intra-refresh=1:keyint=10"),
    "hevc.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
    "raw.hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
    "vp8.webm": ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "12", "-crf", "4"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"),
    "raw.m4v": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "2"),
    "wmv2.wmv": ("-c:v", "wmv2", "-q:v", "2"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-q:v", "2"),
    "raw.y4m": (),
    "ffv1.mkv": ("-c:v", "ffv1"),
    "av1.ivf": ("-c:v", "libaom-av1", "-cpu-used", "8", "-crf", "10"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_is_the_right_one(name, counting):
    path = counting(name, *FORMATS[name])
    video = read(path)
    assert numbers_of(video.arrays["a"]) == list(range(NUM_FRAMES))
    assert video.media.num_frames == NUM_FRAMES
    assert video.warnings == ()
    np.testing.assert_allclose(video.times["a"], np.arange(NUM_FRAMES) / 25, atol=0.002)
    assert video.table.is_exact == (not name.startswith("raw.h"))


@pytest.mark.parametrize("name", FORMATS)
def test_a_few_frames_in_any_order_are_the_same_as_all(name, counting):
    path = counting(name, *FORMATS[name])
    rows = [27, 3, 14, 14, 0, 29, 8]
    np.testing.assert_array_equal(read(path, rows).arrays["a"], read(path).arrays["a"][rows])


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "h264.ts", "open.mkv", "vp9.webm"])
def test_jumping_to_far_frames_changes_nothing(name, counting):
    path = counting(name, *FORMATS[name], source="color=s=64x48:r=25:d=80")
    rows = [1, 5, 777, 1300, 1301, 1950, 1999]
    video = read(path, rows)
    assert numbers_of(video.arrays["a"]) == [row % 30 for row in rows]
    linear = [frame for number, frame in enumerate(plain_frames(path)) if number in rows]
    whole = Whole()
    expected = [whole(frame, orientation_of(frame), 0) for frame in linear]
    np.testing.assert_array_equal(video.arrays["a"], np.stack(expected))


def test_streams_get_their_own_frames_and_transforms(counting):
    path = counting("h264.mp4", *X264)
    video = decode_video(
        path,
        sampler=lambda table: {
            "image": uniform_indices(len(table), 8),
            "motion": burst_indices(table, num_bursts=2, frames_per_burst=4),
            "none": np.zeros(0, np.int64),
        },
        transforms={"image": Squash(32), "motion": Squash(16), "none": Squash(8)},
    )
    assert video.arrays["image"].shape == (8, 32, 32, 3)
    assert video.arrays["motion"].shape == (8, 16, 16, 3)
    assert len(video.arrays["none"]) == 0
    assert numbers_of(video.arrays["image"]) == video.indices["image"].tolist()
    assert numbers_of(video.arrays["motion"]) == video.indices["motion"].tolist()
    assert video.seconds > 0


def test_iterating_gives_the_same_pictures_one_by_one(counting):
    path = counting("h264.mp4", *X264)
    rows = np.array([4, 2, 2, 29])
    got = list(iterate_frames(path, select=lambda _: rows, transform=Whole()))
    assert [frame.index for frame in got] == [2, 2, 4, 29]
    assert [frame.position for frame in got] == [0, 1, 2, 3]
    expected = read(path, np.sort(rows)).arrays["a"]
    np.testing.assert_array_equal(np.stack([frame.image for frame in got]), expected)
    assert got[-1].time_seconds == pytest.approx(29 / 25)


def test_a_plan_that_does_not_fit_is_refused(counting):
    path = counting("h264.mp4", *X264)
    with pytest.raises(InvalidInputError, match=r"within 0\.\.29"):
        decode_video(path, sampler=lambda _: {"a": np.array([30])}, transforms={"a": Whole()})
    with pytest.raises(InvalidInputError, match="no transform for the sampler's stream 'b'"):
        decode_video(path, sampler=lambda _: {"b": np.array([0])}, transforms={"a": Whole()})


# --- times -----------------------------------------------------------------------------------


def test_variable_frame_rate_keeps_its_times(counting):
    vf = f"{COUNT},settb=1/1000,setpts='N*40+if(gte(N,10),1000,0)'"
    path = counting("vfr.mkv", *X264, "-fps_mode", "vfr", vf=vf)
    video = read(path)
    expected = np.arange(NUM_FRAMES) * 0.04 + (np.arange(NUM_FRAMES) >= 10)
    np.testing.assert_allclose(video.times["a"], expected, atol=0.0015)
    assert numbers_of(video.arrays["a"]) == list(range(NUM_FRAMES))
    assert video.table.nominal_rate_fps == pytest.approx(25, rel=0.01)
    assert video.table.index_at(np.array([1.0])).tolist() == [9]


def test_an_edit_list_is_applied(counting, ffmpeg, tmp_path):
    source = counting("h264.mp4", *X264)
    path = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.6", "-i", source, "-c", "copy", path)
    video = read(path)
    assert numbers_of(video.arrays["a"]) == list(range(15, NUM_FRAMES))
    assert video.times["a"][0] == 0


def test_a_restarting_transport_stream_goes_on(counting, tmp_path):
    source = counting("h264.ts", *X264)
    path = tmp_path / "joined.ts"
    far = counting("far.ts", *X264, "-output_ts_offset", "500")
    path.write_bytes(far.read_bytes() + source.read_bytes())
    video = read(path)
    assert video.media.num_frames == 2 * NUM_FRAMES
    assert video.media.duration_seconds == pytest.approx(2 * NUM_FRAMES / 25, abs=0.2)
    assert numbers_of(video.arrays["a"]) == 2 * list(range(NUM_FRAMES))


def test_one_frame_is_a_video(counting):
    video = read(counting("one.mp4", *X264, "-frames:v", "1"))
    assert video.media.num_frames == 1
    assert video.media.fps == pytest.approx(25)


# --- geometry --------------------------------------------------------------------------------

TURNED = {
    "90": ("-display_rotation", "90"),
    "180": ("-display_rotation", "180"),
    "270": ("-display_rotation", "270"),
    "mirrored": ("-display_hflip",),
    "mirrored90": ("-display_rotation", "90", "-display_hflip"),
}


@pytest.mark.parametrize("how", TURNED)
def test_pictures_are_the_right_way_up(how, ffmpeg, tmp_path):
    stored, turned = tmp_path / "stored.mp4", tmp_path / "turned.mp4"
    source = "testsrc2=s=64x48:r=5:d=1"
    # No chroma subsampling: ffmpeg's own conversion does not interpolate it.
    ffmpeg(
        "-f", "lavfi", "-i", source, "-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv444p", stored
    )
    ffmpeg(*TURNED[how], "-i", stored, "-c", "copy", turned)
    raw = ffmpeg("-i", turned, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")  # ffmpeg turns them
    video = read(turned)
    height, width = video.arrays["a"].shape[1:3]
    assert (video.media.width, video.media.height) == (width, height)
    assert ((width, height) == (48, 64)) == ("90" in how or "270" in how)
    expected = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    assert np.abs(video.arrays["a"].astype(int) - expected).mean() < 2
    if "mirrored" not in how:
        # FFmpeg's option turns anticlockwise; we tell what the player does: clockwise.
        assert video.media.rotation_degrees == (360 - int(how)) % 360


@pytest.mark.parametrize("size", ["65x49", "48x80", "2x2", "720x16"])
def test_odd_sizes_and_shapes_are_read(size, ffmpeg, tmp_path):
    path = tmp_path / "odd.mkv"
    ffmpeg("-f", "lavfi", "-i", f"color=red:s={size}:d=0.2", "-c:v", "ffv1", path)
    video = read(path)
    assert f"{video.media.width}x{video.media.height}" == size
    assert video.arrays["a"][0].reshape(-1, 3).mean(0) == pytest.approx([254, 0, 0], abs=2)


# --- colours ---------------------------------------------------------------------------------

BARS = np.array(
    [
        *([255, 255, 255], [191, 191, 0], [0, 191, 191], [0, 191, 0]),
        *([191, 0, 191], [191, 0, 0], [0, 0, 191], [64, 64, 64]),
    ],
    np.uint8,
)
MATRICES = {"709": "bt709", "170m": "smpte170m", "2020_ncl": "bt2020nc"}


@pytest.fixture
def bars(ffmpeg, tmp_path):
    """Encode colour bars without loss in a pixel format, matrix and range."""
    picture = np.repeat(np.repeat(BARS[None], 32, 0), 32, 1)

    def encode(pixel_format, matrix, full, *, tagged=True):
        path = tmp_path / "bars.mkv"
        way = "full" if full else "limited"
        tags = ("-colorspace", MATRICES[matrix], "-color_range", "pc" if full else "tv")
        ffmpeg(
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "256x32", "-i", "-"),
            *("-vf", f"zscale=matrix={matrix}:range={way}:rangein=full,format={pixel_format}"),
            *("-c:v", "ffv1", *(tags if tagged else ()), path),
            stdin=picture.tobytes(),
        )
        return path

    return encode


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p12le"])
@pytest.mark.parametrize("transform", [Whole(), Squash(256, "bilinear"), Squash(256, "area")])
def test_colours_come_back_whatever_the_coding(pixel_format, matrix, full, transform, bars):
    video = read(bars(pixel_format, matrix, full), [0], transform)
    height = video.arrays["a"].shape[1]
    got = video.arrays["a"][0, height // 2, 16::32].astype(int)
    assert np.abs(got - BARS).max() <= 2
    assert video.media.pixel_format == pixel_format


def test_untagged_small_video_is_read_as_bt601(bars):
    got = read(bars("yuv444p", "170m", False, tagged=False), [0]).arrays["a"][0, 16, 16::32]
    assert np.abs(got.astype(int) - BARS).max() <= 2


def test_interlaced_video_is_shown_as_stored_with_a_warning(ffmpeg, tmp_path):
    path = tmp_path / "fields.mp4"
    vf = "testsrc2=s=64x48:r=50:d=1,tinterlace=interleave_top,setfield=tff"
    ffmpeg("-f", "lavfi", "-i", vf, "-c:v", "libx264", "-flags", "+ildct+ilme", "-qp", "1", path)
    video = read(path)
    assert video.media.num_frames == 25
    assert any("interlaced" in warning for warning in video.warnings)
    whole = Whole()
    expected = np.stack([whole(f, orientation_of(f), 0) for f in plain_frames(path)])
    np.testing.assert_array_equal(video.arrays["a"], expected)


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("cut.mp4", (*X264, "-movflags", "+faststart")), ("cut.mkv", X264), ("cut.flv", X264)],
)
def test_a_cut_off_file_is_read_with_a_warning(name, arguments, counting, tmp_path):
    source, vf = "color=s=64x48:r=25:d=8", f"{COUNT},noise=alls=12"  # data outweighs the index
    long = counting(name, *arguments, source=source, vf=vf)
    data = long.read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) * 6 // 10])
    video = read(path)
    assert 60 < video.media.num_frames < 180
    assert numbers_of(video.arrays["a"])[:60] == [n % 30 for n in range(60)]
    assert len(video.warnings) == 1
    assert "The file says that it lasts 8." in video.warnings[0]
    assert f"({video.media.num_frames} frames)" in video.warnings[0]


def test_bit_rot_costs_few_frames_and_always_the_same(counting, tmp_path):
    noisy = "testsrc2=s=96x64:r=25:d=4,noise=alls=20"
    source = counting("rot.mkv", *X264, source=noisy, vf="null")
    data = bytearray(source.read_bytes())
    random = np.random.default_rng(3)
    for place in random.integers(len(data) // 10, len(data), 30):
        data[place] ^= 1 << int(random.integers(8))
    path = tmp_path / "rot.mkv"
    path.write_bytes(data)
    first, again = read(path), read(path)
    assert first.media.num_frames >= 95
    assert first.warnings
    np.testing.assert_array_equal(first.arrays["a"], again.arrays["a"])


def test_frames_that_do_not_decode_are_left_out_of_the_table(counting, tmp_path):
    source = counting("ffv1.mkv", "-c:v", "vp9", "-deadline", "realtime", "-g", "10")
    import av

    path = tmp_path / "holes.mkv"
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if packet.size == 0:
                continue
            copy = packet
            if number in (12, 13, 14):  # until the next keyframe
                copy = av.Packet(b"\xff" * packet.size)
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.stream = stream
            new.mux(copy)
    video = read(path)
    assert "could not be decoded" in " ".join(video.warnings)
    assert video.media.num_frames < NUM_FRAMES
    assert {*range(10), *range(20, 30)} <= set(numbers_of(video.arrays["a"]))


NOT_VIDEOS = {
    "empty": (b"", "empty"),
    "text": (b"This is not a video.\n" * 50, "text file"),
    "zip": (b"PK\x03\x04" + bytes(range(256)) * 4, "zip archive"),
    "page": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "zeros": (bytes(5000), "only zeros"),
    "playlist": (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", "playlist"),
    "concat": (b"ffconcat version 1.0\nfile /etc/passwd\n", "text file"),
    "noise": (np.random.default_rng(1).bytes(5000), "not a video that FFmpeg can read"),
}


@pytest.mark.parametrize("kind", NOT_VIDEOS)
def test_what_is_no_video_is_named(kind, tmp_path):
    content, reason = NOT_VIDEOS[kind]
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoDecodeError, match=reason) as caught:
        probe_video(path)
    assert str(path) in str(caught.value)


def test_a_recording_without_its_index_is_named(counting, tmp_path):
    data = counting("h264.mp4", *X264).read_bytes()
    path = tmp_path / "clip.mp4"
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    with pytest.raises(VideoDecodeError, match="moov"):
        probe_video(path)


def test_sound_without_pictures_is_named(ffmpeg, tmp_path):
    path = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "aac", path)
    with pytest.raises(VideoDecodeError, match="no video stream \\(only audio\\)"):
        probe_video(path)


def test_missing_files_and_folders_are_input_errors(tmp_path):
    with pytest.raises(InvalidInputError, match="No such file"):
        probe_video(tmp_path / "nothing.mp4")
    with pytest.raises(InvalidInputError, match="is a folder"):
        probe_video(tmp_path)


@pytest.mark.parametrize("name", ["a:b.mp4", "%03d.mp4", "ü ö.mp4", "-i.mp4", "'q'.mp4"])
def test_any_file_name_is_just_a_name(name, counting, tmp_path):
    path = tmp_path / name
    path.write_bytes(counting("h264.mp4", *X264).read_bytes())
    assert probe_video(path).num_frames == NUM_FRAMES


# --- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "variable"),
    [
        ({"max_file_bytes": 100}, "FINEVQ_MAX_FILE_BYTES"),
        ({"max_frame_pixels": 1000}, "FINEVQ_MAX_FRAME_PIXELS"),
        ({"max_duration_seconds": 0.5}, "FINEVQ_MAX_DURATION_SECONDS"),
        ({"max_frames": 20}, "FINEVQ_MAX_FRAMES"),
        ({"decode_timeout_seconds": 1e-9}, "FINEVQ_DECODE_TIMEOUT_SECONDS"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits_name_the_variable_to_raise(limit, variable, counting):
    with pytest.raises((VideoLimitError, VideoDecodeError), match=variable):
        read(counting("h264.mp4", *X264), settings=Settings(**limit))


def test_a_picture_bomb_is_refused_before_it_is_unpacked(tmp_path):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000_000), 9)
    path = tmp_path / "bomb.png"
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", body), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    begin = time.monotonic()
    with pytest.raises((VideoDecodeError, VideoLimitError), match="FINEVQ_MAX_FRAME_PIXELS"):
        probe_video(path)
    assert time.monotonic() - begin < 30


# --- real clips ------------------------------------------------------------------------------


def _listed(clips):
    lines = (clips / "index.tsv").read_text().splitlines()[1:]
    return [line.split("\t") for line in lines]


@pytest.mark.full
def test_real_clips_hold_the_frames_that_the_list_says(clips):
    rows = _listed(clips)
    assert len(rows) > 60
    for name, _, geometry, frames, codec, *_ in rows:
        media = probe_video(clips / name)
        assert media.num_frames == int(frames), name
        stored = (media.width, media.height)
        if media.rotation_degrees in (90, 270):
            stored = stored[::-1]
        assert "x".join(map(str, stored)) == geometry.split("@")[0], name
        if codec == "image":
            assert media.fps is None
        else:
            assert f"{media.codec}/{media.pixel_format}".startswith(codec), name
            assert media.fps == pytest.approx(float(geometry.split("@")[1]), rel=0.05), name


@pytest.mark.full
def test_real_clips_give_the_same_pictures_as_plain_decoding(clips):
    small = [row[0] for row in _listed(clips) if row[4] != "image" and int(row[3]) <= 330]
    small = [name for name in small if (clips / name).stat().st_size < 600_000]
    assert len(small) > 15
    for name in small:
        video = decode_video(
            clips / name,
            sampler=lambda table: {
                "image": uniform_indices(len(table), 8),
                "motion": burst_indices(table, num_bursts=3, frames_per_burst=4),
            },
            transforms={"image": Squash(64), "motion": Squash(32)},
        )
        wanted = {row for rows in video.indices.values() for row in rows.tolist()}
        squash = {"image": Squash(64), "motion": Squash(32)}
        frames = {
            number: {s: squash[s](frame, orientation_of(frame), 0) for s in squash}
            for number, frame in enumerate(plain_frames(clips / name))
            if number in wanted
        }
        for stream, rows in video.indices.items():
            expected = np.stack([frames[row][stream] for row in rows.tolist()])
            np.testing.assert_array_equal(video.arrays[stream], expected, err_msg=name)


# Asking every object for its type wakes deprecated ones of other libraries.
@pytest.mark.filterwarnings("ignore")
def test_frames_are_freed_without_waiting_for_the_garbage_collector(ffmpeg, tmp_path):
    path = tmp_path / "turned.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=2", "-c:v", "libx264", tmp_path / "a.mp4")
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "a.mp4", "-c", "copy", path)
    alive = []

    class Watching(Squash):
        def __call__(self, frame, orientation, position):
            alive.append(sum(isinstance(one, type(frame)) for one in gc.get_objects()))
            return super().__call__(frame, orientation, position)

    gc.collect()
    gc.disable()
    try:
        read(path, transform=Watching(8))
    finally:
        gc.enable()
    assert len(alive) == 50
    assert 1 <= max(alive) < 12
