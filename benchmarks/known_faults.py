"""How well are known faults of unseen flawless photographs judged, and where is order lost?

    python benchmarks/known_faults.py --photographs FOLDER [--split test] [--count 300]

Clips are degraded photographs of one split (`finevq data fetch-wallpapers` brings photographs that
lack nothing, so labels are the whole truth there; nano trained on the other splits). For each
dimension: SRCC with MOS and its 95 % interval (whole photographs resampled), with severity, the
residual after regressing out overall, and RMSE. Floors: overall as the dimension's score (SRCC), a
constant (RMSE). What SRCC would be if clips without the fault, or those with it, had their true
order and the scores that they have, tells where order is lost; the mean error by the worst
attribute tells which faults are not seen.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import finevq
from finevq.datasets.sources import find_sources
from finevq.datasets.synthesis import SynthesisConfig, synthesize
from finevq.datasets.synthetic import SyntheticClip, read_manifest
from finevq.evaluation.correlation import residual_srcc, rmse, srcc
from finevq.evaluation.uncertainty import bootstrap_interval
from finevq.records import Assessment
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension, dimension_of

_Vector = NDArray[np.float64]
_MAX_SHORT_SIDE = 1080


def main() -> None:
    """Make the clips, assess them, print, and write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "validation", "test"), default="test")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=71)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--work", type=Path, help="where the clips stay, to be used again")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    found = find_sources([options.photographs], with_scikit_image=False)
    sources = [source for source in found if source.split == options.split]
    if not sources:
        parser.error(f"no photograph of {options.photographs} is of the split {options.split}")
    config = SynthesisConfig(
        count=options.count,
        seed=options.seed,
        max_short_side=_MAX_SHORT_SIDE,
        workers=options.workers,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        clips = read_manifest(synthesize(folder, sources, config))
        outcomes = finevq.load(options.model).assess_many([str(clip.path) for clip in clips])
        judged = [
            (clip, outcome)
            for clip, outcome in zip(clips, outcomes, strict=True)
            if isinstance(outcome, Assessment)
        ]
    result = {
        "clips": len(judged),
        "photographs": len({clip.source for clip, _ in judged}),
        "failed": len(clips) - len(judged),
        "dimensions": {str(dimension): of_dimension(judged, dimension) for dimension in Dimension},
        "mean_error_by_worst_attribute": errors_by_attribute(judged),
    }
    print(json.dumps(result, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def of_dimension(
    judged: Sequence[tuple[SyntheticClip, Assessment]], dimension: Dimension
) -> dict[str, Any]:
    """Return the numbers of a dimension."""
    said = np.array([assessment.dimensions[dimension].score for _, assessment in judged])
    mos = np.array([clip.mos[dimension] for clip, _ in judged])
    interval = bootstrap_interval(
        srcc, said, mos, rng=np.random.default_rng(0), clusters=[clip.source for clip, _ in judged]
    )
    numbers: dict[str, Any] = {
        "srcc": rounded(srcc(said, mos).value),
        "interval": [rounded(interval.low), rounded(interval.high)],
        "rmse": rounded(rmse(said, mos).value),
        "rmse_of_a_constant": rounded(mos.std()),
    }
    if dimension is Dimension.OVERALL:
        return numbers
    overall = np.array([clip.mos[Dimension.OVERALL] for clip, _ in judged])
    severity = np.array([clip.severities[dimension] for clip, _ in judged])
    is_faulty = np.array([clip.distorted[dimension] for clip, _ in judged])
    return numbers | {
        "srcc_of_overall": rounded(srcc(overall, mos).value),
        "residual_srcc": rounded(residual_srcc(said, mos, overall).value),
        "srcc_with_severity": rounded(srcc(-severity, said).value),
        "share_faulty": rounded(is_faulty.mean()),
        "srcc_if_faultless_were_in_order": rounded(
            srcc(in_order(said, mos, ~is_faulty), mos).value
        ),
        "srcc_if_faulty_were_in_order": rounded(srcc(in_order(said, mos, is_faulty), mos).value),
    }


def in_order(said: _Vector, mos: _Vector, chosen: NDArray[np.bool_]) -> _Vector:
    """Return the scores, those of some clips dealt out again in the true order."""
    dealt = said.copy()
    rows = np.flatnonzero(chosen)
    dealt[rows[np.argsort(mos[rows])]] = np.sort(said[rows])
    return dealt


def errors_by_attribute(
    judged: Sequence[tuple[SyntheticClip, Assessment]],
) -> dict[str, dict[str, float]]:
    """Return score less MOS of the dimension whose worst attribute it is, and how many clips."""
    errors: dict[str, list[float]] = defaultdict(list)
    for clip, assessment in judged:
        for dimension in FAULT_DIMENSIONS:
            present = {
                name: severity
                for name, severity in clip.attribute_severities.items()
                if dimension_of(name) is dimension
            }
            if clip.distorted[dimension]:
                worst = max(present, key=lambda name: present[name])
                score = assessment.dimensions[dimension].score
                errors[worst].append(score - clip.mos[dimension])
    return {
        name: {"clips": len(values), "points_too_good": rounded(np.mean(values))}
        for name, values in sorted(errors.items(), key=lambda item: -len(item[1]))
    }


def rounded(value: float | np.floating[Any]) -> float:
    """Return three digits behind the point."""
    return round(float(value), 3)


if __name__ == "__main__":
    main()
