import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finevq.report.text import portable_text, printable_text


@given(st.binary(max_size=40))
def test_any_name_of_the_file_system_becomes_one_printable_line(name: bytes):
    text = printable_text(os.fsdecode(name))
    text.encode("utf-8")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    assert len(text.splitlines()) <= 1


@pytest.mark.parametrize("text", ["clip.mp4", "été.mp4", "视频.mp4", "👨\u200d👩.mp4", "a [b] c"])
def test_an_ordinary_name_stays_as_it_is(text: str):
    assert printable_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[2Jb", r"a\x1b[2Jb"), ("a\rb", r"a\rb"), ("gpj.\u202e4pm", r"gpj.\u202e4pm")],
)
def test_what_controls_a_terminal_is_spelled_out(text: str, shown: str):
    assert printable_text(text) == shown


def test_a_surrogate_that_is_no_byte_is_escaped_too():
    assert portable_text("a\ud800b") == r"a\ud800b"
