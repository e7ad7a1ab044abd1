import csv
from pathlib import Path

import numpy as np
import pytest

from finevq.errors import DatasetError
from finevq.evaluation.ablation_runs import ablation_report, read_runs

NAMES = {"spatial": "spatial", "motion": "spatial + motion"}


def _write(folder: Path, row: str, seed: int, noise: float, count: int = 40) -> Path:
    generator = np.random.default_rng(100 * seed + round(10 * noise))
    path = folder / row / f"seed-{seed}" / "predictions.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "dimension", "mos", "score"])
        for dimension in ("blur", "overall"):
            for number in range(count):
                score = number + generator.normal(0, noise)
                writer.writerow([f"{number}.mp4", dimension, number, score])
    return path


def test_rows_are_means_over_seeds_with_their_deviation(tmp_path: Path):
    for seed in range(3):
        _write(tmp_path, "spatial", seed, 20.0)
        _write(tmp_path, "motion", seed, 2.0)
    report = ablation_report(read_runs(tmp_path, NAMES), notes=["Budget: small."])
    rows, steps = report.tables
    assert [row.name for row in rows.rows] == list(NAMES.values())
    worse, better = (row.cells["mean_srcc"] for row in rows.rows)
    assert worse.measure.value < better.measure.value
    assert better.interval is not None
    assert better.interval.low < better.measure.value < better.interval.high
    (step,) = steps.rows
    gain = better.measure.value - worse.measure.value
    assert step.cells["mean_srcc"].measure.value == pytest.approx(gain)
    text = report.markdown()
    assert "40 test videos" in text
    assert "Budget: small." in text
    assert "seeds 0, 1, 2" in text
    written = {path.name for path in report.write(tmp_path / "out")}
    assert {"ablation.md", "ablation.csv", "ablation_steps.md", "report.html", "ablation.png"} <= (
        written
    )


def test_one_seed_has_no_deviation_and_one_row_no_steps(tmp_path: Path):
    _write(tmp_path, "spatial", 0, 5.0)
    report = ablation_report(read_runs(tmp_path, NAMES))
    (table,) = report.tables
    assert table.rows[0].cells["mean_srcc"].interval is None


def test_a_constant_score_is_told_not_counted_as_zero(tmp_path: Path):
    path = _write(tmp_path, "spatial", 0, 5.0)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "score": 1.0} for row in rows)
    text = ablation_report(read_runs(tmp_path, NAMES)).markdown()
    assert "undefined, because" in text
    assert "constant" in text


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path):
    with pytest.raises(DatasetError, match="holds no finished run"):
        read_runs(tmp_path, NAMES)
    _write(tmp_path, "spatial", 0, 5.0)
    path = _write(tmp_path, "motion", 0, 5.0, count=41)
    with pytest.raises(DatasetError, match="judged on different records"):
        read_runs(tmp_path, NAMES)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="not the predictions of a run"):
        read_runs(tmp_path, NAMES)
