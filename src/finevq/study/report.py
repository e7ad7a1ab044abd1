"""The analysis as one HTML file: figures and tables, no script, nothing from elsewhere."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finevq.study import figures
from finevq.study.agreement import agreement_of, power_curve, subjects_needed
from finevq.study.analysis import Analysis
from finevq.study.figures import Axis
from finevq.study.labels import VideoLabels
from finevq.study.rendering import render
from finevq.study.screening import outlier_sides, screen_subjects

METHOD_WORDS = {
    "mos": "plain mean",
    "bt500": "mean after rejecting subjects (ITU-R BT.500)",
    "zscore": "mean of Z-scores",
    "zscore-bt500": "mean of Z-scores after rejecting subjects (ITU-R BT.500)",
    "bias": "mean after removing each subject's bias (ITU-T P.913)",
    "bias-bt500": "mean after removing bias and rejecting subjects",
    "mle": "maximum likelihood with bias and inconsistency (ITU-T P.910)",
    "finevd": "the FineVD way: outliers and subjects rejected (BT.500), Z-scores mapped to 0..100",
}
POWER_TARGET_SHARE = 0.05
"""Half width wished for, as a share of the scale."""


def render_report(
    analyses: Mapping[str, Analysis],
    *,
    title: str,
    categories: Mapping[str, str] | None = None,
    labels: Sequence[VideoLabels] = (),
) -> str:
    """Return the report of an analysis.

    Args:
        analyses: One per dimension.
        title: The study's name.
        categories: Stimulus -> category, for distributions by category.
        labels: Attribute labels, where subjects chose attributes.
    """
    first = next(iter(analyses.values()))
    return render(
        "report.html",
        title=title,
        method=METHOD_WORDS[first.method],
        num_stimuli=len(first.table.stimuli),
        num_subjects=len(first.table.subjects),
        num_votes=sum(analysis.table.num_votes for analysis in analyses.values()),
        sections=[_section(name, analysis) for name, analysis in analyses.items()],
        by_category=_by_category(analyses, categories or {}),
        labels=labels,
    )


def _section(name: str, analysis: Analysis) -> dict[str, Any]:
    table, estimate = analysis.table, analysis.estimate
    screening = screen_subjects(table.votes, count_unanimous=False, by_votes_given=True)
    high, low = outlier_sides(table.votes, count_unanimous=False)
    scale = table.scale
    num_subjects = len(table.subjects)
    target = POWER_TARGET_SHARE * (scale[1] - scale[0])
    axis = _quality_axis(analysis)
    return {
        "name": name,
        "distribution": figures.histogram(
            estimate.quality.tolist(), axis, f"Distribution of quality, {name}"
        ),
        "intervals": figures.intervals(
            [
                (float(q), float(c[0]), float(c[1]))
                for q, c in zip(estimate.quality, estimate.ci95, strict=True)
            ],
            axis,
            f"Quality with 95 % intervals, {name}",
            "clips, sorted",
        ),
        "subjects": _subject_figure(name, analysis),
        "outliers": figures.bar_chart(
            table.subjects,
            (100.0 * screening.outlier_share).tolist(),
            "outlying votes, %",
            f"Outlying votes by subject, {name}",
            marked=estimate.rejected.tolist(),
            limit=5.0,
        ),
        "power": _power_figure(name, analysis),
        "rejected": [s for s, r in zip(table.subjects, estimate.rejected, strict=True) if r],
        "outlier_share": float((high | low).sum() / max(table.num_votes, 1)),
        "agreement": agreement_of(table, scale).to_dict(),
        "num_subjects": num_subjects,
        "target": target,
        "needed": subjects_needed(table.votes, target) if target > 0 else None,
        "rows": analysis.to_dict()["stimuli"],
        "people": [
            row | {"outliers": float(share)}
            for row, share in zip(
                analysis.to_dict()["subjects"], screening.outlier_share, strict=True
            )
        ],
    }


def _quality_axis(analysis: Analysis) -> Axis:
    if analysis.method == "finevd":
        return Axis(label="quality, 0 to 100", low=0.0, high=100.0)
    known = analysis.estimate.quality[~np.isnan(analysis.estimate.quality)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if analysis.method.startswith("zscore"):
        return Axis(label="quality, standard deviations", low=low - 0.2, high=high + 0.2)
    scale = analysis.table.scale
    return Axis(label="quality", low=min(low, scale[0]), high=max(high, scale[1]))


def _subject_figure(name: str, analysis: Analysis) -> str:
    bias, spread = analysis.estimate.bias, analysis.estimate.inconsistency
    reach = max(float(np.nanmax(np.abs(bias), initial=0.0)), 0.1) * 1.25
    top = max(float(np.nanmax(spread, initial=0.0)), 0.1) * 1.15
    return figures.scatter(
        [
            (subject, float(bias[i]), float(spread[i]))
            for i, subject in enumerate(analysis.table.subjects)
        ],
        Axis(label="bias, votes", low=-reach, high=reach),
        Axis(label="inconsistency, votes", low=0.0, high=top),
        f"Bias and inconsistency of subjects, {name}",
        marked=analysis.estimate.rejected.tolist(),
    )


def _power_figure(name: str, analysis: Analysis) -> str:
    now = len(analysis.table.subjects)
    last = max(40, 2 * now)
    points = [
        (float(n), w)
        for n, w in power_curve(analysis.table.votes, tuple(range(4, last + 1)))
        if w == w
    ]
    top = max((w for _, w in points), default=1.0)
    return figures.curve(
        points,
        Axis(label="subjects", low=4.0, high=float(last)),
        Axis(label="half width of 95 % interval, votes", low=0.0, high=top * 1.05),
        f"Interval width against the number of subjects, {name}",
        here=float(now) if now >= 4 else None,
    )


def _by_category(
    analyses: Mapping[str, Analysis], categories: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return, per category, the distribution of every dimension."""
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, analysis in analyses.items():
        quality = analysis.estimate.quality
        for stimulus, value in zip(analysis.table.stimuli, quality, strict=True):
            if (category := categories.get(stimulus)) and value == value:
                groups[category][name].append(float(value))
    return [
        {
            "category": category,
            "dimensions": [
                {
                    "name": name,
                    "num": len(values),
                    "mean": float(np.mean(values)),
                    "figure": figures.histogram(
                        values,
                        _quality_axis(analyses[name]),
                        f"Distribution of {name}, {category}",
                        12,
                    ),
                }
                for name, values in of_category.items()
            ],
        }
        for category, of_category in sorted(groups.items())
    ]
