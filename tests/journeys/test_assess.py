"""`finevq assess` and `ask` end to end, on a session of known answers."""

import csv
import json
import os
from pathlib import Path

import pytest

import finevq
from finevq.errors import ModelNotFoundError


def test_one_video_gives_a_panel(finevq_command, session, folder: Path):
    ended = finevq_command("assess", "a1.mp4")
    assert ended.code == 0
    assert "a1.mp4" in ended.out
    assert "What hurts most" in ended.out
    assert ended.err == ""


def test_many_videos_give_a_row_each_and_a_summary(finevq_command, session, folder: Path):
    ended = finevq_command("assess", ".")
    assert ended.code == 1
    rows = [line.split()[0] for line in ended.out.splitlines() if ".mp4" in line]
    assert rows == ["a1.mp4", "a2.mp4", "a10.mp4", "failed:"]
    assert "'a2.mp4' holds no video stream" in ended.out
    assert "2 videos assessed" in ended.out
    assert "1 failed" in ended.out


def test_json_prints_one_object_a_video_and_line_failures_in_place(
    finevq_command, session, folder: Path
):
    ended = finevq_command("assess", "--json", "a1.mp4", "lost.mp4", "a2.mp4", "a10.mp4")
    values = [json.loads(line) for line in ended.out.splitlines()]
    assert [value["video"] for value in values] == ["a1.mp4", "lost.mp4", "a2.mp4", "a10.mp4"]
    assert values[1]["error"]["type"] == "NoVideosFoundError"
    assert values[2]["error"] == {
        "type": "VideoDecodeError",
        "message": "'a2.mp4' holds no video stream",
    }
    assert set(values[0]["dimensions"]) == {
        *("color", "noise", "artifact", "blur", "temporal", "overall")
    }
    assert ended.code == 1


def test_a_timeline_comes_when_asked_for(finevq_command, session, folder: Path):
    assert "timeline" not in json.loads(finevq_command("assess", "--json", "a1.mp4").out)
    values = json.loads(finevq_command("assess", "--json", "--timeline", "a1.mp4").out)
    assert len(values["timeline"]) == 10


def test_several_outputs_at_once(finevq_command, session, folder: Path):
    files = ("--csv", "o.csv", "--jsonl", "o.jsonl", "--parquet", "o.parquet", "--html", "o.html")
    ended = finevq_command("assess", ".", *files)
    assert "2 videos assessed" in ended.out
    with open("o.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [row["video"] for row in rows] == [line["video"] for line in lines]
    assert float(rows[0]["blur_score"]) == lines[0]["dimensions"]["blur"]["score"]
    assert rows[1]["error_type"] == "VideoDecodeError"
    page = Path("o.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 16
    assert "1 could not be assessed" in page
    assert Path("o.parquet").read_bytes()[:4] == b"PAR1"
    assert sorted(os.listdir()) == sorted(
        ["a1.mp4", "a2.mp4", "a10.mp4", "o.csv", "o.jsonl", "o.parquet", "o.html"]
    )


@pytest.mark.parametrize(
    ("option", "start"),
    [
        ("--csv", "video,model_name"),
        ("--jsonl", '{"video": "a1.mp4"'),
        ("--html", "<!doctype html>"),
    ],
)
def test_a_file_named_minus_is_standard_output_without_the_table(
    finevq_command, session, folder: Path, option: str, start: str
):
    ended = finevq_command("assess", "a1.mp4", option, "-")
    assert ended.out.lstrip().startswith(start)
    assert "What hurts most" not in ended.out


def test_a_bug_in_one_video_leaves_the_others(finevq_command, session, folder: Path):
    (folder / "a3.mp4").write_bytes(b"bug")
    ended = finevq_command("assess", "--json", "a3.mp4", "a10.mp4")
    first, second = (json.loads(line) for line in ended.out.splitlines())
    assert first["error"]["message"] == "unexpected ZeroDivisionError: division by zero"
    assert "dimensions" in second


# --- resume ---


@pytest.mark.parametrize("option", ["--csv", "--jsonl", "--parquet"])
def test_resume_assesses_what_is_new_changed_or_failed(
    finevq_command, session, folder: Path, option: str
):
    call = ("assess", ".", option, "out", "--resume", "--quiet")
    assert finevq_command(*call).code == 1
    assert session.assessed == ["a1.mp4", "a10.mp4"]
    (folder / "a2.mp4").write_bytes(b"repaired")
    (folder / "a10.mp4").write_bytes(b"changed")
    (folder / "a11.mp4").write_bytes(b"new")
    session.assessed.clear()
    assert finevq_command(*call).code == 0
    assert session.assessed == ["a2.mp4", "a10.mp4", "a11.mp4"]
    session.assessed.clear()
    assert finevq_command(*call).code == 0
    assert session.assessed == []


def test_an_interrupted_run_keeps_what_is_finished_and_can_go_on(
    finevq_command, session, folder: Path
):
    session.interrupt_at = "a10.mp4"
    ended = finevq_command("assess", ".", "--csv", "o.csv", "--jsonl", "o.jsonl")
    assert ended.code == 130
    assert "2 of 3 videos are finished and kept" in ended.err
    assert "a1.mp4" in ended.out
    session.interrupt_at = None
    session.assessed.clear()
    ended = finevq_command("assess", ".", "--csv", "o.csv", "--jsonl", "o.jsonl", "--resume")
    assert session.assessed == ["a10.mp4"]
    assert "1 already finished, not assessed again" in ended.err
    with open("o.csv", newline="", encoding="utf-8") as file:
        assert [row["video"] for row in csv.DictReader(file)] == ["a1.mp4", "a2.mp4", "a10.mp4"]


def test_a_page_of_a_resumed_run_shows_all_videos(finevq_command, session, folder: Path):
    finevq_command("assess", "a1.mp4", "--jsonl", "o.jsonl")
    finevq_command("assess", ".", "--jsonl", "o.jsonl", "--resume", "--html", "o.html")
    page = Path("o.html").read_text(encoding="utf-8")
    assert session.assessed == ["a1.mp4", "a10.mp4"]
    assert page.index(">a1.mp4<") < page.index(">a10.mp4<")


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a3.mp4"], 1, "there is no file 'a3.mp4'"),
        (["a11.mp4"], 1, "did you mean"),
        (["empty"], 1, "hold no video"),
        (["@a1.mp4.txt"], 1, "there is no list"),
        (["-"], 1, "standard input"),
        (["a2.mp4"], 1, "'a2.mp4' holds no video stream"),
        (["--bogus", "a1.mp4"], 2, "No such option: --bogus"),
        ([], 2, "Missing argument"),
        (["a1.mp4", "--json", "--csv", "-"], 2, "only one of --json"),
        (["a1.mp4", "--parquet", "-"], 2, "--parquet needs a file"),
        (["a1.mp4", "--resume"], 2, "--resume continues a file"),
        (["a1.mp4", "--csv", "o", "--html", "./o"], 2, "same FILE"),
        (["a1.mp4", "--csv", "o", "--html", "p", "--resume"], 2, "needs --jsonl"),
        (["a1.mp4", "--csv", "no/o.csv"], 1, "there is no folder 'no'"),
        (["a1.mp4", "--html", "no/o.html"], 1, "there is no folder 'no'"),
        (["a1.mp4", "--html", "empty"], 1, "it is a folder"),
        (["a1.mp4", "--csv", "a10.mp4"], 1, "looks like a video"),
        (["a1.mp4", "--csv", "notes.txt", "--resume"], 1, "cannot resume 'notes.txt'"),
    ],
)
def test_a_mistake_is_explained_without_a_traceback(
    finevq_command, session, folder: Path, arguments: list[str], code: int, message: str
):
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("mine\n")
    ended = finevq_command("assess", *arguments)
    assert ended.code == code
    assert message in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err
    assert (folder / "a10.mp4").read_bytes() == b"ten"
    assert (folder / "notes.txt").read_text() == "mine\n"


def test_a_mistake_costs_no_work_and_no_earlier_results(
    finevq_command, session, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def load(model: str, **options: object) -> None:
        raise ModelNotFoundError(f"no model {model!r}")

    (folder / "o.csv").write_text("results of yesterday\n")
    monkeypatch.setitem(vars(finevq), "load", load)
    ended = finevq_command("assess", "a1.mp4", "--csv", "o.csv", "--model", "nono")
    assert ended.err == "error: no model 'nono'\n"
    assert ended.code == 1
    assert (folder / "o.csv").read_text() == "results of yesterday\n"


def test_names_can_hold_anything(finevq_command, session, folder: Path):
    names = ["new\nline.mp4", "[red]x[bold].mp4", "sp ace 'q\".mp4", "<b>&.mp4", "\x1b[31m.mp4"]
    names.append(os.fsdecode(b"caf\xe9.mp4"))
    for name in names:
        (folder / name).write_bytes(b"x")
    ended = finevq_command(
        "assess", *names, "a2.mp4", "--csv", "o.csv", "--jsonl", "o.jsonl", "--html", "o.html"
    )
    assert ended.code == 1
    assert "\x1b" not in ended.out
    for shown in (r"new\nline.mp4", "[red]x[bold].mp4", r"\x1b[31m.mp4", r"caf\xe9.mp4"):
        assert shown in ended.out
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [line["video"] for line in lines] == [*names, "a2.mp4"]
    with open("o.csv", newline="", encoding="utf-8") as file:
        assert [row["video"] for row in csv.DictReader(file)][:5] == names[:5]
    assert "&lt;b&gt;&amp;.mp4" in Path("o.html").read_text(encoding="utf-8")


def test_an_error_cannot_format_the_terminal(finevq_command, session, folder: Path):
    ended = finevq_command("assess", "[bold]lost[/].mp4")
    assert "'[bold]lost[/].mp4'" in ended.err


# --- ask ---


def test_ask_prints_the_answer(finevq_command, session, folder: Path):
    ended = finevq_command("ask", "a1.mp4", "Which distortion has the most impact?")
    assert ended.out == "The answer to 'Which distortion has the most impact?'.\n"
    assert ended.code == 0


def test_ask_in_json_names_the_model(finevq_command, session, folder: Path):
    values = json.loads(finevq_command("ask", "--json", "a1.mp4", "How sharp?").out)
    assert values == {
        "video": "a1.mp4",
        "model": {"name": "test-model", "version": "7"},
        "question": "How sharp?",
        "answer": "The answer to 'How sharp?'.",
    }


@pytest.mark.parametrize(
    ("path", "question", "message"),
    [
        ("a1.mp4", "Sing", "'Sing' is not a question"),
        ("a2.mp4", "Why?", "holds no video stream"),
        ("lost.mp4", "Why?", "there is no file 'lost.mp4'"),
        (".", "Why?", "names 3 videos, and one is wanted"),
    ],
)
def test_a_question_that_cannot_be_answered_is_explained(
    finevq_command, session, folder: Path, path: str, question: str, message: str
):
    ended = finevq_command("ask", path, question)
    assert (ended.code, ended.out) == (1, "")
    assert message in ended.err
