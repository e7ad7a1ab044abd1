"""`finevq study` from a folder of clips to labels, exports and question-answer pairs."""

import csv
import json
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from finevq.cli.main import app
from finevq.errors import ConfigError, DatasetError, StudyError, VideoDecodeError
from finevq.settings import Settings
from finevq.study.definition import load_values
from finevq.study.folder import create_study, open_study
from finevq.study.labels import read_labels
from finevq.study.results import read_results
from finevq.study.sessions import BallotForm, SubjectSession
from finevq.study.store import Store
from finevq.study.vote_files import read_votes

FORMULA = '=HYPERLINK("http://example.org", "look")'
SUREAL_MODELS = {
    "mos": "MosModel",
    "bt500": "SubjrejMosModel",
    "zscore": "ZscoringMosModel",
    "zscore-bt500": "ZscoringSubjrejMosModel",
    "bias": "BiasremvMosModel",
    "mle": "SubjectMLEModelProjectionSolver2",
}
DIMENSIONS = ("color", "noise", "artifact", "blur", "temporal", "overall")


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["study", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def _write_clip(path: Path, shade: int, noise: int = 0) -> None:
    generator = np.random.default_rng(shade)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(3):
            picture = np.full((48, 64, 3), shade, np.int16)
            picture[:, index * 8 : index * 8 + 16] = 255 - shade
            picture = picture + generator.integers(-noise, noise + 1, picture.shape)
            frame = np.clip(picture, 0, 255).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for index in range(6):
        _write_clip(folder / f"clip{index}.mp4", 30 * index, 10 * index)
    return folder


@pytest.fixture
def study(tmp_path: Path, videos: Path) -> Path:
    """A finished study of seven subjects, of whom S07 answers at random."""
    config = tmp_path / "study.yaml"
    config.write_text(
        "title: Pilot\nrepeat_share: 0\nclips:\n"
        "  clip0.mp4: {role: training, answers: {overall: good}}\n"
        "  clip1.mp4: {category: indoor}\n"
    )
    folder = tmp_path / "pilot"
    output = _run("create", folder, "--videos", videos, "--config", config)
    assert "password:" in output
    links = _run("invite", folder, "--subjects", "7").split()
    store = open_study(folder)
    for number, link in enumerate(links[1::2]):
        # A clock that moves on by a second whenever it is read.
        clock = count(1_700_000_000.0).__next__
        _take_part(SubjectSession(store, link.rpartition("/")[2], clock), number)
    store.close()
    return folder


def _take_part(session: SubjectSession, number: int) -> None:
    generator = np.random.default_rng(number)
    session.consent()
    session.answer_questionnaire({"vision": "normal", "question_1": "a private answer"})
    session.confirm_viewing({})
    session.confirm_instructions()
    while (state := session.state())["stage"] == "rating":
        position = state["clip"]["position"]
        clip = int(session.current_clip_file(position).removesuffix(".mp4")[-1])
        session.start_playback(position, key := f"playback-{number}-{position}")
        session.end_playback(key)
        level = int(generator.integers(1, 6)) if number == 6 else min(max(clip - 1, 1), 5)
        seen = ["none"] if level >= 4 else ["shake", "other"]
        session.submit(
            BallotForm(
                position=position,
                submission=f"ballot-{number}-{position}",
                ratings=dict.fromkeys(DIMENSIONS, level),
                attributes={name: ["none"] for name in DIMENSIONS[:-2]} | {"temporal": seen},
                other={"temporal": FORMULA} if "other" in seen else {},
            )
        )


def test_analyze_prints_the_promised_json_in_the_files_order(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("stimulus,reference,ann,bob,cy\nz,z,5,4,5\na,z,2,,1\nm,z,3,3,2\n")
    for method in ("mos", "bt500", "zscore", "zscore-bt500", "bias", "mle"):
        result = json.loads(_run("analyze", votes, "--method", method, "--json"))
        assert list(result) == ["stimuli", "subjects"]
        assert [row["stimulus"] for row in result["stimuli"]] == ["z", "a", "m"]
        assert [row["subject"] for row in result["subjects"]] == ["ann", "bob", "cy"]
        for row in result["stimuli"]:
            assert list(row) == ["stimulus", "quality", "ci95"]
            assert row["ci95"][0] <= row["quality"] <= row["ci95"][1]
        for row in result["subjects"]:
            assert list(row) == ["subject", "bias", "inconsistency", "rejected"]
            assert isinstance(row["rejected"], bool)


@pytest.mark.parametrize("form", ["wide", "long"])
@pytest.mark.parametrize("method", SUREAL_MODELS)
def test_analyze_prints_sureals_published_results(
    shared: Path, tmp_path: Path, form: str, method: str
) -> None:
    folder = shared / "data" / "subjective"
    name = "nflx_public_with_outliers"
    golden = json.loads((folder / "sureal_golden.json").read_text())[name][SUREAL_MODELS[method]]
    votes = folder / f"{name}_votes.csv"
    if form == "long":
        votes = _as_long(votes, tmp_path / "long.csv")
    result = json.loads(_run("analyze", votes, "--method", method, "--json"))
    tolerance = 1e-4 if method == "mle" else 1e-6
    stimuli, subjects = result["stimuli"], result["subjects"]
    quality = np.array([row["quality"] for row in stimuli])
    np.testing.assert_allclose(quality, golden["quality_scores"], rtol=0, atol=tolerance)
    low, high = np.array([row["ci95"] for row in stimuli]).T
    np.testing.assert_allclose(
        (high - low) / 2, golden["quality_scores_ci95"][0], rtol=0, atol=tolerance
    )
    for key, column in (("observer_bias", "bias"), ("observer_inconsistency", "inconsistency")):
        if key in golden:
            ours = [row[column] for row in subjects]
            np.testing.assert_allclose(ours, golden[key], rtol=0, atol=tolerance)
    rejected = [bool(value) for value in golden.get("observer_rejected", [0] * len(subjects))]
    assert [row["rejected"] for row in subjects] == rejected
    assert any(rejected) == ("bt500" in method)


def _as_long(wide: Path, target: Path) -> Path:
    with wide.open() as file, target.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["stimulus", "reference", "subject", "score"])
        for row in csv.DictReader(file):
            stimulus, reference = row.pop("stimulus"), row.pop("reference")
            writer.writerows([stimulus, reference, *vote] for vote in row.items())
    return target


def test_analyze_knows_differential_scores_and_says_so_without_references(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("stimulus,reference,ann,bob\nz,z,4,4\na,z,2,2\n")
    result = json.loads(_run("analyze", votes, "--method", "mos", "--dmos", "--json"))
    assert [row["quality"] for row in result["stimuli"]] == [4.0, 2.0]
    votes.write_text("stimulus,ann,bob\nz,4,4\n")
    with pytest.raises(StudyError, match="a column 'reference'"):
        _run("analyze", votes, "--dmos")


def test_a_study_becomes_labels_and_a_report(study: Path, tmp_path: Path) -> None:
    report, labels = tmp_path / "report.html", tmp_path / "labels.csv"
    output = _run("analyze", study, "--method", "mos", "--html", report, "--labels", labels)
    assert "clip5.mp4" in output
    with labels.open() as file:
        rows = {row["video"]: row for row in csv.DictReader(file)}
    assert list(rows) == [f"clip{index}.mp4" for index in range(1, 6)]
    assert float(rows["clip5.mp4"]["mos_overall"]) > float(rows["clip1.mp4"]["mos_overall"])
    assert rows["clip5.mp4"]["level_overall"] == "excellent"
    assert rows["clip1.mp4"]["attributes_temporal"] == "shake|other temporal"
    assert rows["clip1.mp4"]["most_impactful_dimension"] == "temporal"
    assert float(rows["clip1.mp4"]["agreement_temporal"]) >= 0.5
    parquet = tmp_path / "labels.parquet"
    _run("analyze", study, "--method", "mos", "--labels", parquet)
    columns = pyarrow.parquet.read_table(parquet)
    assert columns.schema.field("mos_overall").type == pyarrow.float64()
    assert columns["mos_overall"].to_pylist() == pytest.approx(
        [float(row["mos_overall"]) for row in rows.values()], abs=1e-4
    )
    assert [video.to_row() for video in read_labels(parquet)] == columns.to_pylist()
    text = report.read_text()
    assert "indoor" in text
    assert text.count("<svg") >= 6 * 4
    assert "<script" not in text


def test_exports_are_read_back_as_the_same_votes_and_hold_nothing_personal(
    study: Path, tmp_path: Path
) -> None:
    _run("export", study, "--output", tmp_path / "out")
    store = open_study(study)
    table = read_results(store).vote_tables()["overall"]
    store.close()
    for name in ("votes.csv", "sureal_overall.json", "p910_overall.csv"):
        tables = read_votes(tmp_path / "out" / name)
        read = tables.get("overall") or tables["quality"]
        np.testing.assert_array_equal(np.sort(read.votes, axis=1), np.sort(table.votes, axis=1))
    with (tmp_path / "out" / "ratings.csv").open() as file:
        texts = {row["other_temporal"] for row in csv.DictReader(file)}
    assert texts == {"", f"'{FORMULA}"}
    everything = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert "private" not in everything
    assert "S01" in everything


def test_pairs_are_built_revised_and_written(study: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    _run("qa", study, "--output", pairs, "--family", "rating", "--family", "description")
    rows = [json.loads(line) for line in pairs.read_text().splitlines()]
    assert {row["family"] for row in rows} == {"rating", "description"}
    _run("qa", study, "--output", pairs, "--family", "rating", "--revise", study)

    from finevq.study.qa_revision import next_open, revise

    store = open_study(study)
    with store.writing() as session:
        owner = store.study(session)
        first = next_open(session, owner)
        assert first is not None
        revise(session, owner, first.id, "accept", first.question, first.answer + " Really.")
        second = next_open(session, owner)
        assert second is not None
        with pytest.raises(StudyError, match="does not agree with the labels"):
            revise(session, owner, second.id, "accept", second.question, "It is undecided.")
        session.refresh(second)
        revise(session, owner, second.id, "reject", "", "")
    store.close()
    _run("qa", study, "--revised", "--output", pairs)
    (row,) = [json.loads(line) for line in pairs.read_text().splitlines()]
    assert row["answer"].endswith("Really.")


def test_a_subject_is_deleted_to_the_last_byte_and_a_backup_still_holds_him(
    study: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    _run("backup", study, "--output", backup)
    assert backup.stat().st_mode & 0o077 == 0
    with pytest.raises(StudyError, match="a backup never overwrites"):
        _run("backup", study, "--output", backup)
    _run("delete-subject", study, "S07", "--yes")
    store = open_study(study)
    results = read_results(store)
    store.close()
    assert "S07" not in {ballot.subject for ballot in results.ballots}
    copy = Store(f"sqlite:///{backup}", study.name)
    copied = read_results(copy)
    copy.close()
    assert [b for b in copied.ballots if b.subject != "S07"] == list(results.ballots)
    assert {b.subject for b in copied.ballots} == {f"S{n:02d}" for n in range(1, 8)}
    for subject in ("S01", "S02", "S03", "S04", "S05", "S06"):
        _run("delete-subject", study, subject, "--yes")
    left = b"".join(path.read_bytes() for path in study.glob("study.db*"))
    assert b"a private answer" not in left
    log = _run("audit", study)
    assert [line.split("\t")[2] for line in log.splitlines()] == [
        "create",
        "invite",
        "backup",
        *["delete subject"] * 7,
    ]
    with pytest.raises(StudyError, match="no subject 'S07'"):
        _run("delete-subject", study, "S07", "--yes")


def test_screening_measures_and_picks_and_survives_a_broken_file(
    videos: Path, tmp_path: Path
) -> None:
    (videos / "broken.mp4").write_bytes(b"not a video")
    target = tmp_path / "chosen.csv"
    _run("screen", videos, "--count", "3", "--output", target)
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(float(row["spatial_information"]) > 0 for row in rows)
    assert "clip5.mp4" in {row["name"] for row in rows}
    _run("create", tmp_path / "screened", "--videos", target)


def test_a_label_file_that_is_none_says_why(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_bytes(b"PAR1\xff\xfe")
    with pytest.raises(DatasetError, match="cannot be read"):
        _run("qa", labels)
    labels.write_text("video,mos_overall\na,fine\n")
    with pytest.raises(DatasetError, match="a MOS or agreement must be a number or empty"):
        _run("qa", labels)


def test_a_clip_larger_than_the_screen_is_announced(videos: Path, tmp_path: Path) -> None:
    config, warnings = tmp_path / "study.yaml", list[str]()
    config.write_text("viewing: {width_pixels: 60, height_pixels: 40}\n")
    create_study(
        tmp_path / "small",
        videos,
        load_values(config),
        Settings(),
        on_clip=lambda clip: warnings.append(clip.warning),
    )
    assert len(warnings) == 6
    assert "64x48 is larger than the screen that study.yaml asks for (60x40)" in warnings[0]


def test_a_folder_that_exists_is_not_overwritten(study: Path, videos: Path) -> None:
    with pytest.raises(StudyError, match="exists; choose a new name"):
        _run("create", study, "--videos", videos)


def test_a_clip_that_cannot_be_read_leaves_no_half_study(videos: Path, tmp_path: Path) -> None:
    (videos / "broken.mp4").write_bytes(b"not a video")
    with pytest.raises(VideoDecodeError, match=r"broken\.mp4: no frame can be read"):
        _run("create", tmp_path / "new", "--videos", videos)
    assert not (tmp_path / "new").exists()
    (videos / "broken.mp4").unlink()
    _run("create", tmp_path / "new", "--videos", videos)
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "CSV file in UTF-8"),
        (b"path,name\ngone.mp4,a\n", r"lists gone\.mp4, which is no file"),
        (b"name,path\na\n", "is no file"),
        (b"file\na.mp4\n", "needs a column 'path'"),
    ],
)
def test_a_manifest_that_is_none_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        _run("create", tmp_path / "new", "--videos", manifest)
    assert not (tmp_path / "new").exists()


def test_an_empty_password_file_locks_nobody_out(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")
    with pytest.raises(StudyError, match="is empty; write the password"):
        _run(
            *("create", tmp_path / "new", "--videos", videos),
            *("--password-file", tmp_path / "password"),
        )
    assert not (tmp_path / "new").exists()


def test_a_misspelled_setting_is_found(videos: Path, tmp_path: Path) -> None:
    config = tmp_path / "study.yaml"
    config.write_text("sesion: {}\n")
    with pytest.raises(ConfigError, match="did you mean 'session'"):
        _run("create", tmp_path / "new", "--videos", videos, "--config", config)
    assert not (tmp_path / "new").exists()
