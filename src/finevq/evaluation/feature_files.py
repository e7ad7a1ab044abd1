"""Joins a feature file with its label file: what `finevq evaluate features` runs."""

from pathlib import Path
from typing import Any

import numpy as np

from finevq.datasets.catalogue import read_labels
from finevq.errors import InvalidInputError
from finevq.evaluation.features import Progress, evaluate_features, read_features

PROTOCOLS = ("random-80-20",)


def evaluate_feature_file(
    features: Path,
    labels: Path,
    *,
    protocol: str = "random-80-20",
    repeats: int = 100,
    regressor: str = "svr",
    seed: int | None = None,
    variable: str = "",
    higher_is_better: bool = True,
    keep_flagged: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a feature file against a label file.

    Videos that usual tables leave out (the 57 gray ones of YouTube-UGC) are left out here too,
    from both files, unless `keep_flagged`.

    Returns:
        {"srcc": {"median", "std"}, "krcc", "plcc", "rmse", "repeats", "num_videos", ...,
        "data_set", "labels": fingerprint of the labels used, "notes": sentences for people}.

    Raises:
        InvalidInputError: the protocol is unknown, or features and labels do not pair.
    """
    if protocol not in PROTOCOLS:
        raise InvalidInputError(f"protocol {protocol!r}: known is {', '.join(PROTOCOLS)}")
    label_set = read_labels(labels)
    matrix = read_features(features, variable=variable)
    wanted = [keep_flagged or not video.flags for video in label_set.videos]
    used = label_set.keep(wanted)
    notes = []
    if left_out := len(label_set) - len(used):
        flags = sorted({flag for video in label_set.videos for flag in video.flags})
        notes.append(f"left out {left_out} videos flagged {', '.join(flags)}")
        if matrix.shape[0] == len(label_set):
            matrix = matrix[np.array(wanted)]
    result = evaluate_features(
        matrix,
        np.array(used.mos()),
        regressor=regressor,
        repeats=repeats,
        seed=seed,
        higher_is_better=higher_is_better,
        progress=progress,
    )
    return {
        **result.summary(),
        "data_set": used.name,
        "labels": used.fingerprint,
        "notes": notes,
    }
