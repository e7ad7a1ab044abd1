"""A stand-in for a pass without videos, which keeps a process in step with the others."""

from pathlib import Path

import numpy as np

from finevq.model.config import ModelConfig
from finevq.prompts import questions
from finevq.training.dataset import InstructionBatch, LoadedVideo, collate
from finevq.training.records import InstructionRecord
from finevq.video.inputs import Pixels
from finevq.vocabulary import Dimension

_FEWEST_FRAMES = 32
"""That the official motion branch needs."""


def blank_batch(config: ModelConfig) -> InstructionBatch:
    """Return one black video with one question; what it gives counts for nothing."""
    video = config.video
    views = tuple(
        np.zeros((video.num_frames, size, size, 3), np.uint8) for size in video.view_sizes
    )
    lengths = {
        "bursts": video.num_bursts * video.burst_frames,
        "all_frames": _FEWEST_FRAMES,
        "sparse_frames": 0,
        "none": 0,
    }
    side = video.motion_size
    motion = np.zeros((lengths[video.motion], side, side, 3), np.uint8)
    question = questions.rating(Dimension.OVERALL)
    record = InstructionRecord(
        id="blank",
        video=Path("blank"),
        group="blank",
        split="train",
        question=question,
        answer=question.choices[0],
        scores={Dimension.OVERALL: 0.0},
    )
    pixels = Pixels(views=views, motion=motion, start_seconds=0.0, end_seconds=0.0)
    return collate([LoadedVideo(0, (record,), pixels)])
