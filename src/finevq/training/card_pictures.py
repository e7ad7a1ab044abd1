"""Pictures of the model card: learning curves, confusion of attributes, calibration, failures.

Drawn with matplotlib's object interface (no global state), written as PNG files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finevq.errors import FineVQError, MissingExtraError
from finevq.prompts import questions
from finevq.prompts.questions import Family
from finevq.settings import Settings
from finevq.training.calibrate import answer_confidences
from finevq.training.predictions import Predictions
from finevq.training.samples import TrainingSample
from finevq.video.decode import decode_video
from finevq.video.transforms import Whole
from finevq.vocabulary import ALL_ATTRIBUTES, NO_FAULT, Dimension

_INK, _SOFT, _LINE, _FILL, _WARM = "#1c2430", "#5d6877", "#dfe4ea", "#2456a6", "#d9822b"
_NUM_BINS = 10
_NUM_FAILURES = 8
_THUMBNAIL = 320
_FREE_ORIGINS = ("wall", "scikit-image")
"""Folders of sources whose pictures may be shown: free wallpapers and scikit-image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """What the pictures show."""

    histories: Mapping[str, Sequence[Mapping[str, float]]]
    """Stage -> validation numbers, round by round."""
    predictions: Predictions
    """On test clips."""
    samples: Sequence[TrainingSample]
    """The same clips."""
    temperatures: Mapping[Family, float]
    thresholds: Mapping[str, float]
    """Of attributes, by name."""
    mos_range: tuple[float, float]


def draw_card(facts: CardFacts, folder: Path, settings: Settings) -> None:
    """Write learning_curves.png, attributes.png, calibration.png and failures.png.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(facts.histories.values()):
        _save(_learning_curves(facts.histories), folder / "learning_curves.png")
    _save(_confusion(facts), folder / "attributes.png")
    _save(_calibration(facts), folder / "calibration.png")
    failures = _failures(facts, settings)
    if failures is not None:
        _save(failures, folder / "failures.png")


def _learning_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:  # noqa: ANN401
    stages = {stage: rows for stage, rows in histories.items() if rows}
    figure = _figure(5.4 * len(stages), 3.9)
    for place, (stage, rows) in enumerate(stages.items()):
        axes = figure.add_subplot(1, len(stages), place + 1)
        rounds = np.arange(1, len(rows) + 1)
        names = [name for name in rows[0] if name not in {"loss", "selection", "kept"}]
        for index, name in enumerate(names):
            values = [row[name] for row in rows]
            is_people = name == "human"
            axes.plot(
                rounds,
                values,
                label="people's overall" if is_people else name.replace("_", " "),
                color=_WARM if is_people else _color(index, len(names)),
                linewidth=2.2 if is_people else 1.3,
                marker=".",
                linestyle="--" if name.endswith("_severity") else "-",
            )
        # Chosen by its numbers, unless a row says that it is what was kept.
        best = int(np.argmax([row["selection"] + row.get("kept", 0.0) for row in rows])) + 1
        axes.axvline(best, color=_SOFT, linewidth=0.9, linestyle=":")
        axes.set_title(f"{stage} stage; kept: {best}", fontsize=10, color=_INK, loc="left")
        axes.set_xticks(rounds)
        axes.set_xlabel("round", fontsize=9, color=_SOFT)
        axes.set_ylabel("SRCC on validation data", fontsize=9, color=_SOFT)
        axes.legend(fontsize=7, frameon=False, ncols=2)
    return figure


def _color(index: int, count: int) -> Any:  # noqa: ANN401  # matplotlib's colour
    from matplotlib import colormaps  # an optional extra

    return colormaps["viridis"](0.05 + 0.8 * index / max(count - 1, 1))


def _confusion(facts: CardFacts) -> Any:  # noqa: ANN401
    names = [*ALL_ATTRIBUTES, NO_FAULT]
    table = np.zeros((len(names), len(names)))
    for truth, answer in zip(
        _worst_attributes(facts.samples), _named_attributes(facts), strict=True
    ):
        table[names.index(truth), names.index(answer)] += 1
    counts = table.sum(axis=1)
    shares = table / np.maximum(counts, 1)[:, None]
    figure = _figure(9.2, 8.2)
    axes = figure.add_subplot(1, 1, 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(table), strict=True):
        axes.text(
            column,
            row,
            int(table[row, column]),
            ha="center",
            va="center",
            fontsize=6,
            color="white" if shares[row, column] > 0.5 else _INK,
        )
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(
        range(len(names)), [f"{n} ({int(c)})" for n, c in zip(names, counts, strict=True)]
    )
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("most probable attribute that is named", fontsize=9, color=_SOFT)
    axes.set_ylabel("severest attribute of the clip (clips)", fontsize=9, color=_SOFT)
    axes.set_title("Which attribute is seen, on test clips", fontsize=10, color=_INK, loc="left")
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the row")
    return figure


def _worst_attributes(samples: Sequence[TrainingSample]) -> list[str]:
    worst = []
    for sample in samples:
        known = sample.severities or {}
        name = max(known, key=lambda key: known[key], default=NO_FAULT)
        worst.append(name if known.get(name, 0.0) >= 0.15 else NO_FAULT)
    return worst


def _named_attributes(facts: CardFacts) -> list[str]:
    """Return the most probable of the attributes that pass their thresholds, clip by clip."""
    temperature = facts.temperatures.get(Family.ATTRIBUTE, 1.0)
    yes = np.stack(
        [
            facts.predictions.probabilities(questions.attribute(name), temperature)[:, 0]
            for name in ALL_ATTRIBUTES
        ],
        axis=1,
    )
    thresholds = np.array([facts.thresholds.get(name, 0.5) for name in ALL_ATTRIBUTES])
    named = np.where(yes >= thresholds, yes, 0.0)
    best = named.argmax(axis=1)
    return [
        ALL_ATTRIBUTES[column] if named[row, column] > 0 else NO_FAULT
        for row, column in enumerate(best)
    ]


def _calibration(facts: CardFacts) -> Any:  # noqa: ANN401
    families = answer_confidences(
        facts.predictions, facts.samples, facts.mos_range, dict(facts.temperatures)
    )
    figure = _figure(3.1 * len(families), 3.1)
    for place, (family, (confidences, correct)) in enumerate(families.items()):
        axes = figure.add_subplot(1, len(families), place + 1)
        axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        centers, rates, weights = _bins(confidences, correct)
        axes.plot(centers, rates, color=_FILL, linewidth=1.2)
        axes.scatter(centers, rates, s=8 + 120 * weights, color=_FILL, alpha=0.8)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_title(str(family), fontsize=10, color=_INK, loc="left")
        axes.set_xlabel("confidence of the answer", fontsize=8, color=_SOFT)
        if place == 0:
            axes.set_ylabel("share of right answers", fontsize=8, color=_SOFT)
    return figure


def _bins(
    confidences: NDArray[np.float64], correct: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    bins = np.minimum((confidences * _NUM_BINS).astype(int), _NUM_BINS - 1)
    used = [index for index in range(_NUM_BINS) if (bins == index).any()]
    return (
        np.array([confidences[bins == index].mean() for index in used]),
        np.array([correct[bins == index].mean() for index in used]),
        np.array([(bins == index).mean() for index in used]),
    )


def _failures(facts: CardFacts, settings: Settings) -> Any | None:  # noqa: ANN401
    """Draw the test clips whose overall score is farthest off, of sources that may be shown."""
    scores = facts.predictions.scores_of(questions.rating(Dimension.OVERALL))
    errors = [
        (abs(score - sample.mos[Dimension.OVERALL]), score, sample)
        for score, sample in zip(scores, facts.samples, strict=True)
        if sample.group.startswith(_FREE_ORIGINS)
    ]
    errors.sort(key=lambda entry: -entry[0])
    if not errors:
        return None
    figure = _figure(13.0, 6.4)
    named = dict(zip(map(id, facts.samples), _named_attributes(facts), strict=True))
    for place, (_, score, sample) in enumerate(errors[:_NUM_FAILURES]):
        axes = figure.add_subplot(2, _NUM_FAILURES // 2, place + 1)
        axes.set_axis_off()
        try:
            axes.imshow(_middle_frame(sample.path, settings))
        except FineVQError:
            axes.text(0.5, 0.5, "cannot be read", ha="center")
        truth = ", ".join(
            f"{name} {severity:.2f}"
            for name, severity in sorted((sample.severities or {}).items(), key=lambda x: -x[1])[:2]
        )
        axes.set_title(
            f"overall {score:.0f}, true {sample.mos[Dimension.OVERALL]:.0f}\n"
            f"is: {truth or NO_FAULT}\nsaid: {named[id(sample)]}\nof: {sample.group}",
            fontsize=8,
            color=_INK,
            loc="left",
        )
    return figure


def _middle_frame(path: str, settings: Settings) -> NDArray[np.uint8]:
    decoded = decode_video(
        path,
        sampler=lambda table: {"frame": np.array([len(table) // 2])},
        transforms={"frame": Whole(_THUMBNAIL)},
        settings=settings,
    )
    frame: NDArray[np.uint8] = decoded.arrays["frame"][0]
    return frame


def _figure(width: float, height: float) -> Any:  # noqa: ANN401  # matplotlib's
    try:
        from matplotlib.figure import Figure  # an optional extra
    except ModuleNotFoundError:
        raise MissingExtraError("the pictures of the model card", "evaluation") from None
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401  # matplotlib's
    figure.savefig(path, dpi=110)
