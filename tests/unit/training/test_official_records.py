import json
from pathlib import Path

import pytest

from finevq.errors import DatasetError
from finevq.prompts import questions, templates
from finevq.training.official_records import read_official, understand
from finevq.vocabulary import ALL_ATTRIBUTES, RELEASE_SPELLINGS, Dimension

RATING = "How would you rate the overall quality of this video?"


def _line(video: str, asked: str, said: str, **more: object) -> str:
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]
    return json.dumps({"video": video, "conversations": turns, **more}, ensure_ascii=False)


def _write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_byte_order_marks_and_a_missing_mos_are_no_trouble(tmp_path: Path, encoding: str):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "0_00_00_1357553287.mp4").write_bytes(b"x")
    file = _write(
        tmp_path / "train.jsonl",
        _line(
            "\ufeff0_00_00_1357553287.mp4",
            RATING,
            "The overall quality of the video is fair.",
            mos=51.5,
        ),
        "",
        _line("b.mp4", f"<|video|> {RATING}", "The overall quality of the video is Good."),
        _line("c.mp4", RATING, "The overall quality of the video is bad.", mos="NaN"),
        encoding=encoding,
    )
    first, second, third = read_official(file)
    assert first.video == tmp_path / "sub" / "0_00_00_1357553287.mp4"
    assert (first.question, first.answer) == (questions.rating(Dimension.OVERALL), "fair")
    assert first.scores == {Dimension.OVERALL: 51.5}
    assert (second.answer, second.scores) == ("good", {})
    assert (third.answer, third.scores) == ("bad", {})
    assert [record.id for record in (first, second, third)] == ["train:1", "train:3", "train:4"]


def test_dimension_ratings_are_ranks_of_the_words_of_quality():
    question, answer = understand(
        "Considering the blur dimension, how would you rate the quality of this video?",
        "The quality of this video is good.",
    )
    assert question == questions.rating(Dimension.BLUR)
    assert answer == "slight"


@pytest.mark.parametrize(
    ("subject", "question"),
    [
        ("blur", questions.distorted(Dimension.BLUR)),
        ("temporal distortion", questions.distorted(Dimension.TEMPORAL)),
        ("motion blur", questions.attribute("motion blur")),
        ("摩尔纹", questions.attribute("moire")),
    ],
)
def test_yes_no_questions_are_about_a_dimension_or_an_attribute(
    subject: str, question: questions.Question
):
    text = (
        f"<image>If there is no {subject} in the video, please answer [No]. "
        f"If there is {subject} in the video, please answer [Yes]."
    )
    assert understand(text, "Yes") == (question, templates.YES)
    assert understand(text, "[No].") == (question, templates.NO)


def test_chinese_and_misspelt_options_become_standard_names():
    question, answer = understand(
        "Please select one distortion type from below options{A:[拍摄系统模糊], B:[None], "
        "C:[过暗], D:[sqaure artifact], E:[other tempporal distortion]}Just answer the letter.",
        "C",
    )
    assert question.choices == (
        "camera blur",
        "none",
        "underexposure",
        "blocking",
        "other temporal",
    )
    assert answer == "underexposure"
    chinese = {name for word, name in RELEASE_SPELLINGS.items() if not word.isascii()}
    assert chinese == set(ALL_ATTRIBUTES)


def test_the_most_impact_question_keeps_the_options_that_were_shown():
    question, answer = understand(
        "Which distortion dimension has the greatest impact on video quality, choose from the "
        "following options{A:[Noise], B:[Video quality is good], C:[Color], D:[Artifact]}",
        "B",
    )
    assert question.family is questions.Family.MOST
    assert question.choices == ("noise", "none", "color", "artifact")
    assert answer == "none"


@pytest.mark.parametrize(
    ("asked", "said", "message"),
    [
        ("Which{A:[Noise], B:[Blur]}", "C", "none of the options A, B"),
        ("Which{A:[Noise], B:[Noise]}", "A", "comes twice"),
        ("Which{A:[Noise], B:[glitter]}", "A", "unknown distortion 'glitter'"),
        ("If there is no blur in the video, please answer [No].", "Perhaps", "neither yes nor no"),
        ("If there is no sound in the video, please answer [No].", "No", "unknown distortion"),
        (RATING, "The overall quality of the video is middling.", "names no level"),
    ],
)
def test_answers_that_fit_no_question_are_refused(asked: str, said: str, message: str):
    with pytest.raises(DatasetError, match=message):
        understand(asked, said)


def test_scores_descriptions_and_free_questions_are_understood_too():
    scored, answer = understand("Please give the blur score of this video.", "41.5")
    assert (scored, answer) == (questions.scoring(Dimension.BLUR), "")
    assert understand("Please describe it.", " Fine. ") == (questions.describe(), "Fine.")
    assert understand("Who is it?", "A cat") == (questions.free("Who is it?"), "A cat")


def test_a_senseless_line_is_named_and_many_are_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    good = [
        _line(f"{n}.mp4", RATING, "The overall quality of the video is fair.") for n in range(10)
    ]
    file = _write(tmp_path / "train.jsonl", *good, '{"video": "x.mp4"}')
    assert len(read_official(file)) == 10
    assert "left out line 11: not a question" in caplog.text
    with pytest.raises(DatasetError, match=r"2 of 2 lines are unusable, first line 1"):
        read_official(_write(tmp_path / "other_train.jsonl", "no json", "[]"))
    with pytest.raises(DatasetError, match="the file is empty"):
        read_official(_write(tmp_path / "empty_train.jsonl", ""))


def test_a_json_file_with_paths_of_another_machine_finds_its_neighbours(tmp_path: Path):
    fair = "The overall quality of the video is fair."
    _write(tmp_path / "a_train.jsonl", _line("/media/x/1.mp4", RATING, fair, mos=3))
    _write(tmp_path / "a_test.jsonl", _line("2.mp4", RATING, fair, mos=4))
    meta = {
        "set": {
            "root": "/media/nobody/videos",
            "annotation_train": "/home/nobody/a_train.jsonl",
            "annotation_test": "/home/nobody/a_test.jsonl",
        }
    }
    file = tmp_path / "meta.json"
    file.write_text(json.dumps(meta))
    records = read_official(file)
    assert [record.video for record in records] == [tmp_path / "1.mp4", tmp_path / "2.mp4"]
    assert records[1].split == "test"
    assert len(read_official(tmp_path)) == 2
    file.write_text(json.dumps({"set": {"annotation": "gone.jsonl"}}))
    with pytest.raises(DatasetError, match=r"names gone\.jsonl, not found"):
        read_official(file)
    with pytest.raises(DatasetError, match="no such question file"):
        read_official(tmp_path / "none.jsonl")


def test_two_cuts_of_one_video_are_not_learnt_and_tested(tmp_path: Path):
    fair = "The overall quality of the video is fair."
    _write(tmp_path / "train.jsonl", _line("1_03_05_1728224403.mp4", RATING, fair))
    _write(tmp_path / "test.jsonl", _line("1_03_05_1728224403_1.mp4", RATING, fair))
    assert [record.split for record in read_official(tmp_path)] == ["test"]
