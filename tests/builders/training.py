"""Small models, videos and records to train on: everything real, everything tiny."""

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from finevq.model.checkpoint import save_model
from finevq.model.config import LanguageModelConfig, ModelConfig, ScoreHeadConfig
from finevq.model.finevq import FineVQ
from finevq.model.folder import TOKENIZER_FILE
from finevq.model.presets import nano
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.records import VideoInputConfig
from finevq.training.records import InstructionRecord
from finevq.video.inputs import Pixels
from finevq.vocabulary import Dimension, level_index, levels_of

TINY_VIDEO = VideoInputConfig(
    num_frames=2,
    views=("whole", "detail"),
    view_sizes=(48, 48),
    motion="bursts",
    motion_size=32,
    num_bursts=1,
    burst_frames=4,
)


def tiny_config(prompter: NanoPrompter) -> ModelConfig:
    """nano with a narrow language model and small pictures."""
    config = nano(vocabulary_size=prompter.vocabulary_size, context_token_id=prompter.context_id)
    llama = {
        **config.language_model.llama,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    }
    return replace(
        config,
        video=TINY_VIDEO,
        language_model=LanguageModelConfig(llama=llama),
        score_head=ScoreHeadConfig(widths=(16,), final_relu=False),
    )


def tiny_model(seed: int = 0) -> tuple[FineVQ, NanoPrompter]:
    """A model with random weights, and its prompter."""
    prompter = NanoPrompter(train_tokenizer())
    torch.manual_seed(seed)
    return FineVQ(tiny_config(prompter)), prompter


def write_tiny_model(folder: Path) -> Path:
    """Write a tiny model as a folder that a stage can start from."""
    tokenizer = train_tokenizer()
    torch.manual_seed(0)
    save_model(FineVQ(tiny_config(NanoPrompter(tokenizer))), folder)
    tokenizer.save(str(folder / TOKENIZER_FILE))
    return folder


@dataclass(frozen=True)
class DrawnClips:
    """Pixels drawn from a video's name: flat colours under grain; decodes nothing."""

    video: VideoInputConfig = TINY_VIDEO

    def load(self, path: Path) -> Pixels:
        generator = np.random.default_rng(zlib.crc32(path.name.encode()))
        colour, grain = generator.uniform(0, 255, 3), generator.uniform(0, 80)

        def frames(count: int, side: int) -> np.ndarray:
            noise = generator.normal(0, grain, (count, side, side, 3))
            return np.clip(colour + noise, 0, 255).astype(np.uint8)

        lengths = {
            "bursts": self.video.num_bursts * self.video.burst_frames,
            "all_frames": 32,
            "sparse_frames": 0,
            "none": 0,
        }
        return Pixels(
            views=tuple(frames(self.video.num_frames, side) for side in self.video.view_sizes),
            motion=frames(lengths[self.video.motion], self.video.motion_size),
            start_seconds=0.0,
            end_seconds=1.0,
        )


def rating_records(
    count: int, dimensions: Sequence[Dimension] = (Dimension.OVERALL, Dimension.BLUR)
) -> list[InstructionRecord]:
    """Ratings of drawn clips; MOS from 10 to 90 in equal steps."""
    records = []
    for number in range(count):
        mos = 10 + 80 * number / max(count - 1, 1)
        for dimension in dimensions:
            records.append(
                InstructionRecord(
                    id=f"clip{number}/{dimension}",
                    video=Path(f"clip{number}.mp4"),
                    group=str(number),
                    split="train",
                    question=questions.rating(dimension),
                    answer=levels_of(dimension)[level_index(mos, 0, 100)],
                    scores={dimension: mos},
                )
            )
    return records


def yes_no_records(count: int) -> list[InstructionRecord]:
    """A question on blur for each drawn clip; every other answer is yes."""
    question = questions.distorted(Dimension.BLUR)
    return [
        InstructionRecord(
            id=f"clip{number}/distorted",
            video=Path(f"clip{number}.mp4"),
            group=str(number),
            split="train",
            question=question,
            answer=question.choices[number % 2],
        )
        for number in range(count)
    ]


def write_labelled_clips(folder: Path, *, train: int, validation: int) -> Path:
    """Write tiny videos with a table of MOS and splits; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(train + validation):
        mos = 10 + 80 * ((number * 7) % (train + validation)) / (train + validation - 1)
        path = folder / f"clip{number:02}.mp4"
        write_clip(path, shade=round(mos * 2.5), seed=number)
        split = "train" if number < train else "val"
        rows.append({"name": path.name, "mos": f"{mos:.3f}", "blur": f"{mos:.3f}", "split": split})
    table = folder / "labels.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", "mos", "blur", "split", "scale_min", "scale_max"])
        writer.writeheader()
        writer.writerows({**row, "scale_min": "0", "scale_max": "100"} for row in rows)
    return table


def write_clip(path: Path, *, shade: int, seed: int, frames: int = 6) -> None:
    """Write a short video of one shade under grain."""
    generator = np.random.default_rng(seed)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(frames):
            picture = shade + generator.normal(0, 10, (64, 64, 3))
            frame = np.clip(picture, 0, 255).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
