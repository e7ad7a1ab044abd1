"""LIVE-YT-Gaming: 600 user-generated gaming videos, MOS on 0..100.

Layouts read: a .mat with video_list and MOS (as SimpleVQA and MinimalisticVQA use it, with an
`index` variable that we ignore: order is that of the list), or a CSV with name/video and MOS.
"""

from pathlib import Path

import numpy as np

from finevq.datasets.contract import Adapter, find_label_file
from finevq.datasets.delimited import number, read_rows
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.datasets.matlab import names_in, pick, read_matlab
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension

_FILES = ("LIVEYTGaming.mat", "LIVE-YT-Gaming.mat", "mos.mat", "LIVE-YT-Gaming.csv", "mos.csv")
_NAME_COLUMNS = ("video", "name", "Video", "File", "video_name")
_MOS_COLUMNS = ("MOS", "mos")


def read(path: Path) -> LabelSet:
    """Read the labels of LIVE-YT-Gaming.

    Raises:
        DatasetError: the file is missing or has other columns.
    """
    file = find_label_file(path, _FILES, ADAPTER.title)
    pairs = _from_matlab(file) if file.suffix == ".mat" else _from_csv(file)
    videos = tuple(
        LabelledVideo(
            name=name if Path(name).suffix else f"{name}.mp4", mos={Dimension.OVERALL: score}
        )
        for name, score in pairs
    )
    return LabelSet(name=ADAPTER.name, scale=ADAPTER.scale, videos=videos, source=str(path))


def _from_matlab(file: Path) -> list[tuple[str, float]]:
    variables = read_matlab(file)
    names = names_in(pick(variables, ("video_list", "video_names", "name"), file))
    scores = np.asarray(pick(variables, ("MOS", "scores"), file), dtype=np.float64).ravel()
    return list(zip(names, scores.tolist(), strict=True))


def _from_csv(file: Path) -> list[tuple[str, float]]:
    rows = read_rows(file)
    name = next((c for c in _NAME_COLUMNS if c in rows[0]), None)
    mos = next((c for c in _MOS_COLUMNS if c in rows[0]), None)
    if name is None or mos is None:
        raise DatasetError(
            f"{file}: needs a name column ({', '.join(_NAME_COLUMNS)}) and a MOS column "
            f"({', '.join(_MOS_COLUMNS)}); it has {', '.join(rows[0])}"
        )
    return [(row[name], number(row, mos, file, line)) for line, row in enumerate(rows, start=2)]


ADAPTER = Adapter(
    name="live-yt-gaming",
    title="LIVE-YT-Gaming",
    reference=(
        "Yu et al., ACM TOG 2023; layout as read by the public SimpleVQA and MinimalisticVQA code"
    ),
    num_videos=600,
    scale=(0.0, 100.0),
    label_files=_FILES,
    read=read,
)
