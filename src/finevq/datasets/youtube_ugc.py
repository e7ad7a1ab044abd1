"""YouTube-UGC: 1,380 videos of 20 s still available, 16 kinds of content, MOS on 1..5.

Layouts read: VIDEVAL's YOUTUBE_UGC_metadata.csv (vid, category, ..., MOSFull), and the release's
sheet "MOS" of original_videos_MOS_for_YouTube_UGC_dataset saved as CSV (vid, MOS full). Names come
without suffix: the files are .mkv originals or .mp4 transcodes.
"""

from pathlib import Path

from finevq.datasets.contract import Adapter, find_label_file
from finevq.datasets.delimited import number, read_rows
from finevq.datasets.facts import facts_of
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension

GRAY_FLAG = "gray"
"""Flag of the 57 videos that color methods cannot be judged on; usual tables leave them out."""

_GRAY_NAMES = """
Animation_1080P-0c4f Animation_1080P-209f Animation_1080P-3d67 Animation_1080P-66ba
Animation_1080P-6a33 Animation_480P-073c Animation_480P-3281 Animation_480P-35ee
Animation_720P-0116 Animation_720P-1a6d Animation_720P-2abf CoverSong_1080P-0f3a
CoverSong_1080P-2207 CoverSong_360P-1b2b CoverSong_480P-1019 CoverSong_480P-2d2c
CoverSong_720P-014c CoverSong_720P-6626 HDR_2160P-0e7a HowTo_360P-3aa6 HowTo_720P-12f7
HowTo_720P-4d55 Lecture_360P-5779 Lecture_720P-5120 LiveMusic_1080P-7ead LiveMusic_720P-3320
LyricVideo_1080P-1b04 LyricVideo_1080P-28e8 LyricVideo_1080P-63d4 LyricVideo_360P-0ac7
LyricVideo_360P-11eb LyricVideo_480P-0a5b LyricVideo_480P-4346 LyricVideo_720P-068d
LyricVideo_720P-1c89 LyricVideo_720P-2d24 LyricVideo_720P-5d3a MusicVideo_1080P-2b2b
MusicVideo_1080P-5f03 MusicVideo_480P-1eee MusicVideo_480P-41ce MusicVideo_480P-6fb6
MusicVideo_720P-3c4c MusicVideo_720P-7bcf Sports_360P-11b7 Sports_360P-3e68 Sports_480P-11ec
Sports_480P-1d1b Sports_480P-3ca4 TelevisionClip_1080P-64e2 TelevisionClip_720P-1862
VerticalVideo_720P-6580 Vlog_2160P-360d Vlog_360P-2973 Vlog_480P-34ba Vlog_480P-5e1c
Vlog_720P-7b30
"""

GRAY_VIDEOS = frozenset(_GRAY_NAMES.split())
"""Source: row numbers in demo_eval_BVQA_feats_one_dataset.py of github.com/vztu/VIDEVAL."""

_FILES = ("YOUTUBE_UGC_metadata.csv", "original_videos_MOS_for_YouTube_UGC_dataset.csv")
_MOS_COLUMNS = ("MOSFull", "MOS full", "MOS_full")


def read(path: Path) -> LabelSet:
    """Read the labels of YouTube-UGC; gray videos carry `GRAY_FLAG`.

    Raises:
        DatasetError: the file is missing or has other columns.
    """
    file = find_label_file(path, _FILES, ADAPTER.title)
    rows = read_rows(file, required=["vid"])
    column = next((name for name in _MOS_COLUMNS if name in rows[0]), None)
    if column is None:
        raise DatasetError(
            f"{file}: no MOS column ({', '.join(_MOS_COLUMNS)}); it has {', '.join(rows[0])}"
        )
    videos = tuple(
        LabelledVideo(
            name=row["vid"],
            mos={Dimension.OVERALL: number(row, column, file, line)},
            category=row.get("category", "") or row["vid"].split("_")[0],
            flags=(GRAY_FLAG,) if row["vid"] in GRAY_VIDEOS else (),
            facts=facts_of(row),
        )
        for line, row in enumerate(rows, start=2)
    )
    return LabelSet(name=ADAPTER.name, scale=ADAPTER.scale, videos=videos, source=str(path))


def _id_of_file(relative: Path) -> str:
    return relative.stem.split("_crf_")[0]  # Animation_1080P-01b3_crf_10_ss_00_t_20.0.mp4


ADAPTER = Adapter(
    name="youtube-ugc",
    title="YouTube-UGC",
    reference=(
        "Wang et al., MMSP 2019; labels as published with VIDEVAL (Tu et al., TIP 2021), which "
        "lists 1,380 videos"
    ),
    num_videos=1380,
    scale=(1.0, 5.0),
    label_files=_FILES,
    read=read,
    columns=frozenset({"vid", "MOSFull"}),
    id_of_file=_id_of_file,
)
