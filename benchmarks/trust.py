"""What can be checked of a model without opinions: is it monotone, is it stable, do ranks agree.

    python benchmarks/trust.py --clips ../shared/clips [--model nano] [--output trust.json]

Monotone: an excerpt of each real clip is degraded further, fault by fault and at two severities;
the fault's dimension and overall must fall. Stable: a clip that was remuxed, stored without loss,
cut by one frame or scaled by 2 % must keep its overall score. Ranks: files of the folder's
index.tsv that have a MOS, all put on 0..100, beside the scores (SRCC; a constant has none).
"""

import argparse
import csv
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from scipy.stats import spearmanr

import finevq
from finevq.datasets.degradations.applying import apply_chain
from finevq.datasets.degradations.chain import PlannedFault
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.sources import probe_clip, read_window
from finevq.errors import FineVQError
from finevq.inference.session import Session
from finevq.vocabulary import Dimension, dimension_of

FAULTS_TRIED = (
    "low saturation",
    "underexposure",
    "overexposure",
    "low contrast",
    "gaussian noise",
    "impulse noise",
    "compression artifact",
    "blocking",
    "resolution blur",
    "camera blur",
    "gaussian blur",
    "stutter",
    "flicker",
)
SEVERITIES = (0.5, 0.9)
SHOWN_FROM = 0.05
"""Severity, as the content shows it, below which a copy is none: a gray clip has no saturation."""
MAX_SHORT_SIDE = 540
VARIANTS: Mapping[str, Sequence[str]] = {
    "remuxed": ("-c", "copy"),
    "lossless": ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"),
    "one frame less": (
        *("-vf", "trim=start_frame=1,setpts=PTS-STARTPTS"),
        *("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"),
    ),
    "scaled by .98": (
        *("-vf", "scale=trunc(iw*0.49)*2:trunc(ih*0.49)*2"),
        *("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"),
    ),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A real excerpt and a further degraded copy."""

    clip: str
    attribute: str
    severity: float
    fall_of_dimension: float
    fall_of_overall: float
    is_largest_fall: bool
    """Whether no other dimension (overall aside) fell more."""


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--max-clips", type=int, default=12)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    session = finevq.load(options.model)
    clips = real_clips(options.clips)[: options.max_clips]
    with tempfile.TemporaryDirectory() as folder:
        pairs = [pair for clip in clips for pair in degraded_pairs(session, clip, Path(folder))]
        changes = {clip.name: changes_of(session, clip, Path(folder)) for clip in clips}
    result = {
        "clips": [clip.name for clip in clips],
        "monotone": monotone(pairs),
        "not_falling": not_falling(pairs),
        "stable": stable(changes),
        "ranks": ranks(session, options.clips),
    }
    print(json.dumps(result, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def real_clips(folder: Path) -> list[Path]:
    """List clips with enough frames, in the order of their names' hash-free alphabet."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in {".mp4", ".mkv", ".mov", ".webm", ".avi"}:
            continue
        try:
            facts = probe_clip(path)
        except FineVQError:
            continue
        if facts.duration_seconds >= 2.2 and min(facts.width, facts.height) >= 200:
            found.append(path)
    # Every third of the alphabet: neighbours come from one camera.
    return found[::3] + found[1::3] + found[2::3]


def degraded_pairs(session: Session, clip: Path, folder: Path) -> Iterator[Pair]:
    """Assess an excerpt and its degraded copies, without those that show nothing of the fault."""
    facts = probe_clip(clip)
    scale = min(1.0, MAX_SHORT_SIDE / min(facts.width, facts.height))
    size = (round(facts.width * scale / 2) * 2, round(facts.height * scale / 2) * 2)
    frames = read_window(clip, 0.0, round(2 * facts.fps), size)
    path = folder / "excerpt.mp4"
    path.write_bytes(apply_chain(Footage(frames.copy(), facts.fps), ()).data)
    before = scores(session, path)
    for attribute in FAULTS_TRIED:
        for severity in SEVERITIES:
            fault = PlannedFault(attribute, severity, 1)
            degraded = apply_chain(Footage(frames.copy(), facts.fps), (fault,))
            if degraded.severities[attribute] < SHOWN_FROM:
                continue
            path.write_bytes(degraded.data)
            after = scores(session, path)
            falls = {d: before[d] - after[d] for d in before}
            dimension = dimension_of(attribute)
            others = [v for d, v in falls.items() if d not in {dimension, Dimension.OVERALL}]
            yield Pair(
                clip.name,
                attribute,
                severity,
                falls[dimension],
                falls[Dimension.OVERALL],
                falls[dimension] >= max(others),
            )


def scores(session: Session, path: Path) -> dict[Dimension, float]:
    """Return six scores."""
    assessment = session.assess(str(path))
    return {d: assessment.dimensions[d].score for d in Dimension}


def changes_of(session: Session, clip: Path, folder: Path) -> dict[str, float]:
    """Return how far overall moves under changes that nobody sees."""
    before = scores(session, clip)[Dimension.OVERALL]
    changes = {}
    for name, options in VARIANTS.items():
        target = folder / "variant.mkv"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(clip), "-an"]
        done = subprocess.run([*command, *options, str(target)], check=False, capture_output=True)
        if done.returncode == 0:
            changes[name] = scores(session, target)[Dimension.OVERALL] - before
    return changes


def monotone(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return shares of pairs that fell, fault by fault and in all."""

    def shares(chosen: Sequence[Pair]) -> dict[str, float]:
        return {
            "pairs": len(chosen),
            "dimension_falls": float(np.mean([p.fall_of_dimension > 0 for p in chosen])),
            "overall_falls": float(np.mean([p.fall_of_overall > 0 for p in chosen])),
            "faulted_dimension_falls_most": float(np.mean([p.is_largest_fall for p in chosen])),
        }

    table = {name: shares([p for p in pairs if p.attribute == name]) for name in FAULTS_TRIED}
    return {"all": shares(pairs), **table}


def not_falling(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """List the copies whose dimension or overall does not fall, for whoever wants to look at them.

    Not each is a mistake: a dark clip may well gain by more light.
    """
    return [
        asdict(pair) for pair in pairs if pair.fall_of_dimension <= 0 or pair.fall_of_overall <= 0
    ]


def stable(changes: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return the distribution of the absolute change of overall, points of MOS."""
    result = {}
    for name in VARIANTS:
        moved = np.abs([row[name] for row in changes.values() if name in row])
        result[name] = {
            "clips": len(moved),
            "median": float(np.median(moved)),
            "largest": float(moved.max()),
            "below_2": float(np.mean(moved < 2)),
        }
    return result


def ranks(session: Session, folder: Path) -> dict[str, Any]:
    """Return SRCC of overall with the MOS of index.tsv, all scales put on 0..100."""
    rows = []
    with open(folder / "index.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if not row.get("mos") or ".." not in (row.get("scale") or ""):
                continue
            low, high = (float(end) for end in row["scale"].split()[0].split(".."))
            mos = 100 * (float(row["mos"]) - low) / (high - low)
            rows.append((row["file"], mos, scores(session, folder / row["file"])["overall"]))
    values = {name: {"mos": mos, "score": score} for name, mos, score in rows}
    order = spearmanr([mos for _, mos, _ in rows], [score for _, _, score in rows]).statistic
    pristine, distorted = (
        scores(session, folder / f"skv_carphone_{name}.mp4")["overall"]
        for name in ("pristine", "distorted")
    )
    return {
        "files": values,
        "srcc": float(order),
        "carphone": {"pristine": pristine, "distorted": distorted},
    }


if __name__ == "__main__":
    main()
