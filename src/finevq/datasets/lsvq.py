"""LSVQ: 39,075 videos of the Internet Archive and YFCC100M, MOS on 0..100, three splits.

Layout read: labels_train_test.csv (column is_test) and labels_test_1080p.csv of the PatchVQ
release v0.1, or the three LSVQ_whole_{train,test,test_1080p}.csv in circulation; names have no
suffix and may hold a sub-folder (yfcc-batch13/3413).
"""

from pathlib import Path

from finevq.datasets.contract import Adapter
from finevq.datasets.delimited import Row, number, optional_int, read_rows
from finevq.datasets.labels import LabelledVideo, LabelSet, VideoFacts
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension

_JOINED = "labels_train_test.csv"
_SEPARATE = {
    "LSVQ_whole_train.csv": "train",
    "LSVQ_whole_test.csv": "test",
    "LSVQ_whole_test_1080p.csv": "test_1080p",
    "labels_test_1080p.csv": "test_1080p",
}


def read(path: Path) -> LabelSet:
    """Read the labels of LSVQ with their published splits: train, test, test_1080p.

    Args:
        path: The folder with the label files, or one of them.

    Raises:
        DatasetError: none of the files is there, or one has other columns.
    """
    files = _label_files(path)
    videos = tuple(video for file in files for video in _read_file(file))
    return LabelSet(name=ADAPTER.name, scale=ADAPTER.scale, videos=videos, source=str(path))


def _label_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = [f for name in (_JOINED, *_SEPARATE) for f in sorted(path.rglob(name))[:1]]
    if not found:
        raise DatasetError(
            f"{path}: no label file of LSVQ here; it is published as {_JOINED} and "
            "labels_test_1080p.csv"
        )
    return found


def _read_file(file: Path) -> list[LabelledVideo]:
    split = _SEPARATE.get(file.name, "")
    needed = ["name", "mos"] if split else ["name", "mos", "is_test"]
    return [
        _video(row, split or _split_of(row), file, line)
        for line, row in enumerate(read_rows(file, required=needed), start=2)
    ]


def _split_of(row: Row) -> str:
    return "test" if row["is_test"].lower() in {"1", "1.0", "true"} else "train"


def _video(row: Row, split: str, file: Path, line: int) -> LabelledVideo:
    return LabelledVideo(
        name=f"{row['name'].removesuffix('.mp4')}.mp4",
        mos={Dimension.OVERALL: number(row, "mos", file, line)},
        split=split,
        facts=VideoFacts(
            width=optional_int(row, "width"),
            height=optional_int(row, "height"),
            num_frames=optional_int(row, "frame_number"),
        ),
    )


def _id_of_file(relative: Path) -> str:
    return relative.with_suffix("").as_posix()


ADAPTER = Adapter(
    name="lsvq",
    title="LSVQ",
    reference="Ying et al., CVPR 2021; label files of github.com/baidut/PatchVQ release v0.1",
    num_videos=None,  # what can still be downloaded varies: 38,793 to 39,075 are in circulation
    scale=(0.0, 100.0),
    label_files=(_JOINED, *_SEPARATE),
    read=read,
    columns=frozenset({"name", "mos", "is_test"}),
    id_of_file=_id_of_file,
)
