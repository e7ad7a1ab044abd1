"""KoNViD-1k: 1,200 Flickr videos of 8 s, 960x540, crowdsourced MOS on 1..5.

Layouts read: KoNViD_1k_mos.csv (flickr_id, mos), KoNViD_1k_attributes.csv (flickr_id, ..., MOS),
and VIDEVAL's KONVID_1K_metadata.csv (flickr_id, mos, width, ...).
"""

from pathlib import Path

from finevq.datasets.contract import Adapter, find_label_file
from finevq.datasets.delimited import number, read_rows
from finevq.datasets.facts import facts_of
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.vocabulary import Dimension

_FILES = ("KoNViD_1k_mos.csv", "KoNViD_1k_attributes.csv", "KONVID_1K_metadata.csv")


def read(path: Path) -> LabelSet:
    """Read the labels of KoNViD-1k.

    Raises:
        DatasetError: the file is missing or has other columns.
    """
    file = find_label_file(path, _FILES, ADAPTER.title)
    rows = read_rows(file, required=["flickr_id"])
    column = "mos" if "mos" in rows[0] else "MOS"
    videos = tuple(
        LabelledVideo(
            name=f"{row['flickr_id'].removesuffix('.0')}.mp4",  # some tools write ids as floats
            mos={Dimension.OVERALL: number(row, column, file, line)},
            facts=facts_of(row),
        )
        for line, row in enumerate(rows, start=2)
    )
    return LabelSet(name=ADAPTER.name, scale=ADAPTER.scale, videos=videos, source=str(path))


def _id_of_file(relative: Path) -> str:
    return relative.stem.split("_")[0]  # 3339962845_original_centercrop_960x540_8s.mp4


ADAPTER = Adapter(
    name="konvid-1k",
    title="KoNViD-1k",
    reference="Hosu et al., QoMEX 2017; files of database.mmsp-kn.de/konvid-1k-database.html",
    num_videos=1200,
    scale=(1.0, 5.0),
    label_files=_FILES,
    read=read,
    columns=frozenset({"flickr_id"}),
    id_of_file=_id_of_file,
)
