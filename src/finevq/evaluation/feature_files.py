"""Joins a feature file with its label file: what `finevq evaluate features` runs."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from finevq.datasets.catalogue import read_labels
from finevq.datasets.labels import LabelSet
from finevq.errors import DatasetError, InvalidInputError
from finevq.evaluation.feature_matrix import FeatureMatrix, read_features
from finevq.evaluation.features import Matrix, Progress, evaluate_features

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

    Rows are paired by the video names in a CSV of features; other files have the rows in the order
    of the label file.

    Videos that usual tables leave out (the 57 gray ones of YouTube-UGC) are left out here too,
    from both files, unless `keep_flagged`.

    Returns:
        {"srcc": {"median", "std"}, "krcc", "plcc", "rmse", "repeats", "num_videos", ...,
        "data_set", "labels": fingerprint of the labels used, "notes": sentences for people}.

    Raises:
        InvalidInputError: the protocol is unknown, or features and labels do not pair.
        DatasetError: a file cannot be read, or lacks videos that the labels name.
    """
    if protocol not in PROTOCOLS:
        raise InvalidInputError(f"protocol {protocol!r}: known is {', '.join(PROTOCOLS)}")
    label_set = read_labels(labels)
    found = read_features(features, variable=variable)
    wanted = [keep_flagged or not video.flags for video in label_set.videos]
    used = label_set.keep(wanted)
    notes = list(found.notes)
    if left_out := len(label_set) - len(used):
        flags = sorted({flag for video in label_set.videos for flag in video.flags})
        notes.append(f"left out {left_out} videos flagged {', '.join(flags)}")
    if found.names:
        matrix = _by_name(found, used, features)
    else:
        matrix, turned = _by_place(found.values, label_set, used)
        notes += turned
        if len(matrix) == len(label_set):
            matrix = matrix[np.array(wanted)]
    result = evaluate_features(
        matrix,
        np.array(used.mos()),
        regressor=regressor,
        repeats=repeats,
        seed=seed,
        higher_is_better=higher_is_better,
        num_threads=os.cpu_count() or 1,
        progress=progress,
    )
    return {
        **result.summary(),
        "data_set": used.name,
        "labels": used.fingerprint,
        "notes": notes,
    }


def _by_name(found: FeatureMatrix, used: LabelSet, file: Path) -> Matrix:
    place = {_stem(name): index for index, name in enumerate(found.names)}
    if len(place) < len(found.names):
        raise DatasetError(f"{file}: {len(found.names) - len(place)} rows name a video twice")
    missing = [video.name for video in used.videos if _stem(video.name) not in place]
    if missing:
        raise DatasetError(
            f"{file}: no features of {len(missing)} of {len(used)} labelled videos: "
            f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}"
        )
    rows: Matrix = found.values[[place[_stem(video.name)] for video in used.videos]]
    return rows


def _by_place(matrix: Matrix, labels: LabelSet, used: LabelSet) -> tuple[Matrix, list[str]]:
    sizes = {len(labels), len(used)}
    if matrix.shape[0] not in sizes and matrix.shape[1] in sizes:
        return matrix.T, ["the matrix has a column a video and was turned"]
    return matrix, []


def _stem(name: str) -> str:
    return Path(name).stem
