"""Pixels to model inputs: equal to PIL and to the reference, native where promised."""

import json
import pickle

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finevq.video.orientation import UPRIGHT, Orientation
from finevq.video.transforms import (
    DetailCrop,
    OfficialSquash,
    Squash,
    Whole,
    normalize,
    pil_bicubic_resize,
)

ALL_ORIENTATIONS = [Orientation(turn, flip) for turn in (0, 90, 180, 270) for flip in (False, True)]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frame_of(image):
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 70), st.integers(1, 70), st.integers()
)
def test_bicubic_resize_equals_pil_in_every_bit(height, width, new_width, new_height, seed):
    image = pytest.importorskip("PIL.Image")
    pixels = noise(height, width, seed % 2**32)
    expected = np.asarray(image.fromarray(pixels).resize((new_width, new_height), image.BICUBIC))
    np.testing.assert_array_equal(pil_bicubic_resize(pixels, (new_width, new_height)), expected)


@pytest.mark.parametrize("shape", [(1080, 1920), (1920, 1080), (144, 176)])
def test_bicubic_resize_to_448_equals_pil(shape):
    image = pytest.importorskip("PIL.Image")
    pixels = noise(*shape)
    expected = np.asarray(image.fromarray(pixels).resize((448, 448)))
    np.testing.assert_array_equal(pil_bicubic_resize(pixels, 448), expected)


def test_preprocessing_equals_the_official_code(shared):
    golden = json.loads((shared / "goldens/finevq/golden_data.json").read_text())["preprocess"]
    checked = 0
    for name, expected in golden.items():
        kind, size = name.split("_")
        if kind != "formula":  # the other pictures are not described
            continue
        height, width = map(int, size.split("x"))
        y, x, c = np.meshgrid(*map(np.arange, (height, width, 3)), indexing="ij")
        picture = ((x * (c + 1) * 3 + y * (5 - c) + (x * y) // (7 + c)) % 256).astype(np.uint8)
        resized = OfficialSquash()(frame_of(picture), UPRIGHT, 0)
        want = expected["uint8_after_resize"]
        assert resized.ravel()[want["flat_index"]].tolist() == want["value"], name
        tensor, want = normalize(resized), expected["tensor"]
        np.testing.assert_allclose(tensor.ravel()[want["flat_index"]], want["value"], atol=2e-7)
        assert tensor.mean() == pytest.approx(want["mean"], abs=1e-5)
        checked += 1
    assert checked == 5


@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS, ids=str)
def test_a_detail_crop_is_native_pixels_of_the_upright_picture(orientation):
    stored = noise(200, 160)
    upright = orientation.upright(stored)
    crop = DetailCrop(64, positions=[(0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.25, 1.0)])
    height, width = upright.shape[:2]
    for position, (x, y) in enumerate(crop.positions):
        got = crop(frame_of(stored), orientation, position)
        left, top = round(x * (width - 64)), round(y * (height - 64))
        np.testing.assert_array_equal(got, upright[top : top + 64, left : left + 64])


@pytest.mark.parametrize(
    ("height", "width"), [(40, 60), (64, 64), (2400, 1100), (50, 3000), (1080, 1920)]
)
def test_a_detail_crop_has_its_size_whatever_the_picture(height, width):
    picture = np.full((height, width, 3), 90, np.uint8)
    got = DetailCrop(64, max_short_side=1080)(frame_of(picture), UPRIGHT, 3)
    assert got.shape == (64, 64, 3)
    assert set(got.ravel().tolist()) == {90}


def test_a_large_picture_is_scaled_down_to_the_allowed_short_side():
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 10)[None, :, None]
    picture = np.broadcast_to(ramp, (1280, 2560, 3))
    got = DetailCrop(64, max_short_side=128, positions=[(0.5, 0.5)])(frame_of(picture), UPRIGHT, 0)
    assert got[0, -1, 0] - got[0, 0, 0] == pytest.approx(63, abs=1)  # one level a pixel, not 0.1


def test_eight_detail_crops_touch_all_sides_of_the_picture():
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.arange(160)[None], np.arange(96)[:, None]
    crop = DetailCrop(64)
    seen = np.zeros((96, 160), bool)
    for position in range(8):
        got = crop(frame_of(picture), UPRIGHT, position)
        seen[got[..., 1], got[..., 0]] = True
    assert seen.all()


@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS, ids=str)
@pytest.mark.parametrize("make", [lambda: Squash(32), OfficialSquash, lambda: Whole(40), Whole])
def test_whole_pictures_are_turned_upright(make, orientation):
    stored = np.zeros((48, 80, 3), np.uint8)
    stored[:12, :20] = 255  # a white corner
    got = make()(frame_of(stored), orientation, 0)
    upright = orientation.upright(stored)
    corner = [bool(upright[y, x, 0]) for y in (0, -1) for x in (0, -1)]
    assert [got[y, x, 0] > 200 for y in (0, -1) for x in (0, -1)] == corner


def test_an_orientation_turns_clockwise_after_mirroring():
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert Orientation(90).upright(picture)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert Orientation(90, True).upright(picture)[..., 0].tolist() == [[5, 2], [4, 1], [3, 0]]


def test_normalize_puts_channels_first():
    images = noise(5, 7)[None]
    got = normalize(images, mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))
    assert got.shape == (1, 3, 5, 7)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0, 0], (images[0, ..., 0] / 255 - 0.5) / 0.25, atol=1e-6)


def test_an_impossible_crop_is_refused():
    with pytest.raises(ValueError, match="below the crop"):
        DetailCrop(320, max_short_side=200)


@pytest.mark.parametrize("transform", [Squash(16), OfficialSquash(16), Whole(16), DetailCrop(16)])
def test_transforms_survive_pickling(transform):
    picture = frame_of(noise(40, 50))
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(copy(picture, UPRIGHT, 1), transform(picture, UPRIGHT, 1))


def test_scaling_down_does_not_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    for interpolation in ("bilinear", "area", "bicubic"):
        got = Squash(32, interpolation)(frame_of(stripes), UPRIGHT, 0)[:, 2:-2]  # away from edges
        assert got.std() < 3
        assert got.mean() == pytest.approx(127.5, abs=1.5)
