"""Simulated subjects through the real pages in headless Chromium, on real clips."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, sync_playwright

from finevq.settings import Settings
from finevq.study.analysis import analyze
from finevq.study.flags import flags_of
from finevq.study.folder import create_study, open_study
from finevq.study.results import StudyResults, read_results
from finevq.study.screening import screen_subjects

DIMENSIONS = ("color", "noise", "artifact", "blur", "temporal", "overall")
CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MILLISECONDS = 240_000
SIDE_BY_SIDE = 3
ERRATIC = 2.0
"""An inconsistency beyond that many medians is a spammer's; honest ones are planted within 1.4."""
REAL_CLIPS = [
    "lsvq_muHWOSldMIs_reenc.mp4",
    "livevqc_B129_reenc.mp4",
    "cover_video_2.mp4",
    "mma_part_0.mp4",
    "skv_carphone_pristine.mp4",
    "skv_carphone_distorted.mp4",
    "p910_720_videoSRC05_48.mp4",
    "vmaf_Seeking_30_480_1050.mp4",
    "tcodec_nasa_13013.mp4",
    "mma_demo.mp4",
    "skv_bikes.mp4",
    "dover_eWgy8eG3stA_000164_000174.mp4",
]

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Person:
    """A planted subject."""

    bias: float
    inconsistency: float
    is_spammer: bool


def plant_people(count: int, num_spammers: int, seed: int) -> list[Person]:
    """Return honest people with biases that cancel out, and spammers at the end."""
    generator = np.random.default_rng(seed)
    bias = generator.normal(0, 0.35, count - num_spammers)
    bias -= bias.mean()
    honest = [Person(float(b), float(generator.uniform(0.25, 0.55)), False) for b in bias]
    return honest + [Person(0.0, 0.0, True) for _ in range(num_spammers)]


def plant_truth(clips: list[str], seed: int) -> dict[str, dict[str, float]]:
    """Return true qualities, 1..5, spread over the scale: clip -> dimension -> quality."""
    generator = np.random.default_rng(seed)
    overall = np.linspace(1.4, 4.6, len(clips))
    return {
        clip: {
            name: float(
                np.clip(overall[index] + generator.normal(0, 0.4) * (name != "overall"), 1, 5)
            )
            for name in DIMENSIONS
        }
        for index, clip in enumerate(generator.permutation(np.array(clips)).tolist())
    }


def levels_for(
    person: Person, truth: dict[str, float], generator: np.random.Generator
) -> dict[str, int]:
    """Return what a person says of a clip with these true qualities."""
    if person.is_spammer:
        return {name: int(generator.integers(1, 6)) for name in DIMENSIONS}
    noise: NDArray[np.float64] = generator.normal(0, person.inconsistency, len(DIMENSIONS))
    return {
        name: int(np.clip(np.round(truth[name] + person.bias + noise[index]), 1, 5))
        for index, name in enumerate(DIMENSIONS)
    }


def enter(page: Page, link: str) -> None:
    """Go through consent, questionnaire, screen check and instructions."""
    page.goto(link)
    page.check("input[name=agree]")
    page.click("button[type=submit]")
    page.check("input[value=normal]")
    page.click("button[type=submit]")
    page.fill("input[name=dark_patches]", "4")
    page.fill("input[name=bright_patches]", "5")
    for index in range(3):
        digit = page.locator("canvas.plate").nth(index).get_attribute("data-digit")
        page.fill(f"input[name=plate_{index}]", str(digit))
    page.fill("input[name=distance_centimeters]", "60")
    page.click("button[type=submit]")
    page.click("text=Start")


def rate_by_keyboard(page: Page, levels: dict[str, int]) -> None:
    """Fill the rating page with keys only, and send it."""
    for name in DIMENSIONS:
        page.keyboard.press(str(levels[name]))
        if name != "overall" and levels[name] < 5:
            # "w" is the first kind of distortion of every scale.
            page.keyboard.press("w")
            page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def _excerpt(source: Path, target: Path, num_frames: int) -> None:
    """Write the start of a real clip, small and at 30 frames a second: quick to play."""
    with av.open(str(source)) as original, av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index, frame in enumerate(original.decode(video=0)):
            if index == num_frames:
                break
            small = frame.reformat(width=320, height=180, format="yuv420p")
            small.pts, small.time_base = index, Fraction(1, 30)
            out.mux(stream.encode(small))
        out.mux(stream.encode(None))


class RunningStudy:
    """A study of real excerpts with its server."""

    def __init__(
        self, folder: Path, clips: Path, num_clips: int, num_frames: int | None = 10
    ) -> None:
        videos = folder / "videos"
        videos.mkdir()
        names = REAL_CLIPS[:num_clips]
        for name in names:
            if num_frames is None:  # the whole clip
                shutil.copyfile(clips / name, videos / name)
            else:
                _excerpt(clips / name, videos / name, num_frames)
        self.practice = names[0]
        self.rated = names[1:]
        definition = {
            "repeat_share": 0.0,
            "session": {"clips_per_block": 100, "gray_seconds": 0.05},
            "viewing": {"width_pixels": 800, "height_pixels": 600},
            "clips": {self.practice: {"role": "training", "answers": {"overall": "fair"}}},
        }
        self.folder = folder / "study"
        create_study(self.folder, videos, definition, Settings(), password="pw")
        self.port = 18000 + os.getpid() % 10000
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from finevq.cli.main import run; run()",
                *("study", "serve", str(self.folder), "--port", str(self.port)),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(2400):
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=60)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        pytest.fail("the server did not start")

    def invite(self, count: int) -> list[str]:
        store = open_study(self.folder)
        tokens = [token for _, token in store.invite(count)]
        store.close()
        return [f"http://127.0.0.1:{self.port}/s/{token}" for token in tokens]

    def results(self) -> StudyResults:
        store = open_study(self.folder)
        results = read_results(store)
        store.close()
        return results

    def order(self, label: str) -> list[str]:
        """Return the clips in a subject's order, training included."""
        from sqlalchemy import select

        from finevq.study.store import find_subject
        from finevq.study.tables import ClipRow, Presentation

        store = open_study(self.folder)
        with store.reading() as session:
            subject = find_subject(session, store.study(session), label)
            rows = session.scalars(
                select(ClipRow.name)
                .join(Presentation, Presentation.clip_id == ClipRow.id)
                .where(Presentation.subject_id == subject.id)
                .order_by(Presentation.position)
            ).all()
        store.close()
        return list(rows)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module", autouse=True)
def _needs_chromium() -> None:
    if not CHROMIUM.exists():
        reason = "there is no /usr/bin/chromium"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"required in CI: {reason}")
        pytest.skip(reason)


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu"],
            timeout=PATIENCE_MILLISECONDS,
        )
        yield started
        started.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with _chromium() as started:
        yield started


def _new_page(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    return page


def _take_part(page: Page, link: str, clips: list[str], answers: dict[str, dict[str, int]]) -> None:
    enter(page, link)
    for clip in clips:
        watch(page)
        rate_by_keyboard(page, answers[clip])
        page.wait_for_selector(".ballot", state="detached")
    page.wait_for_selector("text=Thank you")


def watch(page: Page) -> None:
    """Start the clip where the page waits for that, and wait for the scales."""
    page.wait_for_selector("#go, #screen:not([hidden]), .ballot")
    if page.locator("#go").count():
        page.keyboard.press(" ")
    page.wait_for_selector(".ballot")


Meant = dict[str, dict[str, dict[str, int]]]
"""Subject -> clip -> dimension -> level."""


def _simulate(
    study: RunningStudy, num_people: int, num_spammers: int
) -> tuple[dict[str, dict[str, float]], Meant]:
    """Let everybody rate everything, some at a time; return the truth and what each meant to say.

    A subject mostly waits, for gray, for a clip or for the server, so several share a core.
    """
    truth = plant_truth(study.rated, seed=5)
    truth[study.practice] = dict.fromkeys(next(iter(truth.values())), 3.0)
    people = plant_people(num_people, num_spammers, seed=6)
    links = study.invite(num_people)
    meant: Meant = {}
    for number, person in enumerate(people, 1):
        generator = np.random.default_rng([7, number])
        meant[f"S{number:02d}"] = {
            clip: levels_for(person, truth[clip], generator) for clip in truth
        }
    waiting = list(zip(meant, links, strict=True))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        workers = [
            pool.submit(_work_through, study, waiting[first::SIDE_BY_SIDE], meant)
            for first in range(SIDE_BY_SIDE)
        ]
        for worker in workers:
            worker.result()
    return truth, meant


def _work_through(study: RunningStudy, people: list[tuple[str, str]], meant: Meant) -> None:
    """Let (label, link) after (label, link) take part, in a browser of this thread's own."""
    with _chromium() as browser:
        for label, link in people:
            started = time.monotonic()
            page = _new_page(browser)
            _take_part(page, link, study.order(label), meant[label])
            page.context.close()
            print(f"{label} took {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201


def _check_votes(study: RunningStudy, meant: dict[str, dict[str, dict[str, int]]]) -> None:
    """Every vote in the database is the one that was meant, and none is missing."""
    stored = {(b.subject, b.clip): b.levels for b in study.results().ballots}
    assert stored == {(label, clip): meant[label][clip] for label in meant for clip in study.rated}


def test_a_browser_closed_in_mid_clip_resumes_at_that_clip(
    tmp_path: Path, clips: Path, browser: Browser
) -> None:
    study = RunningStudy(tmp_path, clips, num_clips=2, num_frames=90)
    try:
        (link,) = study.invite(1)
        page = _new_page(browser)
        enter(page, link)
        page.wait_for_selector("#go")
        with page.expect_response("**/play") as started:
            page.keyboard.press(" ")
        assert started.value.ok
        page.context.close()
        assert study.results().ballots == ()

        page = _new_page(browser)
        page.goto(link)
        assert page.wait_for_selector("#go").inner_text() == "Play (Space)"
        for _ in study.order("S01"):
            watch(page)
            # Half a rating survives a reload.
            page.keyboard.press("2")
            page.reload()
            page.wait_for_selector(".ballot")
            assert page.locator("input[name=level-color]:checked").get_attribute("value") == "2"
            rate_by_keyboard(page, dict.fromkeys(DIMENSIONS, 4))
            page.wait_for_selector(".ballot", state="detached")
        page.wait_for_selector("text=Thank you")
        (ballot,) = study.results().ballots
        assert ballot.levels == dict.fromkeys(DIMENSIONS, 4)
        assert ballot.num_replays == 0
        page.context.close()
    finally:
        study.stop()


def test_the_progress_page_renews_itself_and_leaves_focus_and_scroll_alone(
    tmp_path: Path, clips: Path, browser: Browser
) -> None:
    study = RunningStudy(tmp_path, clips, num_clips=3)
    try:
        study.invite(30)
        page = browser.new_context(viewport={"width": 1000, "height": 500}).new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.clock.install()
        page.goto(f"http://127.0.0.1:{study.port}/experimenter/login")
        # Into the field itself: on a busy machine keys come before the field has the focus.
        page.fill("input[type=password]", "pw")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=of 30 subjects finished")
        link = page.locator("a", has_text="S25")
        link.focus()
        place = page.evaluate("window.scrollY")
        assert place > 0
        # A node that was replaced would lose this.
        link.evaluate("node => { node.markedByTest = true; }")
        study.invite(1)
        with page.expect_response("**/experimenter"):
            page.clock.run_for(15_100)
        page.wait_for_selector("text=of 31 subjects finished")
        assert page.locator("a", has_text="S31").count() == 1
        assert page.evaluate("document.activeElement.textContent") == "S25"
        assert link.evaluate("node => node.markedByTest")
        assert page.evaluate("window.scrollY") == place
        assert "Renewed at" in page.inner_text("#renewed")
        page.context.close()
    finally:
        study.stop()


def test_the_last_rating_can_be_replaced_from_the_last_page(
    tmp_path: Path, clips: Path, browser: Browser
) -> None:
    study = RunningStudy(tmp_path, clips, num_clips=2)
    try:
        (link,) = study.invite(1)
        page = _new_page(browser)
        answers = {clip: dict.fromkeys(DIMENSIONS, 4) for clip in study.order("S01")}
        _take_part(page, link, study.order("S01"), answers)
        page.keyboard.press("z")
        page.wait_for_selector(".ballot")
        rate_by_keyboard(page, dict.fromkeys(DIMENSIONS, 2))
        page.wait_for_selector("text=Thank you")
        (ballot,) = study.results().ballots
        assert ballot.levels == dict.fromkeys(DIMENSIONS, 2)
        page.context.close()
    finally:
        study.stop()


def _check_recovery(
    study: RunningStudy,
    truth: dict[str, dict[str, float]],
    spammers: set[str],
    max_error: float,
) -> None:
    """The planted qualities come out of the database again, and the spammers stand out."""
    results = study.results()
    tables = results.vote_tables()
    for name, analysis in analyze(tables, method="mle").items():
        planted = np.array([truth[clip][name] for clip in tables[name].stimuli])
        estimate = analysis.estimate
        correlation = np.corrcoef(_ranks(estimate.quality), _ranks(planted))[0, 1]
        linear = np.corrcoef(estimate.quality, planted)[0, 1]
        error = float(np.sqrt(np.mean((estimate.quality - planted) ** 2)))
        print(  # noqa: T201
            f"{name}: SRCC {correlation:.4f}, PLCC {linear:.4f}, RMSE {error:.3f} of five levels"
        )
        assert correlation > 0.85  # 0.9: one swap of two neighbours among five clips
        assert error < max_error
        worst = np.argsort(-estimate.inconsistency)[: len(spammers)]
        assert {tables[name].subjects[index] for index in worst} == spammers
    flags = {
        person.subject: flags_of(
            person.subject, results.ballots, results.definition, {}, tables["overall"]
        )
        for person in results.subjects
    }
    # Simulated subjects rate in no time, so "too fast" says nothing here.
    disagreeing = {s for s, found in flags.items() if any(f.kind == "disagrees" for f in found)}
    print(f"disagree with the others: {sorted(disagreeing)}")  # noqa: T201
    assert spammers <= disagreeing
    honest = [index for index, s in enumerate(tables["overall"].subjects) if s not in spammers]
    rejected = screen_subjects(tables["overall"].votes, count_unanimous=False).rejected
    assert not rejected[honest].any()


def _check_that_nobody_else_stands_out(study: RunningStudy, spammers: set[str]) -> None:
    """With enough votes, simple limits separate exactly the spammers, in every dimension."""
    results = study.results()
    tables = results.vote_tables()
    for name, analysis in analyze(tables, method="mle").items():
        inconsistency = analysis.estimate.inconsistency
        erratic = inconsistency > ERRATIC * np.median(inconsistency)
        assert {tables[name].subjects[index] for index in erratic.nonzero()[0]} == spammers
    flagged = {
        person.subject
        for person in results.subjects
        for flag in flags_of(
            person.subject, results.ballots, results.definition, {}, tables["overall"]
        )
        if flag.kind == "disagrees"
    }
    assert flagged == spammers


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.argsort(np.argsort(values))


def test_six_simulated_subjects_give_the_planted_truth_and_the_spammer_away(
    tmp_path: Path, clips: Path
) -> None:
    study = RunningStudy(tmp_path, clips, num_clips=6)
    try:
        truth, meant = _simulate(study, num_people=6, num_spammers=1)
        _check_votes(study, meant)
        _check_recovery(study, truth, {"S06"}, max_error=0.6)
    finally:
        study.stop()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_twenty_two_simulated_subjects_give_the_planted_truth_and_the_spammers_away(
    tmp_path: Path, clips: Path
) -> None:
    study = RunningStudy(tmp_path, clips, num_clips=len(REAL_CLIPS), num_frames=None)
    try:
        truth, meant = _simulate(study, num_people=22, num_spammers=2)
        _check_votes(study, meant)
        _check_recovery(study, truth, {"S21", "S22"}, max_error=0.3)
        _check_that_nobody_else_stands_out(study, {"S21", "S22"})
    finally:
        study.stop()
