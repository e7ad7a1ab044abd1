"""Table 7: how long a method takes, on the machine at hand.

As in the paper: total seconds for the set of clips, and frames a second. Nothing is cached here;
one clip is scored beforehand so that loading is not counted.
"""

import os
import platform
import time
from collections.abc import Mapping, Sequence

from finevq.evaluation.contenders import Bench, Contender
from finevq.evaluation.measure import Measure, undefined
from finevq.evaluation.published import SOURCE, load
from finevq.evaluation.tables import Column, Row, Table, add_published, from_measures
from finevq.records import Clip, Failure
from finevq.scorer import Scorer

MAX_CLIPS = 10
"""As many as the paper times."""


def runtime_table(
    bench: Bench,
    contenders: Sequence[Contender],
    num_frames: Mapping[str, int],
    *,
    timed: Mapping[str, Scorer] | None = None,
) -> Table:
    """Time scorers on the first clips of a data set.

    Args:
        bench: Where the clips come from; those without a file are left out.
        contenders: What is timed.
        num_frames: Frames of each clip by name.
        timed: Scorer to time by contender name, where the contender's own keeps results.
    """
    clips = [clip for clip in bench.clips() if clip.name in bench.paths][:MAX_CLIPS]
    table = Table(
        key="table7",
        title="Running time",
        columns=[
            Column(key="seconds", title="seconds", higher_is_better=False, digits=2),
            Column(key="fps", title="frames/s", digits=1),
        ],
        is_published_comparable=False,
        notes=[
            f"Ours: {len(clips)} files of {bench.caption}, "
            f"{sum(num_frames.get(clip.name, 0) for clip in clips)} frames, on "
            f"{platform.machine()} {platform.system()}, everything from file to score.",
        ],
    )
    setting = "ten 2K videos of 240 frames, on an RTX A6000 or in MATLAB"
    add_published(table, load("table7"), f"{SOURCE}, table 7 ({setting})")
    if hasattr(os, "getloadavg"):
        table.notes.append(
            f"When it began, {os.getloadavg()[0]:.1f} processes wanted the {os.cpu_count()} cores; "
            "more than there are cores means that other work slowed this down."
        )
    for contender in contenders:
        scorer = (timed or {}).get(contender.name, contender.scorer)
        table.rows.append(_row(contender.name, scorer, clips, num_frames))
    return table


def _row(name: str, scorer: Scorer, clips: Sequence[Clip], num_frames: Mapping[str, int]) -> Row:
    list(scorer.score(clips[:1]))
    start = time.perf_counter()
    outcomes = list(scorer.score(clips))
    seconds = time.perf_counter() - start
    failed = [o.video for o in outcomes if isinstance(o, Failure)]
    frames = sum(num_frames.get(clip.name, 0) for clip in clips)
    if not clips or failed:
        reason = f"{len(failed)} of {len(clips)} clips failed" if clips else "no clip is at hand"
        measures = {"seconds": undefined(reason), "fps": undefined(reason)}
    else:
        rate = Measure(frames / seconds) if frames else undefined("frame counts are not known")
        measures = {"seconds": Measure(seconds), "fps": rate}
    return Row(name=name, kind="method", cells=from_measures(measures))
