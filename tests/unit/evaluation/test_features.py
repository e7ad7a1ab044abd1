import csv

import numpy as np
import pytest

from finevq.errors import DatasetError, InvalidInputError
from finevq.evaluation.feature_files import evaluate_feature_file
from finevq.evaluation.feature_matrix import read_features
from finevq.evaluation.features import evaluate_features


def _synthetic(num=80, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num, 6))
    mos = 50 + 10 * np.tanh(features[:, 0]) + 3 * features[:, 1] + rng.normal(size=num)
    return features, mos


@pytest.mark.parametrize("regressor", ["svr", "ridge"])
def test_a_regressor_learns_what_the_features_tell(regressor):
    summary = evaluate_features(*_synthetic(), regressor=regressor, repeats=4).summary()
    assert summary["srcc"]["median"] > 0.8
    assert summary["rmse"]["median"] < 6


def test_features_without_information_score_near_zero():
    _, mos = _synthetic(200)
    noise = np.random.default_rng(1).normal(size=(200, 5))
    summary = evaluate_features(noise, mos, regressor="ridge", repeats=20).summary()
    assert summary["srcc"]["median"] is None or abs(summary["srcc"]["median"]) < 0.25


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    features, mos = _synthetic()
    one, two, three = (
        evaluate_features(features, mos, regressor="ridge", repeats=3, seed=seed).values
        for seed in (1, 1, 2)
    )
    assert one == two
    assert one["srcc"] != three["srcc"]


def test_a_constant_column_is_undefined_not_zero():
    _, mos = _synthetic()
    summary = evaluate_features(np.ones((80, 1)), mos, regressor="none", repeats=3).summary()
    assert summary["srcc"] == {"median": None, "std": None}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"regressor": "forest"}, "known are svr, ridge, none"),
        ({"repeats": 0}, "at least 1 split"),
        ({"regressor": "none"}, "takes one column"),
    ],
)
def test_impossible_requests_say_what_is_allowed(kwargs, message):
    with pytest.raises(InvalidInputError, match=message):
        evaluate_features(*_synthetic(), **kwargs)


def test_rows_must_pair_with_labels():
    features, mos = _synthetic()
    with pytest.raises(InvalidInputError, match="80 rows of features do not pair with 79 labels"):
        evaluate_features(features, mos[:-1])
    with pytest.raises(InvalidInputError, match="10 videos are too few"):
        evaluate_features(features[:10], mos[:10])


def test_matrices_are_read_from_every_format_and_nan_becomes_zero(tmp_path):
    matrix = np.arange(12.0).reshape(4, 3)
    matrix[1, 1] = np.nan
    expected = np.nan_to_num(matrix)
    np.save(tmp_path / "f.npy", matrix)
    np.savez(tmp_path / "f.npz", small=np.zeros(2), features=matrix)
    with (tmp_path / "f.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "a", "b", "c"], *[["v", *row] for row in matrix]])
    for name in ("f.npy", "f.npz", "f.csv"):
        found = read_features(tmp_path / name)
        np.testing.assert_array_equal(found.values, expected)
        assert found.notes == ["1 values are NaN, infinite or empty and count as 0"]


def test_unreadable_features_are_named(tmp_path):
    (tmp_path / "f.txt").write_text("1 2")
    (tmp_path / "broken.mat").write_bytes(b"not matlab")
    (tmp_path / "words.csv").write_text("a,b\nx,y\n")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "broken.npz").write_bytes(b"not numpy")
    np.save(tmp_path / "words.npy", np.array(["x", "y"]))
    for name, message in (
        ("f.txt", "are read from .mat"),
        ("missing.npy", "no such feature file"),
        ("broken.mat", "cannot be read as MATLAB"),
        ("words.csv", "no column of numbers"),
        ("ragged.csv", "row 3: 1 cells, the first row has 2"),
        ("words.npy", "no matrix of real numbers"),
        ("broken.npz", "not a NumPy archive"),
    ):
        with pytest.raises(DatasetError, match=message):
            read_features(tmp_path / name)


@pytest.fixture
def labelled(tmp_path):
    """A label file and a feature matrix that explains it."""
    features, mos = _synthetic()
    rows = [[f"v{i}.mp4", value] for i, value in enumerate(mos)]
    path = tmp_path / "labels.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["name", "mos"], *rows])
    return path, features


def _judged(features, labels, **kwargs):
    return evaluate_feature_file(features, labels, regressor="ridge", repeats=3, **kwargs)


def test_named_rows_pair_with_labels_in_any_order(labelled, tmp_path):
    labels, features = labelled
    np.save(tmp_path / "f.npy", features)
    order = np.random.default_rng(0).permutation(len(features))
    rows = [[f"folder/v{i}.avi", *features[i]] for i in order]
    rows.append(["unlabelled.mp4", *features[0]])
    header = ["video", *(f"f{i}" for i in range(6))]
    with (tmp_path / "f.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    assert (
        _judged(tmp_path / "f.csv", labels)["srcc"] == _judged(tmp_path / "f.npy", labels)["srcc"]
    )
    with (tmp_path / "f.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows[:-2]])
    with pytest.raises(DatasetError, match=f"no features of 1 of 80 labelled videos: v{order[-1]}"):
        _judged(tmp_path / "f.csv", labels)
    with (tmp_path / "f.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows, rows[0]])
    with pytest.raises(DatasetError, match="1 rows name a video twice"):
        _judged(tmp_path / "f.csv", labels)


def test_labels_inside_a_feature_file_are_no_features(labelled, tmp_path):
    labels, features = labelled
    mos = [line.split(",")[1] for line in labels.read_text().splitlines()[1:]]
    noise = np.random.default_rng(5).normal(size=len(mos))
    rows = [[m, m, n, "x"] for m, n in zip(mos, noise, strict=True)]
    with (tmp_path / "f.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["MOS", "mos_blur", "f0", "codec"], *rows])
    summary = _judged(tmp_path / "f.csv", labels)
    assert summary["num_features"] == 1
    assert "columns mos, mos_blur are labels and no features" in summary["notes"]
    del features


def test_gaps_constant_columns_and_turned_matrices_are_handled(labelled, tmp_path):
    labels, features = labelled
    odd = np.column_stack([features, np.full(80, np.nan), np.ones(80), np.full(80, np.inf)])
    np.save(tmp_path / "odd.npy", odd.T)
    summary = _judged(tmp_path / "odd.npy", labels)
    assert summary["num_features"] == 9
    assert summary["srcc"]["median"] > 0.8
    assert summary["notes"][0].startswith("160 values are NaN")
    assert summary["notes"][1] == "the matrix has a column a video and was turned"
    cells = [["" if i == j else value for j, value in enumerate(row)] for i, row in enumerate(odd)]
    with (tmp_path / "gaps.csv").open("w", newline="") as file:
        csv.writer(file).writerows(cells)
    assert _judged(tmp_path / "gaps.csv", labels)["num_features"] == 9


def test_numbers_do_not_depend_on_the_number_of_threads():
    one, many = (evaluate_features(*_synthetic(), repeats=4, num_threads=n).values for n in (1, 3))
    assert one == many


def test_an_unknown_protocol_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="known is random-80-20"):
        evaluate_feature_file(tmp_path / "f.mat", tmp_path / "l.csv", protocol="all")


@pytest.mark.parametrize(
    ("name", "keep_gray", "expected"),
    [
        ("KONVID_1K", False, 0.542),
        ("LIVE_VQC", False, 0.596),
        ("YOUTUBE_UGC", True, 0.238),
    ],
)
def test_niqe_has_its_published_srcc(shared, name, keep_gray, expected):
    folder = shared / "data" / "videval"
    summary = evaluate_feature_file(
        folder / f"{name}_NIQE_scores.mat",
        folder / f"{name}_metadata.csv",
        regressor="none",
        higher_is_better=False,
        keep_flagged=keep_gray,
    )
    assert summary["srcc"]["median"] == pytest.approx(expected, abs=0.0006)


def test_gray_videos_are_left_out_and_said_so(shared):
    folder = shared / "data" / "videval"
    summary = evaluate_feature_file(
        folder / "YOUTUBE_UGC_NIQE_scores.mat",
        folder / "YOUTUBE_UGC_metadata.csv",
        regressor="none",
        repeats=2,
    )
    assert summary["num_videos"] == 1323
    assert summary["notes"] == ["left out 57 videos flagged gray"]


@pytest.mark.full
def test_videval_comes_near_its_published_table_on_a_few_splits(shared):
    folder = shared / "data" / "videval"
    summary = evaluate_feature_file(
        folder / "LIVE_VQC_VIDEVAL_feats.mat", folder / "LIVE_VQC_metadata.csv", repeats=20
    )
    # the median of 20 splits scatters by about .01 around that of 100
    assert summary["srcc"]["median"] == pytest.approx(0.7522, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "srcc", "plcc"),
    [
        ("KONVID_1K", 0.7832, 0.7803),
        ("LIVE_VQC", 0.7522, 0.7514),
        ("YOUTUBE_UGC", 0.7787, 0.7733),
    ],
)
def test_videval_has_its_published_table(shared, name, srcc, plcc):
    folder = shared / "data" / "videval"
    summary = evaluate_feature_file(
        folder / f"{name}_VIDEVAL_feats.mat", folder / f"{name}_metadata.csv"
    )
    assert summary["srcc"]["median"] == pytest.approx(srcc, abs=0.01)
    assert summary["plcc"]["median"] == pytest.approx(plcc, abs=0.01)
