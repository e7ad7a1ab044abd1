from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finevq.errors import ConfigError
from finevq.model.checkpoint import load_model
from finevq.prompts import questions
from finevq.training.ablation import (
    PREDICTIONS_FILE,
    VARIANTS,
    AblationConfig,
    in_words,
    run_ablation,
    stage_of,
)
from finevq.training.presets import preset
from finevq.training.records import InstructionRecord
from finevq.training.stages import StageConfig
from finevq.training.testing import Prediction
from finevq.vocabulary import Dimension

CONFIG = AblationConfig(
    stage=preset("stage2", "nano"), variants=("spatial", "both-lora-16"), seeds=(0, 1)
)
TEST = [
    InstructionRecord(
        id="a",
        video=Path("a.mp4"),
        group="a",
        split="test",
        question=questions.rating(Dimension.OVERALL),
        scores={Dimension.OVERALL: 40.0},
    )
]


class _Trainer:
    """Notes what it is asked to train; stops where it is told to."""

    def __init__(self, fails_at: int = 99) -> None:
        self.asked: list[tuple[StageConfig, Path]] = []
        self._fails_at = fails_at

    def __call__(
        self, config: StageConfig, output: Path, test: Sequence[InstructionRecord]
    ) -> list[Prediction]:
        if len(self.asked) == self._fails_at:
            raise KeyboardInterrupt
        self.asked.append((config, output))
        (output / "best.safetensors").touch()
        return [Prediction(record.video.name, "overall", 40.0, 41.5) for record in test]


def test_rows_differ_in_their_parts_and_in_nothing_else():
    stages = {key: stage_of(CONFIG, row, 7, "start") for key, row in VARIANTS.items()}
    assert stages["spatial"].inputs.motion == "none"
    assert not stages["spatial"].parts.motion_projector
    assert stages["motion"].parts.motion_projector
    ranks = {key: (s.lora.image_rank, s.lora.language_rank) for key, s in stages.items()}
    assert list(ranks.values()) == [(0, 0), (0, 0), (8, 0), (0, 8), (8, 8), (16, 16)]
    common = {
        replace(s, parts=CONFIG.stage.parts, lora=CONFIG.stage.lora, inputs=CONFIG.stage.inputs)
        for s in stages.values()
    }
    assert len(common) == 1
    assert all(stage.steps.seed == 7 for stage in stages.values())


def test_an_interrupted_ablation_goes_on_where_it_was(tmp_path: Path):
    config = replace(CONFIG, has_fresh_parts=False)
    with pytest.raises(KeyboardInterrupt):
        run_ablation(config, tmp_path, test=TEST, train_and_test=_Trainer(fails_at=3))
    again = _Trainer()
    told: list[tuple[str, int, int, int]] = []
    written = run_ablation(
        config, tmp_path, test=TEST, train_and_test=again, announce=lambda *it: told.append(it)
    )
    assert [folder.parts[-2:] for _, folder in again.asked] == [("both-lora-16", "seed-1")]
    assert told[0] == ("spatial", 0, 1, 4)
    assert len(written) == 4
    assert written[0].read_text().splitlines() == [
        "video,dimension,mos,score",
        "a.mp4,overall,40.0,41.5",
    ]
    assert list(tmp_path.rglob("*.safetensors")) == []
    more = _Trainer()
    run_ablation(replace(config, seeds=(0, 1, 2)), tmp_path, test=TEST, train_and_test=more)
    assert len(more.asked) == 2
    other = replace(
        config, stage=replace(config.stage, steps=replace(config.stage.steps, epochs=3))
    )
    with pytest.raises(ConfigError, match=r"other settings \(stage\.steps\.epochs\)"):
        run_ablation(other, tmp_path, test=TEST, train_and_test=more)


def test_all_rows_of_a_seed_start_from_the_same_fresh_parts(tmp_path: Path):
    config = replace(CONFIG, num_frames=2, view_sizes=(64, 96), keeps_weights=True)
    trainer = _Trainer()
    run_ablation(config, tmp_path, test=TEST, train_and_test=trainer)
    starts = [stage.start.model for stage, _ in trainer.asked]
    assert starts[0] == starts[1] != starts[2] == starts[3]
    first, second = (load_model(Path(start)) for start in (starts[0], starts[2]))
    assert first.config.video.view_sizes == (64, 96)
    assert first.config.video.num_frames == 2
    fresh = {"image_projectors", "motion_projector", "score_head"}
    for name, tensor in first.state_dict().items():
        is_same = torch.equal(tensor, second.state_dict()[name])
        is_weight = name.endswith("weight")
        if is_weight and name.split(".")[0] in fresh:
            assert not is_same, name
        elif name.split(".")[0] not in fresh:
            assert is_same, name
    assert (tmp_path / "runs/spatial/seed-0" / PREDICTIONS_FILE).is_file()
    assert list(tmp_path.rglob("best.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": ("spatial", "temporal")}, "'temporal' is none of spatial, motion"),
        ({"seeds": ()}, "at least one"),
        ({"seeds": (1, 1)}, "each seed once"),
        ({"view_sizes": (64,)}, r"the model has 2 views \(whole, detail\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, change: dict[str, object], message: str
):
    config = replace(CONFIG, **change)  # type: ignore[arg-type]  # by name
    with pytest.raises(ConfigError, match=message):
        run_ablation(config, tmp_path, test=TEST, train_and_test=_Trainer())


def test_the_budget_is_told_in_words():
    data, budget = in_words(CONFIG)
    assert "manifest.jsonl" in data
    assert f"{CONFIG.stage.steps.epochs} epochs" in budget
