"""Scores of a trained stage on records that it has never seen, and training and testing as one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from finevq.settings import Settings
from finevq.training.checkpoints import has_checkpoint
from finevq.training.dataset import InstructionDataset, SkippedVideos, make_loader
from finevq.training.decoded_cache import DecodedCache
from finevq.training.feature_memory import FeatureMemory
from finevq.training.network import TrainingNetwork
from finevq.training.outcome import load_best
from finevq.training.records import InstructionRecord
from finevq.training.rows import make_rows
from finevq.training.stage_run import train_stage
from finevq.training.stages import StageConfig
from finevq.training.start import Start
from finevq.training.trainer import Listener

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a trained model says of one record."""

    video: str
    """File name."""
    dimension: str
    mos: float
    """On the data set's scale."""
    score: float
    """On the same scale."""


def predict_scores(
    start: Start,
    records: Sequence[InstructionRecord],
    cache: DecodedCache,
    *,
    workers: int,
    listener: Callable[[int, int], None] | None = None,
    memory: FeatureMemory | None = None,
) -> list[Prediction]:
    """Score the records that have a MOS; videos that cannot be read are logged and left out.

    Args:
        start: A trained model with its template.
        records: What is asked; those without a score are passed over.
        cache: Where decoded inputs come from.
        workers: Processes that decode.
        listener: Told how many of how many videos are done.
        memory: Where features of frozen encoders are kept; they are not where None.
    """
    scored = [record for record in records if record.question.dimension in record.scores]
    dataset = InstructionDataset(scored, cache, group_videos=True)
    network = TrainingNetwork(start.model, keeps_features=memory is not None, memory=memory).eval()
    num_visual = start.model.config.num_visual_tokens
    skipped = SkippedVideos()
    found: list[Prediction] = []
    done = 0
    for batch in make_loader(dataset, batch_size=_BATCH, workers=workers):
        skipped.add(batch.skipped)
        done += len(batch) + len(batch.skipped)
        if len(batch):
            rows = make_rows(start.prompter, num_visual, batch.records, learns_opening=False)
            with torch.no_grad():  # what is kept may be learnt from later
                scores = network(batch, rows).scores.tolist()
            for owner, dimension, score in zip(
                rows.score_owners, rows.score_dimensions, scores, strict=True
            ):
                record = rows.records[owner]
                low, high = record.scale
                found.append(
                    Prediction(
                        record.video.name,
                        str(dimension),
                        record.scores[dimension],
                        low + score * (high - low),
                    )
                )
        if listener is not None:
            listener(done, len(dataset))
    return found


def train_and_test(
    config: StageConfig,
    output: Path,
    test: Sequence[InstructionRecord],
    settings: Settings,
    *,
    listener: Listener | None = None,
    memory: FeatureMemory | None = None,
) -> list[Prediction]:
    """Train a stage into a folder, going on with what is there, and score records.

    The score is that of the weights which validation liked best.

    Args:
        config: The stage.
        output: Folder of the run.
        test: What is predicted at the end.
        settings: Limits of reading videos.
        listener: Shows how the run goes on.
        memory: See `train_stage`.

    Raises:
        FineVQError: as `train_stage`.
    """
    train_stage(
        config,
        output,
        settings,
        resume=has_checkpoint(output),
        listener=listener,
        memory=memory,
    )
    start = load_best(config, output)
    cache = DecodedCache(
        config.data.cache, start.model.config.video, settings, config.data.cache_bytes
    )
    try:
        return predict_scores(start, test, cache, workers=config.data.workers, memory=memory)
    finally:
        cache.close()
