"""Simulated subjects with known bias and inconsistency, who rate through the real pages.

Used by the journeys; a module of its own, since the small run of every test and the large run of
the slow test are the same thing at two sizes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

DIMENSIONS = ("color", "noise", "artifact", "blur", "temporal", "overall")


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


def shoot(page: Page, folder: Path | None, name: str) -> None:
    """Keep a picture of a page, where wanted."""
    if folder is not None:
        page.screenshot(path=folder / f"{name}.png")
