"""Plots of the reports: bars with intervals, and predictions against MOS with the logistic fit.

Returned as PNG bytes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from finevq.datasets.figure_style import (
    FILL,
    GREY,
    INK,
    LINE,
    SOFT,
    WARM,
    new_figure,
    style_axes,
    to_png,
)
from finevq.evaluation.correlation import plcc_fitted, srcc
from finevq.evaluation.logistic import fit_logistic
from finevq.evaluation.measure import Vector
from finevq.evaluation.tables import Column, Row, Table

_COLORS = {"published": GREY, "method": FILL, "floor": WARM}
_MAX_PUBLISHED = 3


def bars(table: Table, columns: Sequence[Column], *, value_name: str) -> bytes:
    """Draw one panel a column: every measured row, and the best three published figures.

    Args:
        table: Where the numbers come from.
        columns: Which columns are drawn, up to eight.
        value_name: What the axis shows.

    Returns:
        A PNG.
    """
    chosen = list(columns)[:8]
    per_line = min(3 if len(chosen) in {5, 6} else 4, len(chosen))
    num_lines = math.ceil(len(chosen) / per_line)
    num_rows = max(len(_drawn_rows(table, column)) for column in chosen)
    height = num_lines * (0.26 * num_rows + 0.9)
    figure = new_figure(max(4.2, 3.4 * per_line), height)
    for place, column in enumerate(chosen):
        axes = figure.add_subplot(num_lines, per_line, place + 1)
        _draw_bars(axes, table, column)
        axes.set_title(column.group or column.title, fontsize=10, color=INK, loc="left")
        if place // per_line == num_lines - 1:
            axes.set_xlabel(value_name, fontsize=8, color=SOFT)
    return to_png(figure)


def scatter(predictions: Vector, mos: Vector, *, title: str, scale: str = "MOS") -> bytes:
    """Draw predictions against MOS with the 4-parameter logistic.

    Args:
        predictions: (N,) finite scores.
        mos: (N,) labels.
        title: Name of the method and the data set.
        scale: Name of the MOS axis.

    Returns:
        A PNG; without a curve where the fit is undefined.
    """
    figure = new_figure(4.6, 4.0)
    axes = figure.add_subplot(1, 1, 1)
    axes.scatter(predictions, mos, s=14, color=_COLORS["method"], alpha=0.35, linewidths=0)
    rank, linear = srcc(predictions, mos), plcc_fitted(predictions, mos)
    if linear.is_defined:
        grid = np.linspace(predictions.min(), predictions.max(), 200)
        axes.plot(grid, fit_logistic(predictions, mos)(grid), color=_COLORS["floor"], linewidth=2)
    numbers = [
        f"{name} {measure.value:.3f}" if measure.is_defined else f"{name} undefined"
        for name, measure in (("SRCC", rank), ("PLCC", linear))
    ]
    axes.set_title(title, fontsize=10, color=INK, loc="left", pad=22)
    subtitle = f"{',  '.join(numbers)},  {predictions.size} videos"
    axes.text(0, 1.03, subtitle, transform=axes.transAxes, fontsize=8.5, color=SOFT)
    axes.set_xlabel("predicted score", fontsize=9, color=SOFT)
    axes.set_ylabel(scale, fontsize=9, color=SOFT)
    style_axes(axes)
    axes.grid(color=LINE, linewidth=0.6)
    return to_png(figure)


def _drawn_rows(table: Table, column: Column) -> list[Row]:
    figures = [row for row in table.rows if row.kind == "published" and column.key in row.cells]
    sign = -1 if column.higher_is_better else 1
    published = sorted(figures, key=lambda row: sign * row.cells[column.key].measure.value)
    measured = [row for row in table.ordered_rows() if row.kind != "published"]
    rows = [*published[:_MAX_PUBLISHED], *measured]
    return [r for r in rows if column.key in r.cells and r.cells[column.key].measure.is_defined]


def _draw_bars(axes: Any, table: Table, column: Column) -> None:  # noqa: ANN401 - matplotlib
    rows = _drawn_rows(table, column)
    for place, row in enumerate(rows):
        cell = row.cells[column.key]
        value = cell.measure.value
        axes.barh(place, value, color=_COLORS[row.kind], height=0.68)
        end = value
        if cell.interval is not None and not math.isnan(cell.interval.low):
            low, high = cell.interval.low, cell.interval.high
            axes.plot([low, high], [place, place], color=INK, linewidth=1.1)
            end = max(value, high)
        text = f"{value:.{column.digits}f}"
        # Well clear of the interval's line, which would read as a minus sign.
        axes.annotate(
            text,
            (max(end, 0), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=INK,
        )
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.set_ylim(max(len(rows), 3) - 0.4, -0.6)  # a lone bar stays a bar
    values = [row.cells[column.key].measure.value for row in rows]
    intervals = [row.cells[column.key].interval for row in rows]
    values += [interval.low for interval in intervals if interval and not math.isnan(interval.low)]
    axes.set_xlim(min(0.0, *values, 0.0), 1.18 * max(1.0, *values, 1.0))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    style_axes(axes)
    axes.grid(axis="x", color=LINE, linewidth=0.6)
