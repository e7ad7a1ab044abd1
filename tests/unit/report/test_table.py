import io

import pytest
from rich.console import Console

from assessments import make_assessment
from finevq.records import Failure
from finevq.report.table import assessment_panel, overview_table
from finevq.vocabulary import DIMENSIONS


def shown(renderable: object, *, width: int = 120, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    Console(file=stream, width=width, highlight=False).print(renderable)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def test_a_panel_holds_all_six_dimensions_and_what_is_wrong():
    assessment = make_assessment("clip.mp4", warnings=("240 of 300 frames could be read",))
    text = shown(assessment_panel(assessment))
    for dimension in DIMENSIONS:
        part = assessment.dimensions[dimension]
        (line,) = [line for line in text.splitlines() if f"│  {dimension} " in line]
        assert f"{part.score:.1f}" in line
        assert part.level in line
    assert "1920 × 1080 · 10.0 s · 300 frames · 29.97 fps · h264" in text
    assert "! 240 of 300 frames could be read" in text
    assert "What hurts most" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_nothing_is_wider_than_the_terminal(width: int):
    assessment = make_assessment("a/very/long/path/" * 8 + "clip.mp4", timeline=True)
    for renderable in (
        assessment_panel(assessment, width=width),
        overview_table([assessment, Failure("b.mp4", "VideoDecodeError", "long " * 40)]),
    ):
        assert max(map(len, shown(renderable, width=width).splitlines())) <= width


def test_names_keep_their_room_in_a_terminal_of_80_columns():
    outcomes = [make_assessment("clip-01.mp4"), Failure("b.mp4", "E", "no")]
    text = shown(overview_table(outcomes, width=80), width=80)
    assert [line.split()[0] for line in text.splitlines()[3:5]] == ["clip-01.mp4", "b.mp4"]


def test_failures_stand_in_their_row_and_in_full_below():
    text = shown(
        overview_table(
            [
                make_assessment("a.mp4"),
                Failure("b.mp4", "VideoDecodeError", "holds no video stream"),
                make_assessment("c.mp4"),
            ]
        )
    )
    names = [line.split()[0] for line in text.splitlines() if ".mp4" in line]
    assert names == ["a.mp4", "b.mp4", "c.mp4", "failed:"]
    assert "(VideoDecodeError) holds no video stream" in text
    assert "2 videos assessed" in text


def test_brackets_and_control_characters_of_names_do_nothing():
    name = "[bold red]x[/] \x1b[31m [link=http://e]y.mp4"
    for renderable in (
        assessment_panel(make_assessment(name)),
        overview_table([make_assessment(name), Failure(name, "E", name)]),
    ):
        text = shown(renderable)
        assert r"[bold red]x[/] \x1b[31m [link=http://e]y.mp4" in text
        assert "\x1b" not in text


def test_a_terminal_of_plain_letters_gets_plain_bars():
    text = shown(assessment_panel(make_assessment("a.mp4")), encoding="ascii")
    assert "####" in text
    assert "█" not in text


def test_a_timeline_has_a_row_for_each_stretch():
    text = shown(assessment_panel(make_assessment("a.mp4", timeline=True)))
    assert "0:09.0" in text
    assert "0:10.0" in text
