"""Frame selection: equal to the reference, and true to time where timing is uneven."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finevq.video.sampling import (
    FrameTable,
    burst_indices,
    burst_rate_fps,
    official_motion_indices,
    restrict,
    uniform_indices,
    window,
)


def table_of(times, last=None):
    times = np.asarray(times, np.float64)
    steps = np.diff(times)
    last = last or (float(np.median(steps)) if len(steps) else 0.04)
    return FrameTable(
        times_seconds=times,
        durations_seconds=np.append(steps, last),
        is_keyframe=np.arange(len(times)) == 0,
    )


@pytest.fixture(scope="module")
def golden(shared: Path):
    file = shared / "goldens/finevq/golden_data.json"
    return json.loads(file.read_text())["frame_indices_by_frame_count"]


def test_eight_frames_equal_the_official_code(golden):
    for count, expected in golden.items():
        assert uniform_indices(int(count), 8).tolist() == expected["eight"], count


def test_motion_frames_equal_the_official_code(golden):
    for count, expected in golden.items():
        got = official_motion_indices(int(count))
        assert len(got) == expected["motion_count"]
        assert got.max() == expected["motion_max"]
        if isinstance(expected["motion"], list):
            assert got.tolist() == expected["motion"]
        else:
            assert got.sum() == expected["motion"]["sum"]
            assert got[:4].tolist() == expected["motion"]["first4"]
            assert got[-4:].tolist() == expected["motion"]["last4"]
            repeats = np.flatnonzero(np.diff(got) == 0) + 1
            assert repeats.tolist() == expected["motion"]["positions_equal_to_previous"]


def test_counts_below_one_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        uniform_indices(0, 8)
    with pytest.raises(ValueError, match="at least 1"):
        burst_indices(table_of([0, 1]), num_bursts=0, frames_per_burst=4)


def test_bursts_of_a_regular_clip_are_consecutive_frames_spread_over_it():
    indices = burst_indices(table_of(np.arange(300) / 30), num_bursts=4, frames_per_burst=16)
    bursts = indices.reshape(4, 16)
    assert (np.diff(bursts, axis=1) == 1).all()
    assert (np.diff(bursts[:, 0]) == 75).all()
    before, after = bursts[0, 0], 299 - bursts[-1, -1]
    assert abs(before - after) <= 1


@pytest.mark.parametrize("rate", [24, 24000 / 1001, 25, 30000 / 1001, 30, 40])
@pytest.mark.parametrize("digits", [2, 3, 6])
def test_rounded_timestamps_do_not_fake_repeats(rate, digits):
    table = table_of(np.round(np.arange(240) / rate, digits))
    if digits == 2 and rate > 30:
        pytest.skip("a hundredth of a second is too coarse a clock for this rate")
    bursts = burst_indices(table, num_bursts=4, frames_per_burst=16).reshape(4, 16)
    assert (np.diff(bursts, axis=1) == 1).all()


@given(st.integers(0, 2**32 - 1))
def test_jitter_below_a_third_of_a_step_does_not_fake_repeats(seed):
    jitter = np.random.default_rng(seed).uniform(-0.3, 0.3, 200)
    jitter[0] = 0
    table = table_of((np.arange(200) + jitter / 2) / 30)
    bursts = burst_indices(table, num_bursts=3, frames_per_burst=8).reshape(3, 8)
    assert (np.diff(bursts, axis=1) >= 0).all()
    assert (np.diff(bursts, axis=1) == 1).mean() > 0.9


def test_a_freeze_shows_as_repeated_indices():
    times = np.concatenate([np.arange(30) / 30, 2 + np.arange(30) / 30])  # frame 29 stays 1 s
    indices = burst_indices(table_of(times), num_bursts=1, frames_per_burst=20)
    assert indices.tolist() == [29] * 20


def test_a_dropped_frame_shows_as_one_repeat():
    times = np.delete(np.arange(64) / 30, 32)
    indices = burst_indices(table_of(times), num_bursts=1, frames_per_burst=32)
    assert (np.diff(indices) == 0).sum() == 1
    assert set(np.diff(indices)) == {0, 1}


def test_a_fast_clip_is_taken_at_a_fraction_of_its_rate():
    indices = burst_indices(table_of(np.arange(600) / 60), num_bursts=2, frames_per_burst=8)
    assert set(np.diff(indices.reshape(2, 8), axis=1).ravel()) == {2}


def test_a_slow_clip_repeats_its_frames_as_a_player_does():
    indices = burst_indices(table_of(np.arange(100) / 10), num_bursts=1, frames_per_burst=9)
    counts = np.unique_counts(indices).counts
    assert (counts[1:-1] == 3).all()
    assert len(counts) in (3, 4)


def test_the_grid_follows_the_clip_between_18_and_40_fps():
    assert burst_rate_fps(40.0004) == pytest.approx(40.0004)
    assert burst_rate_fps(41) == 20.5
    assert burst_rate_fps(17.9) == 30
    assert burst_rate_fps(18) == 18


@pytest.mark.parametrize("count", [1, 2, 5, 16, 17, 40])
def test_short_clips_overlap_and_then_clamp(count):
    indices = burst_indices(table_of(np.arange(count) / 30), num_bursts=4, frames_per_burst=16)
    assert indices.shape == (64,)
    assert indices.min() >= 0
    assert indices.max() == count - 1
    bursts = indices.reshape(4, 16)
    assert (np.diff(bursts, axis=1) >= 0).all()
    if count >= 16:
        assert (np.diff(bursts, axis=1) == 1).all()
    else:
        assert bursts[0].tolist() == [min(i, count - 1) for i in range(16)]


@given(
    st.lists(st.floats(0.001, 2.0), min_size=0, max_size=60),
    st.integers(1, 5),
    st.integers(1, 12),
)
def test_any_table_gives_indices_inside_it(steps, num_bursts, frames_per_burst):
    table = table_of(np.cumsum([0.0, *steps]))
    indices = burst_indices(table, num_bursts=num_bursts, frames_per_burst=frames_per_burst)
    assert len(indices) == num_bursts * frames_per_burst
    assert indices.min() >= 0
    assert indices.max() < len(table)


def test_a_window_holds_what_is_on_display_in_it():
    table = table_of([0.0, 0.5, 1.0, 5.0])
    assert window(table, 0.6, 1.2).tolist() == [1, 2]
    assert window(table, 2.0, 3.0).tolist() == [2]
    assert window(table, 0.5, 1.0).tolist() == [1]
    with pytest.raises(ValueError, match="empty"):
        window(table, 3.0, 3.0)


def test_a_restricted_table_starts_at_zero():
    table = table_of([0.0, 0.5, 1.0, 5.0])
    part = restrict(table, window(table, 0.6, 1.2))
    assert part.times_seconds.tolist() == [0.0, 0.5]
    assert part.duration_seconds == 4.5


def test_a_table_must_not_be_empty_or_ragged():
    with pytest.raises(ValueError, match="at least one frame"):
        FrameTable(
            times_seconds=np.zeros(0), durations_seconds=np.zeros(0), is_keyframe=np.zeros(0, bool)
        )
    with pytest.raises(ValueError, match="differ in length"):
        FrameTable(
            times_seconds=np.zeros(2), durations_seconds=np.zeros(1), is_keyframe=np.zeros(2, bool)
        )
