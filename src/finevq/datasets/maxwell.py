"""MaxWell: 4,543 videos rated on 16 axes (the data of DIVIDE/DOVER and MaxVQA).

The axis files hold no names: MaxWell_train.csv and MaxWell_val.csv (O, A-1..A-5, A-all, T-1..T-8,
T-all) go row by row with train_labels.txt and test_labels.txt of examplar_data_labels/MaxWell,
whose first comma-separated field is the file name. Of the axes we take those that mean the same
as a dimension of ours: O overall, A-3 color, T-1 sharpness, T-3 noise, T-7 compression. The axes
on time (T-5 shake, T-8 fluency) are two, ours is one, so temporal is left out.
"""

from pathlib import Path

from finevq.datasets.contract import Adapter
from finevq.datasets.delimited import number, read_rows
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension

_AXES = {
    Dimension.OVERALL: "O",
    Dimension.COLOR: "A-3",
    Dimension.NOISE: "T-3",
    Dimension.ARTIFACT: "T-7",
    Dimension.BLUR: "T-1",
}
_PARTS = (
    ("train", "MaxWell_train.csv", "train_labels.txt"),
    ("test", "MaxWell_val.csv", "test_labels.txt"),
)


def read(path: Path) -> LabelSet:
    """Read the labels of MaxWell with its published splits: train, test.

    Args:
        path: A checkout of the ExplainableVQA repository, or a folder with its label files.

    Raises:
        DatasetError: a file is missing, or axis and name files do not have the same rows.
    """
    if not path.is_dir():
        raise DatasetError(f"{path}: MaxWell needs the folder with its four label files")
    videos = tuple(video for part in _PARTS for video in _read_part(path, *part))
    return LabelSet(name=ADAPTER.name, scale=ADAPTER.scale, videos=videos, source=str(path))


def _read_part(folder: Path, split: str, axes: str, names: str) -> list[LabelledVideo]:
    axis_file, name_file = _find(folder, axes), _find(folder, names)
    rows = read_rows(axis_file, required=list(_AXES.values()))
    lines = [line for line in name_file.read_text(encoding="utf-8-sig").splitlines() if line]
    if len(rows) != len(lines):
        raise DatasetError(
            f"{axis_file} has {len(rows)} rows, {name_file} {len(lines)}: they go row by row"
        )
    return [
        LabelledVideo(
            name=line.split(",")[0].strip(),
            mos={d: number(row, axis, axis_file, place) for d, axis in _AXES.items()},
            split=split,
        )
        for place, (row, line) in enumerate(zip(rows, lines, strict=True), start=2)
    ]


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name), key=lambda p: ("MaxWell" not in p.as_posix(), p))
    if not found:
        raise DatasetError(f"{folder}: lacks {name} of MaxWell")
    return found[0]


ADAPTER = Adapter(
    name="maxwell",
    title="MaxWell (DIVIDE)",
    reference="Wu et al., ACM MM 2023; label files of github.com/VQAssessment/ExplainableVQA",
    num_videos=4543,
    scale=(-1.0, 4.0),
    label_files=("MaxWell_train.csv", "MaxWell_val.csv"),
    read=read,
)
