"""The place of a score among real videos: percentiles of FineVD's public MOS.

A bare number means little to people; "better than 70 % of user-generated videos" does.
"""

import json
from collections.abc import Mapping
from importlib import resources

import numpy as np

from finevq.vocabulary import Dimension


class Population:
    """The MOS of FineVD's public videos, as percentiles of each dimension."""

    def __init__(self, percentiles: Mapping[str, list[float]]) -> None:
        self._percentiles = {Dimension(name): values for name, values in percentiles.items()}

    @classmethod
    def finevd(cls) -> "Population":
        """Load the table that comes with the package (made by dev/make_population.py)."""
        text = resources.files("finevq.inference").joinpath("finevd_population.json")
        return cls(json.loads(text.read_text(encoding="utf-8"))["percentiles"])

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest overall MOS: the ends of the scale of levels."""
        overall = self._percentiles[Dimension.OVERALL]
        return overall[0], overall[-1]

    def percentile(self, dimension: Dimension, score: float) -> float:
        """Return the share of videos with a lower MOS, 0..100."""
        values = self._percentiles[dimension]
        return float(np.interp(score, values, np.linspace(0, 100, len(values))))
