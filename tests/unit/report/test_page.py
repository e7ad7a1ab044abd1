import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from assessments import make_assessment
from finevq.records import Failure
from finevq.report.page import render_page
from finevq.report.words import noted_attributes, percent
from finevq.vocabulary import DIMENSIONS

HOSTILE = "<script>alert(1)</script>\"' onload=alert(2) &amp; {{ 7*7 }}\n\u202e.mp4"


class Outline(HTMLParser):
    """Tags with their attributes, texts, and whether all is closed."""

    VOID = frozenset({"meta", "img", "link", "br", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


PAGES = {
    "one": [make_assessment("a.mp4", timeline=True, thumbnails=True, warnings=("cut off",))],
    "one failure": [Failure("a.mp4", "VideoDecodeError", "no frame")],
    "many": [
        make_assessment("a.mp4", thumbnails=True, seed=1),
        Failure("b.mp4", "VideoDecodeError", "no frame"),
        make_assessment("c.mp4", timeline=True, seed=2),
    ],
    "only failures": [Failure("a.mp4", "E", "m"), Failure("b.mp4", "E", "m")],
    "hostile": [
        make_assessment(HOSTILE, timeline=True, warnings=(HOSTILE,)),
        Failure(HOSTILE, HOSTILE, HOSTILE),
    ],
}


@pytest.fixture(params=PAGES)
def outline(request: pytest.FixtureRequest) -> Outline:
    return Outline(render_page(PAGES[request.param]))


def test_the_markup_is_well_formed(outline: Outline):
    assert outline.open == []


def test_nothing_is_loaded_from_anywhere(outline: Outline):
    for _, attributes in outline.tags:
        for name in ("src", "srcset", "action", "data", "poster", "xlink:href"):
            assert (attributes.get(name) or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    styles = "".join(outline.texts)
    assert "url(" not in styles
    assert "@import" not in styles


def test_no_attribute_runs_code_or_needs_inline_style(outline: Outline):
    for _, attributes in outline.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_the_policy_allows_exactly_the_style_and_script_of_the_page():
    page = render_page(PAGES["many"])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy


def test_hostile_names_stay_text():
    page = render_page(PAGES["hostile"])
    assert len(Outline(page).all("script")) == 1
    assert "<script>alert" not in page
    assert "49" not in "".join(re.findall(r"<h1.*?</h1>", page, re.DOTALL))
    assert "\u202e" not in page


def test_a_report_holds_everything_of_its_record():
    (assessment,) = PAGES["one"]
    text = " ".join(" ".join(Outline(render_page([assessment])).texts).split())
    for dimension in DIMENSIONS:
        part = assessment.dimensions[dimension]
        assert f"{part.score:.1f}" in text
        assert part.level in text
        assert f"better than {part.percentile:.0f} %" in text
        for estimate in part.attributes[:2]:
            assert estimate.name in text
            assert percent(estimate.probability) in text
    for expected in (assessment.description, "cut off", "1920 × 1080", "29.97 fps", "test-model 7"):
        assert expected in text


def test_eight_frames_are_shown_with_their_times():
    (assessment,) = PAGES["one"]
    images = Outline(render_page([assessment])).all("img")
    assert len(images) == 8
    for image, thumbnail in zip(images, assessment.thumbnails, strict=True):
        content = base64.b64decode(str(image["src"]).removeprefix("data:image/jpeg;base64,"))
        assert content == thumbnail.jpeg
        assert str(image["alt"]).startswith("Frame at 0:0")
        assert (image["width"], image["height"]) == ("160", "90")


def test_a_frame_is_shown_once():
    (assessment,) = PAGES["one"]
    first, second, *_ = assessment.thumbnails
    page = render_page([replace(assessment, thumbnails=(first, first, second, first))])
    assert page.count("<img ") == 2


def test_a_timeline_of_one_stretch_draws_nothing():
    (assessment,) = PAGES["one"]
    page = render_page([replace(assessment, timeline=assessment.timeline[:1])])
    assert "Too short to tell" in page
    assert "Over time" not in page


@pytest.mark.parametrize(("num_videos", "each"), [(20, 8), (21, 3), (201, 1)])
def test_a_page_of_many_videos_keeps_fewer_frames_of_each(num_videos: int, each: int):
    one = make_assessment("a.mp4", thumbnails=True)
    page = render_page([one] * num_videos)
    assert page.count("<img ") == num_videos * each


def test_the_overview_lists_every_video_and_links_to_its_report():
    outline = Outline(render_page(PAGES["many"]))
    ids = {attributes.get("id") for attributes in outline.all("details")} - {None}
    links = [str(attributes["href"])[1:] for attributes in outline.all("a")]
    assert sorted(links) == sorted(str(name) for name in ids)
    assert len(links) == 2
    text = " ".join(outline.texts)
    assert "1 could not be assessed" in text
    assert "2 videos assessed" in text


def test_charts_say_in_words_what_they_show(outline: Outline):
    for attributes in outline.all("svg"):
        is_decoration = attributes.get("aria-hidden") == "true"
        assert is_decoration or (attributes.get("role") == "img" and attributes["aria-label"])


def test_tables_have_headers_and_the_page_landmarks(outline: Outline):
    names = [name for name, _ in outline.tags]
    for landmark in ("header", "main", "footer", "h1", "head"):
        assert names.count(landmark) == 1
    assert all(attributes.get("scope") in ("col", "row") for attributes in outline.all("th"))


def test_a_report_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one outcome"):
        render_page([])


def themes() -> Iterator[dict[str, str]]:
    """The custom properties of the light, dark and print themes."""
    style = (files("finevq.report") / "assets" / "page.css").read_text(encoding="utf-8")
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        yield dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", block))


def contrast(one: str, other: str) -> float:
    """Ratio of luminances. Source: WCAG 2.2, definitions of contrast ratio and luminance."""

    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(c * 2 for c in color[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_all_text_can_be_read_in_every_theme():
    found = list(themes())
    assert len(found) == 3
    for colors in found:
        for text in ("ink", "soft", "l0", "l1", "l2", "l3", "l4"):
            for ground in ("paper", "sheet"):
                assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground, colors)


def test_less_likely_attributes_are_left_out_but_for_two():
    part = make_assessment("a.mp4").blur
    unlikely = tuple(replace(estimate, probability=0.09) for estimate in part.attributes)
    likely = tuple(replace(estimate, probability=0.1) for estimate in part.attributes)
    assert noted_attributes(replace(part, attributes=unlikely)) == unlikely[:2]
    assert noted_attributes(replace(part, attributes=likely)) == likely
