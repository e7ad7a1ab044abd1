"""`finevq evaluate` and the data-set commands from end to end, on a data set in FineVD's layout."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from finevq.cli.main import app
from finevq.datasets.finevd_release import write_release
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.vocabulary import ATTRIBUTES, FAULT_DIMENSIONS, NO_FAULT, Dimension

_NUM_VIDEOS = 60


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """A data set of known labels in FineVD's release layout; its files hold no pictures."""
    folder = tmp_path_factory.mktemp("release")
    rng = np.random.default_rng(0)
    videos, paths = [], {}
    for index in range(_NUM_VIDEOS):
        name = f"0_01_{index}.mp4"
        faults = [None, *FAULT_DIMENSIONS]
        fault = faults[index % len(faults)]
        mos = {d: 60 + 5 * rng.normal() - (20 if d is fault else 0) for d in FAULT_DIMENSIONS}
        mos[Dimension.OVERALL] = float(np.mean(list(mos.values())))
        videos.append(
            LabelledVideo(
                name=name,
                mos=mos,
                split="train" if index < _NUM_VIDEOS // 2 else "test",
                existing_distortion=ATTRIBUTES[fault][index % 3] if fault else NO_FAULT,
                most_impactful=str(fault) if fault else NO_FAULT,
                is_distorted={d: d is fault for d in FAULT_DIMENSIONS},
            )
        )
        paths[name] = folder / f"source{index}"
        paths[name].write_bytes(f"video {index}".encode())
    labels = LabelSet(name="finevd", scale=(0, 100), videos=tuple(videos), source="")
    write_release(labels, paths, folder / "finevd")
    return folder / "finevd"


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """A small data set in KoNViD-1k's layout."""
    path = tmp_path_factory.mktemp("konvid") / "KoNViD_1k_mos.csv"
    rng = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["flickr_id", "mos"])
        writer.writerows([7000 + i, 1 + 3 * rng.random()] for i in range(30))
    return path


@pytest.fixture(scope="module")
def predictions(release, other, tmp_path_factory) -> Path:
    """Predictions that follow the labels with noise."""
    rng = np.random.default_rng(2)
    path = tmp_path_factory.mktemp("predictions") / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", *Dimension])
        for name in ("MOS_train.csv", "MOS_val.csv"):
            with (release / "FineVD" / name).open() as labels:
                for row in csv.DictReader(labels):
                    noisy = [float(row[d]) + 2 * rng.normal() for d in Dimension]
                    writer.writerow([row["video_name"], *noisy])
        with other.open() as labels:
            for row in csv.DictReader(labels):
                score = 20 * float(row["mos"]) + 5 * rng.normal()
                writer.writerow([f"{row['flickr_id']}.mp4", *[score] * 6])
    return path


def _invoke(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_the_papers_tables_come_out_in_every_format(release, other, predictions, tmp_path):
    result = _invoke(
        "evaluate", "tables", "--only", "1,2,3,4,5,6,7",
        "--data", f"finevd={release}", "--data", f"konvid-1k={other}",
        "--predictions", predictions, "--out", tmp_path, "--resamples", 20, "--repeats", 5,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for number in range(1, 8):
        for suffix in ("md", "csv", "tex"):
            text = (tmp_path / f"table{number}.{suffix}").read_text()
            assert "published" in text
            assert "mine" in text or number == 2
    page = (tmp_path / "report.html").read_text()
    assert page.count("<table>") == 9
    assert "data:image/png;base64," in page
    assert (tmp_path / "scatter-mine.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "table1.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert float(rows["mine"]["blur_srcc"]) > 0.8
    assert float(rows["mine"]["blur_srcc_low"]) < float(rows["mine"]["blur_srcc"])
    assert rows["constant score"]["blur_srcc"] == ""
    assert float(rows["FineVQ (Ours)"]["overall_srcc"]) == 0.8834


def test_answers_of_another_harness_are_judged_by_table_2(release, tmp_path):
    assert _invoke("evaluate", "export", tmp_path, "--data", f"finevd={release}").exit_code == 0
    samples = tmp_path / "their.jsonl"
    with samples.open("w") as out:
        for file in sorted((tmp_path / "lmms_eval").glob("*.jsonl")):
            for line in file.read_text().splitlines():
                doc = json.loads(line)
                out.write(json.dumps({"doc": doc, "filtered_resps": [doc["answer"]]}) + "\n")
    result = _invoke(
        "evaluate", "table2", "--data", f"finevd={release}", "--answers", samples,
        "--resamples", 0,
    )  # fmt: skip
    row, _ = [line for line in result.stdout.splitlines() if line.startswith("| their |")]
    assert row.count("1.000") == 9
    assert "text only" in result.stdout


def test_a_csv_alone_is_judged_on_its_data_set(release, predictions):
    result = _invoke(
        "evaluate", predictions, "--dataset", "finevd", "--path", release, "--resamples", 0
    )
    assert result.exit_code == 0, result.output
    assert "| mine |" in result.stdout
    assert "residual SRCC" in result.stdout


def test_features_print_one_json_object(shared):
    folder = shared / "data" / "videval"
    result = _invoke(
        "evaluate", "features", folder / "LIVE_VQC_VIDEVAL_feats.mat",
        "--labels", folder / "LIVE_VQC_metadata.csv", "--protocol", "random-80-20",
        "--repeats", 2, "--regressor", "ridge", "--json",
    )  # fmt: skip
    summary = json.loads(result.stdout)
    assert set(summary) >= {"srcc", "krcc", "plcc", "rmse"}
    assert set(summary["srcc"]) == {"median", "std"}
    assert 0.6 < summary["srcc"]["median"] < 0.85


def test_a_data_set_is_described_and_drawn(release, tmp_path):
    result = _invoke("data", "describe", "finevd", "--path", release, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert f"{_NUM_VIDEOS} videos" in result.stdout
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn >= {"finevd-mos-distributions", "finevd-correlations", "finevd-attributes"}
    facts = json.loads(_invoke("data", "describe", "finevd", "--path", release, "--json").stdout)
    assert facts["splits"] == {"train": 30, "test": 30}


def test_verify_names_missing_extra_and_unreadable_files(release, clips, tmp_path):
    (tmp_path / "labels.csv").write_text(
        "name,mos,width,height\nintel_asl_bird,3,640,480\nnot-here.mp4,2,640,480\n"
        "broken,1,640,480\nskv_bikes.mp4,4,99,99\n"
    )
    for name in ("intel_asl_bird.mkv", "skv_bikes.mp4", "mma_demo.mp4"):
        (tmp_path / name).symlink_to(clips / name)
    (tmp_path / "broken.mp4").write_bytes(b"this is no video")
    result = _invoke("data", "verify", "csv", "--path", tmp_path, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["missing"] == ["not-here.mp4"]
    assert found["unlabelled"] == ["mma_demo.mp4"]
    assert set(found["unreadable"]) == {"broken"}
    assert found["mismatched"] == {"skv_bikes.mp4": "640x272, labels say 99x99"}


@pytest.mark.full
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["evaluate", "table1", "--data", "konvid-1k={other}"], 1, "table 1 needs FineVD"),
        (["evaluate", "table4", "--data", "finevd={release}"], 1, "besides FineVD"),
        (["evaluate", "table1", "--data", "nonsense"], 2, "write NAME=PATH"),
        (["evaluate", "table1", "--data", "imagenet={other}"], 1, "no data set named"),
    ],
)
def test_impossible_requests_end_with_a_sentence(release, other, arguments, code, message):
    filled = [a.format(other=other, release=release) for a in arguments]
    command = [sys.executable, "-c", "from finevq.cli.main import run; run()", *filled]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
