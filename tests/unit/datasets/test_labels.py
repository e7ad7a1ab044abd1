"""From severities to labels on FineVD's scale."""

import csv

import numpy as np
import pytest

from finevq.datasets.degradations.chain import FINEVD_ATTRIBUTE_COUNTS, FINEVD_DIMENSION_SHARES
from finevq.datasets.degradations.labels import (
    FINEVD_SCALE,
    OVERALL_WEIGHTS,
    label_clip,
    scale_from_labels,
)
from finevq.errors import DatasetError
from finevq.vocabulary import ALL_ATTRIBUTES, FAULT_DIMENSIONS, Dimension, dimension_of


def test_a_clean_clip_is_excellent_and_nothing_is_wrong():
    labels = label_clip({})
    assert set(labels.mos.values()) == {FINEVD_SCALE.clean}
    assert labels.most_impactful == "none"
    assert labels.attributes == ()
    assert not any(labels.distorted.values())
    assert labels.levels[Dimension.BLUR] == "undistorted"
    assert labels.levels[Dimension.OVERALL] == "excellent"


@pytest.mark.parametrize("attribute", ALL_ATTRIBUTES)
def test_the_faulted_dimension_falls_most_and_overall_follows(attribute):
    labels = label_clip({attribute: 0.8})
    faulted = dimension_of(attribute)
    others = [labels.mos[d] for d in FAULT_DIMENSIONS if d is not faulted]
    assert labels.mos[faulted] < 40 < min(others)
    assert labels.mos[Dimension.OVERALL] < 40
    assert labels.most_impactful == faulted
    assert labels.attributes == (attribute,)


def test_more_severity_never_raises_a_score():
    for attribute in ALL_ATTRIBUTES:
        scores = [label_clip({attribute: s, "moire": 0.3}).mos for s in np.linspace(0.3, 1, 8)]
        for dimension in Dimension:
            values = [mos[dimension] for mos in scores]
            assert values == sorted(values, reverse=True)


def test_the_worst_fault_decides_and_blur_before_the_others():
    assert label_clip({"camera blur": 0.7, "flicker": 0.4}).most_impactful == "blur"
    assert label_clip({"camera blur": 0.4, "flicker": 0.7}).most_impactful == "temporal"
    for attribute in ("moire", "gaussian noise", "shake", "low contrast"):
        assert label_clip({"camera blur": 0.6, attribute: 0.6}).most_impactful == "blur"
    assert max(OVERALL_WEIGHTS, key=OVERALL_WEIGHTS.__getitem__) is Dimension.BLUR


def test_vmaf_moves_overall_but_not_which_dimension_is_worst():
    plain = label_clip({"camera blur": 0.5})
    seen_worse = label_clip({"camera blur": 0.5}, vmaf=15.0)
    seen_better = label_clip({"camera blur": 0.5}, vmaf=95.0)
    overall = Dimension.OVERALL
    assert seen_worse.mos[overall] < plain.mos[overall] < seen_better.mos[overall]
    assert seen_worse.most_impactful == "blur"


def test_vmaf_of_a_clip_whose_picture_is_untouched_changes_nothing():
    assert label_clip({"shake": 0.5}, vmaf=60.0) == label_clip({"shake": 0.5})


def test_vmaf_moves_a_gray_clip_as_it_moves_a_colored_one_but_not_a_noisy_one():
    overall = Dimension.OVERALL
    gray = {"camera blur": 0.7, "low saturation": 0.6}
    noisy = {"camera blur": 0.7, "gaussian noise": 0.6}
    assert label_clip(gray, vmaf=15.0).mos[overall] < label_clip(gray).mos[overall]
    assert label_clip(noisy, vmaf=15.0) == label_clip(noisy)


def test_a_poor_source_lowers_all_scores():
    fine, poor = label_clip({"shake": 0.4}), label_clip({"shake": 0.4}, source_quality=0.5)
    assert all(poor.mos[d] < fine.mos[d] for d in Dimension)
    assert min(label_clip({"shake": 1.0}, source_quality=0.1).mos.values()) >= FINEVD_SCALE.ruined


def test_a_scale_needs_a_table_with_overall_scores(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,mos\na,3\n")
    with pytest.raises(DatasetError, match="mos_overall"):
        scale_from_labels(path)


def test_the_constants_are_those_of_finevd(shared):
    """The documented numbers can be derived from the public labels."""
    path = shared / "data/finevd/labels.csv"
    derived = scale_from_labels(path)
    assert (derived.low, derived.high) == (FINEVD_SCALE.low, FINEVD_SCALE.high)
    assert derived.clean == pytest.approx(FINEVD_SCALE.clean, abs=0.5)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for dimension, share in FINEVD_DIMENSION_SHARES.items():
        counted = sum(row["most_impactful_dimension"] == dimension for row in rows) / len(rows)
        assert counted == pytest.approx(share, abs=0.001)
    named = [name for row in rows for name in row["existing_distortion"].split("|")]
    for attribute, count in FINEVD_ATTRIBUTE_COUNTS.items():
        assert max(1, named.count(attribute)) == count
