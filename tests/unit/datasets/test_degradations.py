"""Every fault: keeps shape, is repeatable, grows with severity, leaves a clip alone at 0."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from finevq.datasets.camera import film, filtered_noise, handheld_path
from finevq.datasets.degradations import codecs
from finevq.datasets.degradations.applying import apply_chain, moved_reference
from finevq.datasets.degradations.blur import disk_kernel
from finevq.datasets.degradations.catalogue import FAULTS, CodecFault, PixelFault, Stage
from finevq.datasets.degradations.chain import (
    FINEVD_ATTRIBUTE_COUNTS,
    PlannedFault,
    draw_chain,
    needs_margin,
)
from finevq.datasets.degradations.footage import Footage, ramp
from finevq.datasets.degradations.noise import NoiseField
from finevq.datasets.degradations.temporal import SHAKE_MARGIN
from finevq.datasets.degradations.visibility import visibility
from finevq.vocabulary import ALL_ATTRIBUTES, ATTRIBUTES, Dimension, dimension_of

SIZE = (160, 96)
FPS = 25.0


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
    picture = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)
    for _ in range(25):
        corner = tuple(int(v) for v in rng.integers(0, 200, 2))
        color = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.rectangle(picture, corner, (corner[0] + 40, corner[1] + 25), color, -1)
    return picture


@pytest.fixture(scope="module")
def clean(picture):
    rng = np.random.default_rng(1)
    return film(picture, SIZE, handheld_path(18, FPS, rng), rng, field_of_view=0.8)


def degraded(clean, attribute, severity, seed=5):
    """The final frames of a chain of one fault."""
    chain = (PlannedFault(attribute, severity, seed),)
    result = apply_chain(Footage(clean.copy(), FPS), chain, 6.0)
    return codecs.decode(result.data, (result.width, result.height)), result


def distance(frames, clean):
    """Mean absolute difference to the clean clip, cut to the same middle."""
    height, width = frames.shape[1:3]
    top, left = (clean.shape[1] - height) // 2, (clean.shape[2] - width) // 2
    reference = clean[:, top : top + height, left : left + width]
    return float(np.abs(frames.astype(float) - reference).mean())


def test_the_catalogue_has_every_attribute_of_the_vocabulary():
    assert set(FAULTS) == set(ALL_ATTRIBUTES)
    assert set(FINEVD_ATTRIBUTE_COUNTS) == set(ALL_ATTRIBUTES)


@pytest.mark.parametrize("attribute", ALL_ATTRIBUTES)
def test_a_severe_fault_changes_more_than_a_slight_one(clean, attribute):
    slight, _ = degraded(clean, attribute, 0.2)
    severe, result = degraded(clean, attribute, 1.0)
    assert len(severe) == len(clean)
    assert distance(severe, clean) > distance(slight, clean)
    assert result.severities[attribute] == 1.0


@pytest.mark.parametrize("attribute", ALL_ATTRIBUTES)
def test_the_same_seed_gives_the_same_bytes(clean, attribute):
    assert degraded(clean, attribute, 0.6)[1] == degraded(clean, attribute, 0.6)[1]


_PIXEL_FAULTS = [name for name, fault in FAULTS.items() if isinstance(fault, PixelFault)]


@pytest.mark.parametrize("attribute", [n for n in _PIXEL_FAULTS if n not in {"shake", "stutter"}])
@pytest.mark.parametrize("seed", range(4))
def test_severity_zero_is_nearly_invisible(clean, attribute, seed):
    fault = FAULTS[attribute]
    outcome = fault.apply(Footage(clean.copy(), FPS), 0.0, np.random.default_rng(seed))
    assert distance(outcome.footage.frames, clean) < 4.0


@pytest.mark.parametrize("attribute", _PIXEL_FAULTS)
@pytest.mark.parametrize("frame_size", [(34, 62), (66, 33)])
def test_faults_take_tiny_portrait_and_single_frame_clips(attribute, frame_size):
    frames = np.random.default_rng(0).integers(0, 256, (1, *frame_size, 3)).astype(np.uint8)
    for seed in range(4):
        outcome = FAULTS[attribute].apply(
            Footage(frames.copy(), 30.0), 0.7, np.random.default_rng(seed)
        )
        assert outcome.footage.frames.shape[0] == 1
        assert outcome.footage.frames.dtype == np.uint8


@pytest.mark.parametrize("attribute", ["ringing", "other artifact", "moire", "high saturation"])
def test_what_a_content_cannot_show_is_labelled_less(clean, attribute):
    # Gray and nearly black: no edge, nothing to double, no color, no light for a pattern.
    dull = np.full_like(clean, 3)
    shown = {"banding": 1.0}  # as many codes are lost everywhere
    for seed in range(12):
        here, there = (
            FAULTS[attribute].apply(Footage(frames.copy(), FPS), 0.7, np.random.default_rng(seed))
            for frames in (dull, clean)
        )
        assert here.visibility == shown.get(here.parameters.get("kind"), 0.05)
        assert 0.5 < there.visibility <= 1.0
    # A soft picture is soft, however little there was to lose.
    blurred = FAULTS["gaussian blur"].apply(Footage(dull, FPS), 0.7, np.random.default_rng(0))
    assert blurred.visibility == 1.0


def test_visibility_grows_with_the_difference_up_to_a_typical_one():
    before = np.full((8, 8, 3), 90, np.uint8)
    typical = (0.0, 5.0, 10.0, 20.0, 40.0)
    shares = [
        visibility(before, Footage(before[None] + np.uint8(change), FPS), 0.5, typical)
        for change in (0, 1, 5, 10, 60)
    ]
    assert shares == pytest.approx([0.05, 0.1, 0.5, 1.0, 1.0])
    assert visibility(before, Footage(before[None], FPS), 0.0, typical) == 1.0


def test_side_effects_name_known_attributes_with_lower_severity(clean):
    for attribute in ALL_ATTRIBUTES:
        for seed in range(2):
            _, result = degraded(clean[:3], attribute, 0.8, seed)
            assert set(result.severities) <= set(ALL_ATTRIBUTES)
            assert max(result.severities.values()) == result.severities[attribute]


def test_noise_is_new_in_every_frame_and_has_unit_deviation():
    field = NoiseField((64, 64, 3), np.random.default_rng(0))
    first, second = field.window(), field.window()
    assert abs(float(np.corrcoef(first.ravel(), second.ravel())[0, 1])) < 0.05
    assert float(first.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("radius", [0.0, 0.4, 1.0, 3.7])
@pytest.mark.parametrize("blades", [0, 5])
def test_a_defocus_kernel_is_normalised_and_as_wide_as_asked(radius, blades):
    kernel = disk_kernel(radius, blades)
    assert kernel.shape == (2 * int(np.ceil(radius)) + 1,) * 2
    assert float(kernel.sum()) == pytest.approx(1.0, abs=1e-5)
    assert (kernel >= 0).all()


def test_defocus_of_a_point_conserves_its_light():
    frames = np.zeros((2, 241, 241, 3), np.uint8)
    frames[:, 119:122, 119:122] = 255
    fault = FAULTS["camera blur"]
    blurred = fault.apply(
        Footage(frames.copy(), 25.0), 0.8, np.random.default_rng(1)
    ).footage.frames
    assert float(blurred.sum()) == pytest.approx(float(frames.sum()), rel=0.06)
    assert blurred.max() < 255


def test_stutter_shows_only_frames_of_the_clip_in_order(clean):
    marked = clean.copy()
    for index, frame in enumerate(marked):
        frame[...] = index * 10
    for seed in range(6):
        out = FAULTS["stutter"].apply(Footage(marked.copy(), FPS), 0.7, np.random.default_rng(seed))
        shown = out.footage.frames[:, 0, 0, 0] // 10
        assert (np.diff(shown.astype(int)) >= 0).all()
        assert (np.diff(shown.astype(int)) == 0).any()


def test_a_freeze_of_a_still_scene_is_hardly_labelled(clean):
    still = np.repeat(clean[:1], len(clean), axis=0)
    moving = degraded(clean, "stutter", 0.8)[1].severities["stutter"]
    assert degraded(still, "stutter", 0.8)[1].severities["stutter"] < 0.15 < moving


def test_saturation_of_a_gray_scene_is_hardly_labelled(clean):
    gray = np.repeat(clean[..., 1:2], 3, axis=-1)
    assert degraded(gray, "low saturation", 0.8)[1].severities["low saturation"] < 0.1
    assert degraded(clean, "low saturation", 0.8)[1].severities["low saturation"] == 0.8


def shown(clean, *faults, crf=6.0):
    """Severities of a chain of (attribute, severity)."""
    chain = [PlannedFault(name, severity, 5) for name, severity in faults]
    return apply_chain(Footage(clean.copy(), FPS), chain, crf).severities


def test_a_fault_alone_is_labelled_as_planned(clean):
    assert shown(clean, ("gaussian noise", 0.5))["gaussian noise"] == 0.5


@pytest.mark.parametrize(
    "later", [("resolution blur", 0.8), ("compression blur", 0.9), ("compression artifact", 0.9)]
)
def test_grain_that_a_later_fault_takes_away_is_not_labelled(clean, later):
    severities = shown(clean, ("gaussian noise", 0.4), later)
    assert severities["gaussian noise"] < 0.2
    assert severities[later[0]] == later[1]


def test_a_later_fault_hides_the_more_the_worse_it_is(clean):
    left = [
        shown(clean, ("gaussian noise", 0.5), ("resolution blur", severity))["gaussian noise"]
        for severity in (0.1, 0.3, 0.6, 0.9)
    ]
    assert left == sorted(left, reverse=True)
    assert left[0] > 0.3
    assert left[-1] < 0.15


@pytest.mark.parametrize("curve", ["low contrast", "underexposure", "low saturation"])
def test_what_weakens_picture_and_fault_alike_hides_nothing(clean, curve):
    for fault in ("camera blur", "gaussian noise"):
        severities = shown(clean, (fault, 0.6), (curve, 0.8))
        assert severities[fault] == pytest.approx(0.6, abs=0.001)
    # Nor is a fault of color hidden by the loss of detail.
    assert shown(clean, (curve, 0.8), ("compression blur", 0.9))[curve] == 0.8


def test_a_dark_picture_does_not_keep_a_codec_from_hiding_grain(clean):
    dark = shown(clean, ("gaussian noise", 0.5), ("underexposure", 0.6), ("compression blur", 0.9))
    assert dark["gaussian noise"] < 0.2


def test_what_is_added_on_top_hides_nothing(clean):
    severities = shown(clean, ("camera blur", 0.6), ("gaussian noise", 0.3))
    assert severities["camera blur"] == pytest.approx(0.6, abs=0.02)
    assert severities["gaussian noise"] == 0.3


def test_faults_of_time_hide_nothing_and_are_not_hidden(clean):
    faults = (("gaussian noise", 0.4), ("stutter", 0.8), ("compression artifact", 0.9))
    severities = shown(clean, *faults)
    assert severities["stutter"] == shown(clean, ("stutter", 0.8))["stutter"]
    without = shown(clean, faults[0], faults[2])
    assert severities["gaussian noise"] == without["gaussian noise"]


def test_storing_a_clip_as_everyday_video_hides_grain_too(clean):
    near_lossless = shown(clean, ("gaussian noise", 0.3), crf=12.0)
    everyday = shown(clean, ("gaussian noise", 0.3), crf=26.0)
    assert near_lossless["gaussian noise"] == 0.3
    assert everyday["gaussian noise"] < 0.3


def test_shake_crops_the_margin_it_was_given(picture):
    rng = np.random.default_rng(0)
    grown = tuple(round(side * (1 + 2 * SHAKE_MARGIN) / 2) * 2 for side in SIZE)
    frames = film(picture, grown, handheld_path(6, FPS, rng), rng)
    out = FAULTS["shake"].apply(Footage(frames, FPS), 0.5, np.random.default_rng(0))
    assert out.footage.frames.shape[1:3] == pytest.approx(SIZE[::-1], abs=2)


def test_the_moved_reference_moves_as_the_clip_does(clean):
    chain = (PlannedFault("shake", 0.8, 3), PlannedFault("stutter", 0.6, 4))
    reference = moved_reference(Footage(clean.copy(), FPS), chain)
    result = apply_chain(Footage(clean.copy(), FPS), chain, 4.0)
    same = replace(codecs.NEAR_LOSSLESS, quality=4.0)
    assert needs_margin(chain)
    assert result.data == codecs.encode(Footage(reference, FPS), same)


@pytest.mark.parametrize(
    "codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1", "mpeg4", "mjpeg"]
)
def test_a_codec_at_lower_quality_gives_fewer_bytes_and_more_error(clean, codec):
    sizes, errors = [], []
    for severity in (0.1, 1.0):
        data = codecs.encode(Footage(clean, FPS), codecs.encoding_of(codec, severity))
        sizes.append(len(data))
        errors.append(distance(codecs.decode(data, SIZE), clean))
    assert sizes[1] < sizes[0]
    assert errors[1] > errors[0]


def test_chains_are_in_physical_order_without_opposites_or_two_codecs():
    for seed in range(300):
        chain = draw_chain(np.random.default_rng(seed))
        assert len(chain) <= 4
        stages = [FAULTS[fault.attribute].stage for fault in chain]
        assert stages == sorted(stages)
        names = {fault.attribute for fault in chain}
        assert len(names) == len(chain)
        assert not {"low contrast", "high contrast"} <= names
        assert sum(isinstance(FAULTS[name], CodecFault) for name in names) <= 1
        assert all(0 < fault.severity <= 1 for fault in chain)


def test_each_chain_has_a_leading_fault_as_often_as_it_is_named():
    leading = ("other artifact", "other artifact", "ringing")
    chains = [draw_chain(np.random.default_rng(seed), leading=leading) for seed in range(600)]
    drawn = [{fault.attribute for fault in chain} for chain in chains]
    assert all(names & set(leading) for names in drawn)
    assert any(len(names) > 1 for names in drawn)
    # Either may also come as one of the further faults, as rarely as everywhere.
    artifacts, halos = ("other artifact" in n for n in drawn), ("ringing" in n for n in drawn)
    assert 0.6 < np.mean([*artifacts]) < 0.76
    assert 0.28 < np.mean([*halos]) < 0.44


def first_dimensions(balance):
    chains = [draw_chain(np.random.default_rng(seed), balance) for seed in range(1500)]
    worst = [max(c, key=lambda f: f.severity).attribute for c in chains if c]
    shares = {d: sum(dimension_of(n) is d for n in worst) / len(worst) for d in ATTRIBUTES}
    return (
        shares,
        sum(not c for c in chains) / len(chains),
        {f.attribute for c in chains for f in c},
    )


def test_balance_moves_from_finevd_to_uniform():
    natural, natural_clean, _ = first_dimensions(0.0)
    uniform, uniform_clean, seen = first_dimensions(1.0)
    assert natural[Dimension.BLUR] > 0.55
    assert natural[Dimension.NOISE] < 0.1
    assert all(0.14 < share < 0.27 for share in uniform.values())
    assert uniform_clean == pytest.approx(0.20, abs=0.04)
    assert natural_clean == pytest.approx(0.264, abs=0.04)
    assert seen == set(ALL_ATTRIBUTES)


def test_ramp_is_linear_between_its_anchors():
    assert [ramp(s, 0, 1, 3) for s in (0, 0.25, 0.5, 0.75, 1)] == [0, 0.5, 1, 2, 3]


def test_camera_noise_keeps_its_power_around_its_frequency():
    signal = filtered_noise(512, 64.0, 4.0, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(signal * np.hanning(512))) ** 2
    frequency = np.fft.rfftfreq(512, 1 / 64.0)
    near = (frequency > 2) & (frequency < 9)
    assert power[near].sum() / power.sum() > 0.85


def test_the_camera_moves_smoothly_and_stays_in_the_picture(clean):
    steps = np.abs(np.diff(clean.astype(float), axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0).all()
    assert steps.max() < 30


def test_stages_follow_the_life_of_a_video():
    assert [s.name for s in sorted(Stage)] == [
        "CAMERA",
        "LENS",
        "SENSOR",
        "PROCESSING",
        "TIMING",
        "ENCODING",
    ]


@pytest.mark.parametrize("attribute", ATTRIBUTES[Dimension.TEMPORAL])
def test_clips_of_few_frames_a_second_take_faults_of_time(clean, attribute):
    for seed in range(4):
        chain = (PlannedFault(attribute, 0.6, seed),)
        assert apply_chain(Footage(clean.copy(), 6.0), chain).num_frames == len(clean)
