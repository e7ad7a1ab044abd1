import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from assessments import MODEL, make_assessment
from finevq.errors import InvalidInputError
from finevq.records import Failure, ModelIdentity
from finevq.report.result_files import ParquetFile, ResultFile, read_outcomes
from finevq.report.result_rows import CsvRows, FileStamp, JsonLines, RowFormat
from finevq.report.rows import COLUMNS
from finevq.vocabulary import DIMENSIONS

STAMP = FileStamp(1234, 1_700_000_000_000_000_001)
OUTCOMES = (
    make_assessment('a "quoted", name\nwith lines.mp4', seed=1),
    Failure("b.mp4", "VideoDecodeError", "no frame"),
    make_assessment("c.mp4", timeline=True, seed=3),
)
KINDS = ["jsonl", "csv", "parquet"]


opened: list[ResultFile] = []


@pytest.fixture(autouse=True)
def _closed_files() -> Iterator[None]:
    """Let go of the files of processes that the tests say were killed."""
    yield
    while opened:
        opened.pop().abandon()


def begin(path: Path, kind: str, *, resume: bool = False) -> ResultFile:
    rows: RowFormat = JsonLines() if kind == "jsonl" else CsvRows()
    if kind == "parquet":
        opened.append(ParquetFile(str(path), resume=resume))
    else:
        opened.append(ResultFile(str(path), rows, resume=resume))
    return opened[-1]


def growing(path: Path, kind: str) -> Path:
    return Path(f"{path}.partial.jsonl") if kind == "parquet" else path


def videos(path: Path, kind: str) -> list[str]:
    if kind == "parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path)["video"].to_pylist()
    if kind == "jsonl":
        return [json.loads(line)["video"] for line in path.read_bytes().splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        return [row["video"] for row in csv.DictReader(file)]


def write_all(file: ResultFile) -> None:
    for outcome in OUTCOMES:
        file.write(outcome, STAMP)


@pytest.mark.parametrize("kind", KINDS)
def test_results_stand_in_their_order_failures_included(tmp_path: Path, kind: str):
    file = begin(tmp_path / "out", kind)
    write_all(file)
    file.close()
    assert videos(tmp_path / "out", kind) == [outcome.video for outcome in OUTCOMES]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_in_the_file_at_once(tmp_path: Path, kind: str):
    file = begin(tmp_path / "out", kind)
    before = growing(tmp_path / "out", kind).stat().st_size
    file.write(OUTCOMES[0], STAMP)
    assert growing(tmp_path / "out", kind).stat().st_size > before


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_file_knows_its_rows(tmp_path: Path, kind: str):
    file = begin(tmp_path / "out", kind)
    write_all(file)
    file.close()
    again = begin(tmp_path / "out", kind, resume=True)
    first, failed, last = (again.find(outcome.video) for outcome in OUTCOMES)
    assert first is not None
    assert last is not None
    assert first.holds(STAMP, MODEL, timeline=False)
    assert not first.holds(STAMP, MODEL, timeline=True)
    assert last.holds(STAMP, MODEL, timeline=True)
    assert not first.holds(FileStamp(1234, 5), MODEL, timeline=False)
    assert not first.holds(STAMP, ModelIdentity(MODEL.name, "8"), timeline=False)
    assert failed is not None
    assert not failed.holds(STAMP, MODEL, timeline=False)
    assert again.find("d.mp4") is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_continues_behind_the_last_whole_row(tmp_path: Path, kind: str):
    path = tmp_path / "out"
    killed = begin(path, kind)
    write_all(killed)
    # No close: the process is gone, in the middle of a row.
    content = growing(path, kind).read_bytes()
    last_row = content.rstrip(b"\r\n").rindex(b"\n") + 1
    for cut in range(last_row, len(content), max((len(content) - last_row) // 7, 1)):
        growing(path, kind).write_bytes(content[:cut])
        again = begin(path, kind, resume=True)
        assert again.find(OUTCOMES[0].video) is not None
        assert again.find(OUTCOMES[1].video) is not None
        assert again.find(OUTCOMES[2].video) is None


def test_a_killed_csv_cut_anywhere_never_gives_a_wrong_row(tmp_path: Path):
    path = tmp_path / "out.csv"
    killed = begin(path, "csv")
    write_all(killed)
    content = path.read_bytes()
    whole = {row.video: row.encoded for row in CsvRows().decode(content, "out.csv")}
    assert list(whole) == [outcome.video for outcome in OUTCOMES]
    for cut in range(len(CsvRows().header), len(content), 3):
        rows = list(CsvRows().decode(content[:cut], "out.csv"))
        assert all(whole[row.video] == row.encoded for row in rows), cut


@pytest.mark.parametrize("kind", KINDS)
def test_a_continued_file_ends_in_the_order_of_the_call(tmp_path: Path, kind: str):
    path = tmp_path / "out"
    first = begin(path, kind)
    for video in ("old.mp4", "c.mp4"):
        first.write(make_assessment(video), STAMP)
    first.close()
    again = begin(path, kind, resume=True)
    for video in ("a.mp4", "d.mp4"):
        again.write(make_assessment(video), STAMP)
    again.close(["a.mp4", "c.mp4", "d.mp4"])
    assert videos(path, kind) == ["old.mp4", "a.mp4", "c.mp4", "d.mp4"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_that_was_tried_again_leaves_one_row(tmp_path: Path, kind: str):
    path = tmp_path / "out"
    first = begin(path, kind)
    first.write(Failure("a.mp4", "VideoDecodeError", "busy"), STAMP)
    first.close()
    again = begin(path, kind, resume=True)
    again.write(make_assessment("a.mp4"), STAMP)
    again.close(["a.mp4"])
    assert videos(path, kind) == ["a.mp4"]
    row = begin(path, kind, resume=True).find("a.mp4")
    assert row is not None
    assert row.model == MODEL


@pytest.mark.parametrize("kind", KINDS)
def test_without_resume_a_file_is_begun_anew(tmp_path: Path, kind: str):
    for video in ("a.mp4", "b.mp4"):
        file = begin(tmp_path / "out", kind)
        file.write(make_assessment(video), STAMP)
        file.close()
    assert videos(tmp_path / "out", kind) == ["b.mp4"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"name,mos\r\na.mp4,3\r\n", b'{"video": "a.mp4"}\n', b"[1]\n"])
def test_a_file_of_someone_else_is_not_continued(tmp_path: Path, kind: str, content: bytes):
    path = tmp_path / "out"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"cannot resume .*out.*choose another file"):
        begin(path, kind, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "message"),
    [("no/folder/out", "there is no folder"), (".", "it is a folder")],
)
def test_what_cannot_be_written_is_said_at_once(tmp_path: Path, kind: str, name: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        begin(tmp_path / name, kind)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_full_disk_is_an_error_that_names_the_file(kind: str):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full (Linux)")
    with pytest.raises(InvalidInputError, match=r"cannot write '/dev/full': No space left"):  # noqa: PT012  # either
        file = begin(Path("/dev/full"), kind)
        file.write(OUTCOMES[0], STAMP)


def test_parquet_keeps_types(tmp_path: Path):
    import pyarrow.parquet

    file = begin(tmp_path / "out", "parquet")
    write_all(file)
    file.close()
    table = pyarrow.parquet.read_table(tmp_path / "out")
    names = {str: "string", float: "double", int: "int64", bool: "bool"}
    assert [str(table.schema.field(name).type) for name in COLUMNS] == [
        names[kind] for kind in COLUMNS.values()
    ]
    assert table["file_modified_ns"].to_pylist() == [STAMP.file_modified_ns] * 3


def test_whole_results_can_be_read_from_json_lines(tmp_path: Path):
    file = begin(tmp_path / "out", "jsonl")
    write_all(file)
    file.close()
    outcomes = read_outcomes(str(tmp_path / "out"))
    assert list(outcomes) == [outcome.video for outcome in OUTCOMES]
    assert outcomes["b.mp4"] == OUTCOMES[1]
    assert type(outcomes["c.mp4"]) is type(OUTCOMES[2])


def test_a_name_that_looks_like_a_formula_is_text_in_csv_and_found_again(tmp_path):
    names = ["=HYPERLINK(1).mp4", "-1.mp4", "+a.mp4", "@a.mp4", "'=b.mp4", "plain=1.mp4"]
    path = str(tmp_path / "results.csv")
    file = ResultFile(path, CsvRows())
    for name in names:
        file.write(Failure(name, "VideoDecodeError", "=cmd"), STAMP)
    file.close()
    with open(path, newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["video"] for row in rows] == [
        "'=HYPERLINK(1).mp4", "'-1.mp4", "'+a.mp4", "'@a.mp4", "''=b.mp4", "plain=1.mp4",
    ]  # fmt: skip
    assert rows[0]["error_message"] == "'=cmd"
    again = ResultFile(path, CsvRows(), resume=True)
    opened.append(again)
    assert all(again.find(name) is not None for name in names)
    assert again.find("=b.mp4") is None


def test_negative_numbers_stay_numbers_in_csv(tmp_path):
    path = str(tmp_path / "results.csv")
    file = ResultFile(path, CsvRows())
    file.write(make_assessment("a.mp4", dict.fromkeys(DIMENSIONS, -3.5)), STAMP)
    file.close()
    with open(path, newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert float(row["overall_score"]) == -3.5
