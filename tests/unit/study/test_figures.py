import math
import xml.etree.ElementTree as ElementTree

import pytest

from finevq.study.figures import Axis, bar_chart, curve, histogram, intervals, scatter

AXIS = Axis(label="x <&> y", low=0, high=10)


@pytest.mark.parametrize(
    "figure",
    [
        histogram([1, 2, 2, math.nan], AXIS, "a < b"),
        histogram([], AXIS, "nothing"),
        bar_chart(["S<1>", "b"], [1.0, math.nan], "%", "bars", marked=[True], limit=5.0),
        bar_chart([], [], "%", "no bars"),
        scatter([("a&b", 1, 2), ("c", math.nan, 1)], AXIS, AXIS, "points", marked=[True, False]),
        curve([(1, 2), (3, 4)], AXIS, AXIS, "curve", here=2),
        intervals([(1, 0, 2), (math.nan, math.nan, math.nan)], AXIS, "intervals", "clips"),
    ],
)
def test_figures_are_well_formed_and_named(figure: str) -> None:
    root = ElementTree.fromstring(figure)
    assert root.get("aria-label")
    assert "nan" not in figure


def test_bars_are_as_high_as_their_counts() -> None:
    root = ElementTree.fromstring(histogram([1, 1, 1, 9], AXIS, "t", num_bins=2))
    heights = [float(str(bar.get("height"))) for bar in root.iter("rect")]
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.2)
