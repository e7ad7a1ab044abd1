"""The report page in a real browser: phone and desktop, light and dark, without a network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assessments import make_assessment
from conftest import skip_or_fail
from finevq.records import Assessment, Failure
from finevq.report.page import render_page

pytestmark = pytest.mark.full

CHROMIUM = Path("/usr/bin/chromium")
TIMEOUT_MILLISECONDS = 120_000
HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">.mp4"
)
VIDEOS: list[Assessment | Failure] = [
    make_assessment("a_name_without_any_space_" * 6 + ".mp4", thumbnails=True, seed=1),
    make_assessment("b10.mp4", seed=2),
    Failure("c.mp4", "VideoDecodeError", "a_message_without_any_space_" * 9),
    replace(make_assessment("b9.mp4", timeline=True, seed=3), description="o" * 300),
    make_assessment(HOSTILE, warnings=(HOSTILE,), seed=4),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if not CHROMIUM.exists():
        skip_or_fail("there is no /usr/bin/chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu"],
            timeout=TIMEOUT_MILLISECONDS,
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path: Path):
    """Open a report from its file without a network; whatever the browser complains about fails."""
    complaints: list[str] = []
    contexts = []

    def note_request(request) -> None:
        if not request.url.startswith(("file:", "data:")):
            complaints.append(request.url)

    def open_it(outcomes, *, width: int = 1280, scheme: str = "light"):
        path = tmp_path / "report.html"
        path.write_text(render_page(outcomes), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
        )
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", note_request)
        page.goto(path.as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("outcomes", [VIDEOS, VIDEOS[3:4], VIDEOS[2:3]], ids=["many", "one", "bad"])
def test_a_page_never_scrolls_sideways(open_page, width: int, outcomes):
    page = open_page(outcomes, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_hostile_name_is_shown_and_does_nothing(open_page):
    page = open_page(VIDEOS)
    assert page.title() == "5 videos · video quality"
    assert page.locator("img[src=x]").count() == 0
    assert HOSTILE in page.inner_text("table.all")


def test_columns_sort_both_ways_with_failures_last(open_page):
    page = open_page(VIDEOS)

    def column(number: int) -> list[str]:
        return page.locator(f"table.all tbody tr > :nth-child({number})").all_inner_texts()

    before = column(1)
    overall = page.get_by_role("button", name="Overall")
    overall.click()
    scores = [float(text) for text in column(2)[:-1]]
    assert scores == sorted(scores)
    assert column(2)[-1] == "–"
    overall.click()
    assert [float(text) for text in column(2)[:-1]] == scores[::-1]
    assert column(2)[-1] == "–"
    page.get_by_role("button", name="Video").click()
    names = column(1)
    assert sorted(names) == sorted(before)
    assert names.index("b9.mp4") < names.index("b10.mp4")


def test_a_link_of_the_overview_opens_the_report(open_page):
    page = open_page(VIDEOS)
    report = page.locator("details.video").filter(has_text="b9.mp4")
    assert report.get_attribute("open") is None
    page.locator("table.all a", has_text="b9.mp4").click()
    report.get_by_text("Six dimensions").wait_for(state="visible")


def test_the_dark_theme_is_dark(open_page):
    def brightness(scheme: str) -> int:
        page = open_page(VIDEOS[1:2], scheme=scheme)
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color.strip("rgb()").split(","))

    assert brightness("dark") < 120
    assert brightness("light") > 700
