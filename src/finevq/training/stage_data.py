"""The records of a stage, from whatever data set its configuration names."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from finevq.errors import ConfigError, DatasetError
from finevq.training.dataset import InstructionDataset
from finevq.training.decoded_cache import DecodedCache
from finevq.training.labelled_records import read_labelled, read_synthetic
from finevq.training.official_records import read_official
from finevq.training.records import InstructionRecord, check_records, of_split
from finevq.training.samples import Split
from finevq.training.stages import RecordsConfig, StageConfig
from finevq.training.validation import FEWEST_SCORES

_log = logging.getLogger(__name__)

TASKS = ("rating", "scoring", "yes_no", "which_exists", "which_most", "describe")


def read_records(
    config: StageConfig, splits: Sequence[Split] = ("train", "validation")
) -> dict[Split, list[InstructionRecord]]:
    """Read what a stage learns from and what judges it; test records are not looked at.

    Args:
        config: The stage.
        splits: Which parts of the data are wanted.

    Raises:
        DatasetError: the data cannot be read, or a split holds nothing that this stage learns.
        ConfigError: an unknown task.
    """
    data = config.data
    if unknown := [task for task in data.tasks if task not in TASKS]:
        raise ConfigError(f"data.tasks: {unknown[0]!r} is none of {', '.join(TASKS)}")
    records = _read(data)
    check_records(records)
    taught = [record for record in records if _teaches(record, config)]
    chosen: dict[Split, list[InstructionRecord]] = {}
    limits: dict[Split, int] = {"train": data.max_train, "validation": data.max_validation}
    for split in splits:
        limit = limits.get(split, 0)
        found = of_split(taught, split)
        if not found:
            raise DatasetError(
                f"{data.path} has no {split} record that {config.stage} learns from (of "
                f"{len(records)} records; data.tasks = {', '.join(data.tasks) or 'all'})"
            )
        chosen[split] = found[:limit] if limit else found
    return chosen


def check_usable(records: Mapping[Split, Sequence[InstructionRecord]], config: StageConfig) -> None:
    """Make sure, before anything is trained, that videos exist and the best weights can be chosen.

    Raises:
        DatasetError: a split has no file, or validation cannot give what weights are chosen by.
    """
    for split, found in records.items():
        videos = list(dict.fromkeys(record.video for record in found))
        missing = [video for video in videos if not video.is_file()]
        if len(missing) == len(videos):
            raise DatasetError(
                f"none of the {len(videos)} {split} videos of {config.data.path} exists, first "
                f"{missing[0]}; give data.videos, the folder that holds them"
            )
        if missing:
            _log.warning(
                "%d of %d %s videos do not exist and will be skipped, first %s",
                len(missing),
                len(videos),
                split,
                missing[0],
            )
    select_by = config.validation.select_by
    validation = records["validation"]
    scored = Counter(
        record.question.dimension
        for record in validation
        if record.question.dimension in record.scores
    )
    can_rank = config.inputs.has_score_head and max(scored.values(), default=0) >= FEWEST_SCORES
    if select_by == "srcc" and not can_rank:
        raise DatasetError(
            f"validation.select_by = 'srcc' needs a score head and {FEWEST_SCORES} validation "
            f"videos with a MOS of one dimension; the {len(validation)} validation records of "
            f"{config.data.path} have {max(scored.values(), default=0)}. Choose loss or accuracy, "
            "or add videos"
        )
    if select_by == "accuracy" and not any(record.answer for record in validation):
        raise DatasetError(
            "validation.select_by = 'accuracy', but no validation record has an answer; choose "
            "loss or srcc"
        )


def make_datasets(
    records: dict[Split, list[InstructionRecord]], config: StageConfig, cache: DecodedCache
) -> tuple[InstructionDataset, InstructionDataset]:
    """Return the datasets of training and validation."""
    train, validation = (
        InstructionDataset(records[split], cache, group_videos=config.data.group_videos)
        for split in ("train", "validation")
    )
    return train, validation


def _read(data: RecordsConfig) -> Sequence[InstructionRecord]:
    if data.kind == "synthetic":
        return read_synthetic(data.path)
    if data.kind == "official":
        return read_official(data.path, data.videos)
    return read_labelled(data.path, data.videos or data.path.parent)


def _teaches(record: InstructionRecord, config: StageConfig) -> bool:
    """Say whether a record has what the stage's losses need."""
    if config.data.tasks and record.task not in config.data.tasks:
        return False
    losses = config.losses
    has_score = record.question.dimension in record.scores
    learns_scores = bool(losses.score_weight or losses.rank_weight)
    return bool((losses.token_weight and record.answer) or (learns_scores and has_score))
