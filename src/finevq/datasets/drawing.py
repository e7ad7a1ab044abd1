"""Figures of a data set.

MOS histograms (as the paper's figure 3), MOS by content (figure 4), correlations between
dimensions, attribute frequencies.

Returned as PNG bytes by name.
"""

import numpy as np

from finevq.datasets.describe import describe, most_named
from finevq.datasets.figure_style import FILL, INK, LINE, SOFT, WARM, new_figure, style_axes, to_png
from finevq.datasets.labels import LabelSet
from finevq.vocabulary import Dimension

_NUM_BINS = 40
_MIN_GROUP = 10


def draw(labels: LabelSet) -> dict[str, bytes]:
    """Draw every figure that the labels allow.

    Returns:
        Figure name to PNG: mos-distributions always; mos-by-content, correlations and attributes
        where the data set has categories, several dimensions, attributes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = {"mos-distributions": _histograms(labels)}
    groups = _groups(labels)
    if len(groups) > 1:
        figures["mos-by-content"] = _boxes(labels, groups)
    if len(labels.dimensions) > 1:
        figures["correlations"] = _correlations(labels)
    if any(video.existing_distortion for video in labels.videos):
        figures["attributes"] = _attributes(labels)
    return figures


def _histograms(labels: LabelSet) -> bytes:
    dimensions = labels.dimensions
    columns = min(3, len(dimensions))
    lines = -(-len(dimensions) // columns)
    figure = new_figure(3.3 * columns + 0.4, 2.3 * lines + 0.4)
    values = {d: np.array(labels.mos(d)) for d in dimensions}
    low = min(float(v.min()) for v in values.values())
    high = max(float(v.max()) for v in values.values())
    bins = np.linspace(low, high, _NUM_BINS + 1)
    for place, dimension in enumerate(dimensions):
        axes = figure.add_subplot(lines, columns, place + 1)
        mos = values[dimension]
        axes.hist(mos, bins=bins, color=FILL, alpha=0.85)
        axes.axvline(mos.mean(), color=WARM, linewidth=1.6)
        axes.set_title(str(dimension), fontsize=10, color=INK, loc="left")
        text = f"mean {mos.mean():.4g}, SD {mos.std():.3g}"
        axes.set_title(text, fontsize=8, color=SOFT, loc="right")
        style_axes(axes)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        if place >= len(dimensions) - columns:
            axes.set_xlabel("MOS", fontsize=8, color=SOFT)
        if place % columns == 0:
            axes.set_ylabel("videos", fontsize=8, color=SOFT)
    return to_png(figure)


def _groups(labels: LabelSet) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for video in labels.videos:
        if video.category:
            groups.setdefault(video.category, []).append(video.mos[Dimension.OVERALL])
    return {name: mos for name, mos in sorted(groups.items()) if len(mos) >= _MIN_GROUP}


def _boxes(labels: LabelSet, groups: dict[str, list[float]]) -> bytes:
    figure = new_figure(max(6.0, 0.27 * len(groups) + 1.5), 3.6)
    axes = figure.add_subplot(1, 1, 1)
    axes.boxplot(
        list(groups.values()),
        widths=0.62,
        patch_artist=True,
        boxprops={"facecolor": "#c9d8ee", "edgecolor": FILL},
        medianprops={"color": WARM, "linewidth": 1.6},
        whiskerprops={"color": FILL},
        capprops={"color": FILL},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": SOFT},
    )
    axes.set_xticks(range(1, len(groups) + 1), list(groups), rotation=90, fontsize=8)
    axes.set_ylabel("overall MOS", fontsize=9, color=SOFT)
    title = f"Overall MOS by content, {labels.name} ({len(labels)} videos)"
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    style_axes(axes)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    return to_png(figure)


def _correlations(labels: LabelSet) -> bytes:
    names = [str(d) for d in labels.dimensions]
    pairs = describe(labels)["correlations"]
    matrix = np.eye(len(names))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            matrix[i, j] = pairs.get(f"{a}-{b}", pairs.get(f"{b}-{a}", 1.0))
    figure = new_figure(0.75 * len(names) + 1.6, 0.6 * len(names) + 1.4)
    axes = figure.add_subplot(1, 1, 1)
    axes.imshow(matrix, cmap="Blues", vmin=matrix.min() - 0.15, vmax=1.1, aspect="auto")
    for i in range(len(names)):
        for j in range(len(names)):
            color = "white" if matrix[i, j] > (matrix.min() + 1.0) / 2 else INK
            axes.text(
                j, i, f"{matrix[i, j]:.3f}", ha="center", va="center", fontsize=9, color=color
            )
    axes.set_xticks(range(len(names)), names, fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_title("SRCC between dimensions", fontsize=10, color=INK, loc="left")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return to_png(figure)


def _attributes(labels: LabelSet) -> bytes:
    named = most_named(describe(labels)["attributes"], limit=27)
    figure = new_figure(5.6, 0.24 * len(named) + 0.9)
    axes = figure.add_subplot(1, 1, 1)
    names, counts = [name for name, _ in named], [count for _, count in named]
    axes.barh(range(len(names)), counts, color=FILL, height=0.7)
    for place, count in enumerate(counts):
        axes.text(count, place, f" {count}", va="center", fontsize=8, color=SOFT)
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_title("Distortions that annotators named", fontsize=10, color=INK, loc="left")
    axes.set_xlabel("videos", fontsize=8, color=SOFT)
    style_axes(axes)
    return to_png(figure)
