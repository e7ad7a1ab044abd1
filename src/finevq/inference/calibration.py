"""What turns a network's raw numbers into numbers that mean something.

Temperatures make probabilities honest; the population gives a score its place among real videos.
Both are data: calibration.json travels with the weights, finevd_population.json with the code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np

from finevq.errors import CheckpointError
from finevq.prompts.questions import Family
from finevq.vocabulary import Dimension

CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Fitted on validation data, never on test data."""

    temperatures: Mapping[Family, float] = field(default_factory=dict)
    """Of each question family; 1 where absent."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Probability from which a dimension counts as distorted; 0.5 where absent."""

    @classmethod
    def from_file(cls, path: Path) -> "Calibration":
        """Load calibration.json; a model without one is used as it is.

        Raises:
            CheckpointError: the file cannot be understood.
        """
        if not path.exists():
            return cls()
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            temperatures = {
                Family(name): float(value) for name, value in values["temperatures"].items()
            }
            thresholds = {
                name: float(value) for name, value in values["thresholds"].items()
            }
        except (ValueError, KeyError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a calibration file: {error!r}") from error
        return cls(temperatures=temperatures, thresholds=thresholds)

    def to_file(self, path: Path) -> None:
        """Write calibration.json."""
        values = {
            "temperatures": {str(name): value for name, value in self.temperatures.items()},
            "thresholds": dict(self.thresholds),
        }
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


class Population:
    """The MOS of FineVD's public videos, as percentiles of each dimension."""

    def __init__(self, percentiles: Mapping[str, list[float]]) -> None:
        self._percentiles = {Dimension(name): values for name, values in percentiles.items()}

    @classmethod
    def finevd(cls) -> "Population":
        """Load the table that comes with the package (made by dev/make_population.py)."""
        text = resources.files("finevq.inference").joinpath("finevd_population.json")
        return cls(json.loads(text.read_text(encoding="utf-8"))["percentiles"])

    def percentile(self, dimension: Dimension, score: float) -> float:
        """Return the share of videos with a lower MOS, 0..100."""
        values = self._percentiles[dimension]
        return float(np.interp(score, values, np.linspace(0, 100, len(values))))
