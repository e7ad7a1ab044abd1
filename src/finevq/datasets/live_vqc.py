"""LIVE-VQC: 585 videos from phones, crowdsourced MOS on 0..100.

Layouts read: data.mat (video_list, mos) of the release, LiveVQCData.csv / LIVE_VQC_metadata.csv
(File, MOS). Many videos are portrait.
"""

from pathlib import Path

import numpy as np

from finevq.datasets.contract import Adapter, find_label_file
from finevq.datasets.delimited import number, read_rows
from finevq.datasets.facts import facts_of
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.datasets.matlab import names_in, pick, read_matlab
from finevq.vocabulary import Dimension

_FILES = ("data.mat", "LIVE_VQC_metadata.csv", "LiveVQCData.csv")


def read(path: Path) -> LabelSet:
    """Read the labels of LIVE-VQC.

    Raises:
        DatasetError: the file is missing or has other columns.
    """
    file = find_label_file(path, _FILES, ADAPTER.title)
    videos = _from_matlab(file) if file.suffix == ".mat" else _from_csv(file)
    return LabelSet(name=ADAPTER.name, scale=ADAPTER.scale, videos=videos, source=str(path))


def _from_csv(file: Path) -> tuple[LabelledVideo, ...]:
    rows = read_rows(file, required=["File", "MOS"])
    return tuple(
        LabelledVideo(
            name=row["File"],
            mos={Dimension.OVERALL: number(row, "MOS", file, line)},
            facts=facts_of(row),
        )
        for line, row in enumerate(rows, start=2)
    )


def _from_matlab(file: Path) -> tuple[LabelledVideo, ...]:
    variables = read_matlab(file)
    names = names_in(pick(variables, ("video_list", "video_names"), file))
    scores = np.asarray(pick(variables, ("mos", "scores"), file), dtype=np.float64).ravel()
    return tuple(
        LabelledVideo(name=name, mos={Dimension.OVERALL: float(score)})
        for name, score in zip(names, scores, strict=True)
    )


ADAPTER = Adapter(
    name="live-vqc",
    title="LIVE-VQC",
    reference="Sinno and Bovik, TIP 2019; files of live.ece.utexas.edu/research/LIVEVQC",
    num_videos=585,
    scale=(0.0, 100.0),
    label_files=_FILES,
    read=read,
    columns=frozenset({"File", "MOS"}),
)
