"""From synthesized clips to data sets on disk that the tables can be run on.

Two sets are written whose labels and files the adapters then read like published ones: one in
FineVD's release layout, from the training and the test part, and one as a plain CSV of names and
MOS, from the validation part, which stands for "another data set". No source is in both, nor in
two parts of the first.
"""

import csv
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from finevq.datasets.finevd_release import labels_of_clips, write_release
from finevq.datasets.synthetic import SyntheticClip, read_manifest
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension

OTHER_NAME = "other-sources"
"""Name of the second set in tables."""
_SHARES = {"train": 0.4, "test": 0.4, "validation": 0.2}
_MIN_PART = 10


def write_benches(
    clips: Path, folder: Path, *, count: int = 300, seed: int = 0
) -> Mapping[str, Path]:
    """Write both data sets, or find them where the same ones were written before.

    Args:
        clips: Folder of `finevq data synthesize`.
        folder: Where the sets go, each choice of clips into a folder of its own.
        count: How many clips are used: two fifths to train heads, two fifths to test, a fifth as
            the other data set; fewer where a part has fewer.
        seed: Chooses the clips, distractors and the order of options.

    Returns:
        Option names to folders, as `--data` takes them: `finevd` and `csv:other-sources`.

    Raises:
        DatasetError: there is no manifest, or a part has fewer than ten clips.
    """
    chosen = _choose(read_manifest(clips), count, seed)
    identity = json.dumps([seed, [[str(c.path), c.mos, c.attributes] for c in chosen]])
    root = folder / f"synthetic-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    benches = {"finevd": root / "finevd", f"csv:{OTHER_NAME}": root / OTHER_NAME}
    if root.is_dir():
        return benches
    unfinished = root.with_name(root.name + ".partial")
    shutil.rmtree(unfinished, ignore_errors=True)  # ours alone: what a kill has left
    released = [clip for clip in chosen if clip.split != "validation"]
    labels, paths = labels_of_clips(released, source=str(clips))
    write_release(labels, paths, unfinished / "finevd", seed=seed)
    _write_csv([c for c in chosen if c.split == "validation"], unfinished / OTHER_NAME)
    unfinished.rename(root)
    return benches


def _choose(clips: Sequence[SyntheticClip], count: int, seed: int) -> list[SyntheticClip]:
    rng = np.random.default_rng(seed)
    chosen = []
    for split, share in _SHARES.items():
        part = [clip for clip in clips if clip.split == split]
        if min(len(part), round(count * share)) < _MIN_PART:
            raise DatasetError(
                f"the {split} part has {len(part)} clips, of which {round(count * share)} would be "
                f"used; {_MIN_PART} are needed in each part: synthesize or use more clips"
            )
        places = rng.permutation(len(part))[: round(count * share)]
        chosen += [part[place] for place in sorted(places)]
    return chosen


def _write_csv(clips: Sequence[SyntheticClip], folder: Path) -> None:
    (folder / "videos").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["name", "source", "scale_min", "scale_max", *(f"mos_{d}" for d in Dimension)]
        )
        for clip in clips:
            mos = [f"{clip.mos[d]:.4f}" for d in Dimension]
            writer.writerow([clip.path.name, clip.source, 0, 100, *mos])
            shutil.copyfile(clip.path, folder / "videos" / clip.path.name)
