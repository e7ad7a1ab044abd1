"""What a data set is like: MOS distributions, correlations, attributes, containers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.vocabulary import FAULT_DIMENSIONS, NO_FAULT, level_index, levels_of

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def describe(labels: LabelSet) -> dict[str, Any]:
    """Return the facts of a data set as JSON-ready numbers.

    Returns:
        name, source, num_videos, scale, fingerprint, splits, flagged, mos (for each dimension:
        mean, std, quantiles, levels), correlations (SRCC of each pair of dimensions), attributes
        and most_impactful (counts), distorted (share of yes), facts (container).
    """
    return {
        "name": labels.name,
        "source": labels.source,
        "num_videos": len(labels),
        "scale": list(labels.scale),
        "fingerprint": labels.fingerprint,
        "splits": _counts(video.split for video in labels.videos if video.split),
        "flagged": _counts(flag for video in labels.videos for flag in video.flags),
        "categories": _counts(video.category for video in labels.videos if video.category),
        "mos": {str(d): _mos(labels, d) for d in labels.dimensions},
        "correlations": _correlations(labels),
        "attributes": _counts(
            video.existing_distortion for video in labels.videos if video.existing_distortion
        ),
        "most_impactful": _counts(
            video.most_impactful for video in labels.videos if video.most_impactful
        ),
        "distorted": _distorted(labels.videos),
        "facts": _facts(labels.videos),
    }


def _mos(labels: LabelSet, dimension: Any) -> dict[str, Any]:  # noqa: ANN401 - a Dimension
    values = np.array(labels.mos(dimension))
    low, high = float(values.min()), float(values.max())
    levels = Counter(
        levels_of(dimension)[level_index(value, low, high)] for value in values if high > low
    )
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "quantiles": [float(q) for q in np.quantile(values, QUANTILES)],
        "levels": {level: levels[level] for level in levels_of(dimension)},
    }


def _correlations(labels: LabelSet) -> dict[str, float]:
    if len(labels.dimensions) < 2:
        return {}
    ranked = {d: _ranks(np.array(labels.mos(d))) for d in labels.dimensions}
    return {
        f"{a}-{b}": float(np.corrcoef(ranked[a], ranked[b])[0, 1])
        for a, b in combinations(labels.dimensions, 2)
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return average ranks; scipy is not needed for that."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2)[inverse]


def _distorted(videos: Sequence[LabelledVideo]) -> dict[str, float]:
    shares = {}
    for dimension in FAULT_DIMENSIONS:
        answers = [v.is_distorted[dimension] for v in videos if dimension in v.is_distorted]
        if answers:
            shares[str(dimension)] = float(np.mean(answers))
    return shares


def _facts(videos: Sequence[LabelledVideo]) -> dict[str, Any]:
    sizes = [(v.facts.width, v.facts.height) for v in videos if v.facts.width and v.facts.height]
    rates = [v.facts.fps for v in videos if v.facts.fps]
    bits = [v.facts.bit_rate for v in videos if v.facts.bit_rate]
    facts: dict[str, Any] = {"known": len(sizes)}
    if sizes:
        facts["resolutions"] = dict(Counter(f"{w}x{h}" for w, h in sizes).most_common(8))
        facts["portrait"] = sum(h > w for w, h in sizes)
        facts["pixel_formats"] = _counts(
            v.facts.pixel_format for v in videos if v.facts.pixel_format
        )
    if rates:
        facts["frame_rates"] = dict(Counter(f"{round(rate, 2):g}" for rate in rates).most_common(8))
    if bits:
        facts["bit_rate_quantiles"] = [float(q) for q in np.quantile(bits, QUANTILES)]
    return facts


def _counts(words: Any) -> dict[str, int]:  # noqa: ANN401 - any iterable of words
    return dict(Counter(words).most_common())


def most_named(attributes: Mapping[str, int], *, limit: int = 12) -> list[tuple[str, int]]:
    """Return the commonest attributes, "none" left out."""
    named = [(name, count) for name, count in attributes.items() if name != NO_FAULT]
    return named[:limit]
