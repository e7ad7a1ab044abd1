"""Assessments in a terminal: a full panel for one video, a row each for many.

Level words stand beside every color, so nothing is lost with NO_COLOR or in a file.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from finevq.records import Assessment, DimensionAssessment, Failure, TimelineSegment
from finevq.report.text import printable_text
from finevq.report.words import (
    clock,
    impact,
    level_number,
    likely_attributes,
    media_facts,
    percent,
    summary,
)
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension

_LEVEL_COLORS = ("red", "dark_orange", "yellow3", "chartreuse3", "green3")
_NARROW_COLUMNS = 76
"""Below this width a video's panel leaves out the column of attributes."""
_NARROW_OVERVIEW_COLUMNS = 100
"""Below this width a table of many videos leaves out the column of levels."""
_WIDEST_PANEL = 110
"""Longer lines are hard to read."""


class ScoreBar:
    """A bar of 0..100 that is as wide as there is room, 8 to 24 columns."""

    def __init__(self, score: float, color: str) -> None:
        self._share = min(max(score / 100, 0.0), 1.0)
        self._color = color

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, 24)
        full, part = divmod(round(self._share * width * 8), 8)
        if options.ascii_only:
            bar, rest = "#" * full, "." * (width - full)
        else:
            bar = "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")
            rest = "·" * (width - len(bar))
        yield Segment(bar, Style(color=self._color))
        yield Segment(rest, Style(dim=True))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(8, 24)


def assessment_panel(assessment: Assessment, *, width: int = _WIDEST_PANEL) -> RenderableType:
    """Return everything about one video.

    Args:
        assessment: The video's record.
        width: Columns there are; a narrow panel leaves out the attributes' column.
    """
    parts: list[RenderableType] = [
        Text(_media_line(assessment), style="dim"),
        Text(),
        _dimension_table(assessment, with_attributes=width >= _NARROW_COLUMNS),
        Text(),
        Text(impact(assessment), style="bold"),
        Text(assessment.description),
    ]
    if assessment.timeline:
        parts += [Text(), _timeline_table(assessment.timeline, with_end=width >= _NARROW_COLUMNS)]
    parts += [Text(f"! {warning}", style="yellow") for warning in _printable(assessment.warnings)]
    model = assessment.model
    return Panel(
        Group(*parts),
        title=Text(printable_text(assessment.video), style="bold", overflow="fold"),
        title_align="left",
        subtitle=Text(f"{model.name} {model.version}", style="dim"),
        subtitle_align="right",
        box=box.ROUNDED,
        width=min(width, _WIDEST_PANEL),
        padding=(1, 2),
    )


def overview_table(
    outcomes: Sequence[Assessment | Failure], *, width: int = _WIDEST_PANEL
) -> RenderableType:
    """Return a row for each video, then the failures in full, then one summary sentence.

    Args:
        outcomes: In the order of the rows.
        width: Columns there are. A narrow table leaves out the level, so that the names of the
            videos, which give way first, keep their room.
    """
    with_level = width >= _NARROW_OVERVIEW_COLUMNS
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("video", overflow="fold", min_width=12)
    table.add_column("overall", justify="right", no_wrap=True)
    if with_level:
        table.add_column("level", no_wrap=True)
    for dimension in FAULT_DIMENSIONS:
        table.add_column(str(dimension), justify="right", no_wrap=True)
    table.add_column("hurts most", no_wrap=True)
    for outcome in outcomes:
        table.add_row(*_overview_row(outcome, with_level=with_level))
    parts: list[RenderableType] = [table]
    parts += [_failure_line(outcome) for outcome in outcomes if isinstance(outcome, Failure)]
    return Group(*parts, Text(summary(outcomes), style="bold"))


def _overview_row(outcome: Assessment | Failure, *, with_level: bool) -> list[Text]:
    name = Text(printable_text(outcome.video))
    if isinstance(outcome, Failure):
        failed = Text("failed", style="bold red")
        first = [name, Text("-"), failed] if with_level else [name, failed]
        return [*first, *[Text("-")] * 6]
    overall = outcome.overall
    scores = [
        Text(f"{outcome.dimensions[d].score:.1f}", style=_color(d, outcome.dimensions[d]))
        for d in FAULT_DIMENSIONS
    ]
    level = [Text(overall.level, style=_color(Dimension.OVERALL, overall))] if with_level else []
    score = Text(f"{overall.score:.1f}", style="bold")
    return [name, score, *level, *scores, Text(outcome.most_impactful)]


def _failure_line(failure: Failure) -> Text:
    text = Text.assemble(("failed: ", "bold red"), (printable_text(failure.video), "bold"), " ")
    return text.append(f"({failure.error_type}) {printable_text(failure.message)}")


def _dimension_table(assessment: Assessment, *, with_attributes: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("0 to 100")
    table.add_column("better than", justify="right", no_wrap=True)
    if with_attributes:
        table.add_column("signs of")
    for dimension in (Dimension.OVERALL, *FAULT_DIMENSIONS):
        part = assessment.dimensions[dimension]
        color = _color(dimension, part)
        style = "bold" if dimension is Dimension.OVERALL else ""
        cells: list[RenderableType] = [
            Text(str(dimension), style=style),
            Text(f"{part.score:.1f}", style=style),
            Text(part.level, style=f"{style} {color}".strip()),
            ScoreBar(part.score, color),
            Text(f"{part.percentile:.0f} %"),
        ]
        table.add_row(*cells, *([_signs(part)] if with_attributes else []))
    return table


def _signs(part: DimensionAssessment) -> Text:
    signs = (f"{e.name} {percent(e.probability)}" for e in likely_attributes(part))
    return Text(", ".join(signs))


def _timeline_table(timeline: Sequence[TimelineSegment], *, with_end: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    order = (Dimension.OVERALL, *FAULT_DIMENSIONS)
    for name in ("from", *(["to"] if with_end else []), *order):
        table.add_column(str(name), justify="right", no_wrap=True)
    for segment in timeline:
        scores = [f"{segment.scores[d]:.1f}" if d in segment.scores else "-" for d in order]
        end = [clock(segment.end_seconds)] if with_end else []
        table.add_row(clock(segment.start_seconds), *end, *scores)
    return table


def _media_line(assessment: Assessment) -> str:
    facts = dict(media_facts(assessment.media))
    if "Frames" in facts:
        facts["Frames"] += " frames"
    names = ("Size", "Picture", "Length", "Frames", "Rate", "Codec", "Pixels", "Bit rate")
    return " · ".join(facts[name] for name in names if name in facts)


def _color(dimension: Dimension, part: DimensionAssessment) -> str:
    return _LEVEL_COLORS[level_number(dimension, part)]


def _printable(texts: Sequence[str]) -> list[str]:
    return [printable_text(text) for text in texts]
