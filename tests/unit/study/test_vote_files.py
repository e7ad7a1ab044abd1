import json
from pathlib import Path

import numpy as np
import pytest

from finevq.errors import DatasetError
from finevq.study.vote_files import SINGLE_DIMENSION, read_votes
from finevq.study.votes import VoteTable

EXPECTED = np.array([[5.0, np.nan], [1.0, 2.0]])


def _read(tmp_path: Path, text: str, name: str = "votes.csv") -> VoteTable:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_votes(path)[SINGLE_DIMENSION]


@pytest.mark.parametrize(
    "text",
    [
        "stimulus,reference,ann,bob\na,a,5,\nb,a,1,2\n",
        "video;source;ann;bob\na;a;5,0;-\nb;a;1,0;2,0\n",
        "﻿PVS\tref\tann\tbob\na\ta\t5\tNaN\nb\ta\texcellent\t2\n".replace("excellent", "bad"),
        "subject,video,source,score\nann,a,a,5\nann,b,a,1\nbob,b,a,2\n",
        "Observer,Clip,reference,vote,time\nann,a,a,excellent,1\nann,b,a,bad,2\nbob,b,a,poor,3\n",
    ],
)
def test_every_csv_form_gives_the_same_table(tmp_path: Path, text: str) -> None:
    table = _read(tmp_path, text)
    assert table.stimuli == ("a", "b")
    assert table.subjects == ("ann", "bob")
    assert table.references == ("a", "a")
    np.testing.assert_array_equal(table.votes[:, :, 0], EXPECTED)


@pytest.mark.parametrize(
    "text",
    [
        "stimulus,reference,ann,bob\r\na,a,5,\r\nb,a,1,2\r\n",
        "stimulus,reference,ann,bob\ra,a,5,\rb,a,1,2\r",
        " stimulus , reference , ann , bob \n a , a , 5 , \n b , a , 1 , 2 \n",
        'stimulus, reference, ann, bob\n"a", "a", 5, \nb, "a", "1", 2\n',
        "stimulus,reference,ann,bob,,\na,a,5,,,\nb,a,1,2,,\n,,,,,\n\n",
        "stimulus,reference,ann,bob\na,a,5,,\nb,a,1,2,\n",
        ",stimulus,reference,ann,bob\n0,a,a,5,#N/A\n1,b,a,1,2\n",
        "reference|mos|condition|ann|bob\na|9|a|5,0|--\na|9|b|1,0|2\n",
    ],
    ids=[
        "windows line endings",
        "old mac line endings",
        "spaces",
        "spaces before quotes",
        "empty columns of a spreadsheet",
        "a separator at the end of rows",
        "row numbers",
        "unknown name of the stimulus column",
    ],
)
def test_odd_spellings_of_the_wide_form_are_the_same_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_bytes(text.encode())
    table = read_votes(path)[SINGLE_DIMENSION]
    assert (table.stimuli, table.subjects) == (("a", "b"), ("ann", "bob"))
    assert table.references == ("a", "a")
    np.testing.assert_array_equal(table.votes[:, :, 0], EXPECTED)


def test_names_keep_their_commas(tmp_path: Path) -> None:
    quoted = 'stimulus,ann,bob\n"a,1.mp4",5,\n"b ""x"", 2.mp4",1,2\n'
    assert _read(tmp_path, quoted).stimuli == ("a,1.mp4", 'b "x", 2.mp4')
    with_semicolons = _read(tmp_path, "stimulus;ann;bob\n1,5;5,0;\n2,5;1,0;2,0\n")
    assert with_semicolons.stimuli == ("1,5", "2,5")
    np.testing.assert_array_equal(with_semicolons.votes[:, :, 0], EXPECTED)


def test_a_matrix_with_decimal_commas_is_cut_at_the_semicolons(tmp_path: Path) -> None:
    table = _read(tmp_path, "5,0;nan\n1,0;2,0\n;\n4,0;4,0\nnan;2,0\n")
    np.testing.assert_array_equal(table.votes[:, :, 0], EXPECTED)
    np.testing.assert_array_equal(table.votes[:, :, 1], [[4.0, 4.0], [np.nan, 2.0]])


def test_a_row_per_subject_is_turned_round(tmp_path: Path) -> None:
    table = _read(tmp_path, "subject,a,b\nann,5,1\nbob,,2\n")
    assert table.stimuli == ("a", "b")
    np.testing.assert_array_equal(table.votes[:, :, 0], EXPECTED)


def test_a_bare_matrix_has_its_repetitions_below_a_row_with_a_comma(tmp_path: Path) -> None:
    table = _read(tmp_path, "5.0,nan\n1.0,2.0\n,\n4.0,4.0\nnan,2.0\n")
    np.testing.assert_array_equal(table.votes[:, :, 0], EXPECTED)
    np.testing.assert_array_equal(table.votes[:, :, 1], [[4.0, 4.0], [np.nan, 2.0]])


def test_numeric_subject_names_are_a_header(tmp_path: Path) -> None:
    table = _read(tmp_path, "stimulus,1,2\na,5,\nb,1,2\n")
    assert table.subjects == ("1", "2")
    np.testing.assert_array_equal(table.votes[:, :, 0], EXPECTED)


def test_repeated_rows_are_repetitions(tmp_path: Path) -> None:
    table = _read(tmp_path, "stimulus,ann\na,5\na,4\nb,1\n")
    np.testing.assert_array_equal(table.votes[:, 0], [[5.0, 4.0], [1.0, np.nan]])


def test_a_subject_without_any_vote_keeps_his_column(tmp_path: Path) -> None:
    table = _read(tmp_path, "stimulus,ann,bob\na,5,\nb,1,\n")
    assert table.subjects == ("ann", "bob")
    assert np.isnan(table.votes[:, 1]).all()


def test_dimensions_come_from_a_column_or_from_score_columns(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("subject,stimulus,dimension,score\nann,a,color,5\nann,a,blur,2\n")
    by_column = read_votes(path)
    path.write_text("subject,stimulus,color,blur\nann,a,5,2\n")
    by_scores = read_votes(path)
    assert list(by_column) == list(by_scores) == ["color", "blur"]
    assert by_column["blur"].votes[0, 0, 0] == by_scores["blur"].votes[0, 0, 0] == 2.0


SUREAL = {
    "ref_videos": [{"content_id": 0, "path": "a.yuv"}],
    "dis_videos": [
        {"content_id": 0, "asset_id": 7, "path": "a.yuv", "os": {"ann": 5}},
        {"content_id": 0, "asset_id": 8, "path": "b.yuv", "os": {"ann": 1, "bob": [2, 3]}},
    ],
}


@pytest.mark.parametrize("name", ["votes.json", "votes.py"])
def test_sureals_datasets_keep_references_and_repetitions(tmp_path: Path, name: str) -> None:
    text = json.dumps(SUREAL)
    if name.endswith(".py"):
        text = "import os\n" + "\n".join(f"{key} = {value!r}" for key, value in SUREAL.items())
    table = _read(tmp_path, text, name)
    assert table.stimuli == ("7", "8")
    assert table.references == ("7", "7")
    np.testing.assert_array_equal(table.votes[1], [[1.0, np.nan], [2.0, 3.0]])


def test_a_python_dataset_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"open({str(marker)!r}, 'w')\ndis_videos = {SUREAL['dis_videos']!r}\n"
    _read(tmp_path, text, "votes.py")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("stimulus,ann\na,lovely\nb,3\n", r"row 2, column 'ann': 'lovely' is no vote"),
        ("stimulus,ann\na,inf\nb,3\n", "'inf' is no vote"),
        ("stimulus,ann,bob\na,3\n", "row 2 has 2 cells, the header has 3"),
        ("stimulus,ann\na,\n", "holds no vote"),
        ("1,2\n3\n", "must be equally long"),
        ("stimulus\na\n", "no column of votes among stimulus"),
        ('{"videos": []}', "no list 'dis_videos'"),
        ("{broken", "is damaged"),
        ("subject,score\nann,3\n", "needs columns stimulus, subject and score"),
        ("stimulus,reference,ann\na,x,1\na,y,2\n", "has two references"),
        ("stimulus,ann,bob\n,4,5\nb,2,1\n", "row 2 does not name its stimulus"),
        ("stimulus,subject,score\na,,4\n", "row 2 does not name its subject"),
        ("subject,a,b\nann,4,5\n,2,1\n", "row 3 does not name its subject"),
        ("stimulus,ann,bob\na,1e308,5\n", "'1e308' is no vote"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        _read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no file .*nothing\.csv"):
        read_votes(tmp_path / "nothing.csv")
