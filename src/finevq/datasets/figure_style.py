"""How figures look, here and in evaluation reports: colors, axes, PNG bytes.

Drawn with matplotlib's object interface: no global state.
"""

import io
from typing import Any

from finevq.errors import MissingExtraError

INK, SOFT, LINE, FILL, WARM, GREY = (
    "#1c2430",
    "#5d6877",
    "#dfe4ea",
    "#2456a6",
    "#d9822b",
    "#9aa5b1",
)
"""Text, secondary text, rules, data, what stands out, what is for comparison."""


def new_figure(width: float, height: float) -> Any:  # noqa: ANN401 - matplotlib ships no types
    """Return an empty figure of that many inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # the evaluation extra
    except ImportError:
        raise MissingExtraError("Drawing figures", "evaluation") from None
    return Figure(figsize=(width, height), dpi=144, layout="constrained")


def style_axes(axes: Any) -> None:  # noqa: ANN401 - matplotlib
    """Take away what carries no information."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=SOFT, labelsize=8, length=0)
    axes.set_axisbelow(True)


def to_png(figure: Any) -> bytes:  # noqa: ANN401 - matplotlib
    """Return the figure as a PNG file."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
