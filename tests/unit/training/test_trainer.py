import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from builders.training import DrawnClips, rating_records, tiny_model, yes_no_records
from finevq.errors import TrainingError, VideoDecodeError
from finevq.training.checkpoints import BEST_FILE, LAST_FILE, load_last
from finevq.training.dataset import InstructionDataset
from finevq.training.distributed import Processes
from finevq.training.journal import STEPS_FILE, VALIDATION_FILE, read_rows
from finevq.training.parts import prepare_parts
from finevq.training.presets import preset
from finevq.training.records import InstructionRecord
from finevq.training.stage_run import make_trainer
from finevq.training.stages import StageConfig
from finevq.training.start import read_trained
from finevq.training.trainer import Trainer
from finevq.video.inputs import Pixels
from finevq.vocabulary import Dimension

TIMES = ("seconds", "waiting_seconds")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def stage(name: str = "stage2", *, image_rank: int = 0, **steps: object) -> StageConfig:
    """A short run; adapters in the image encoder cost most of the time, and seldom matter."""
    config = preset(name, "nano")  # type: ignore[arg-type]
    return replace(
        config,
        lora=replace(config.lora, image_rank=image_rank),
        steps=replace(
            config.steps,
            **{"epochs": 2, "batch_size": 4, "keeps_features": not image_rank, **steps},
        ),
        data=replace(config.data, workers=0),
        distributed=replace(config.distributed, device="cpu"),
        validation=replace(config.validation, every_steps=3),
    )


def trainer(
    config: StageConfig,
    output: Path,
    records: Sequence[InstructionRecord] | None = None,
    clips: object = None,
) -> Trainer:
    model, prompter = tiny_model()
    prepare_parts(model, config)
    chosen = records if records is not None else rating_records(5)
    data = InstructionDataset(
        chosen,
        clips or DrawnClips(),  # type: ignore[arg-type]  # loads as a cache does
        group_videos=config.data.group_videos,
    )
    output.mkdir(exist_ok=True)
    return make_trainer(
        config,
        model,
        prompter,
        train=data,
        validation=data,
        processes=Processes("cpu"),
        output=output,
    )


def curve(folder: Path, name: str = STEPS_FILE) -> list[dict[str, str]]:
    return [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in read_rows(folder / name)
    ]


def losses(folder: Path) -> list[float]:
    return [float(row["loss"]) for row in read_rows(folder / STEPS_FILE)]


def test_a_run_that_goes_on_equals_one_that_was_never_interrupted(tmp_path: Path):
    config = stage()
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    trainer(config, whole).run()

    class Stop:
        def on_start(self, *_: object) -> None: ...

        def on_validation(self, *_: object, **__: object) -> None: ...

        def on_step(self, facts: object, num_steps: int) -> None:
            if facts.step == 5:  # type: ignore[attr-defined]  # the checkpoint is of step 3
                raise KeyboardInterrupt

    first = trainer(config, cut)
    first._listener = Stop()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        first.run()
    assert load_last(cut).progress.step == 3
    torch.manual_seed(12345)
    second = trainer(config, cut)
    second.resume()
    second.run()
    assert curve(cut) == curve(whole)
    assert len(curve(cut)) == 6
    assert curve(cut, VALIDATION_FILE) == curve(whole, VALIDATION_FILE)
    ours, theirs = load_last(cut), load_last(whole)
    assert ours.progress == theirs.progress
    for name, value in theirs.trained.items():
        assert torch.equal(ours.trained[name], value), name


@pytest.mark.parametrize("name", ["stage2", "joint"])
def test_passes_of_any_size_learn_the_same(tmp_path: Path, name: str):
    config = stage(name)
    config = replace(
        config,
        lora=replace(config.lora, dropout=0.0),
        losses=replace(config.losses, rank_weight=0.0),  # pairs are those of one pass
    )
    trainer(config, tmp_path / "one").run()
    small = replace(config, steps=replace(config.steps, micro_batch_size=1))
    trainer(small, tmp_path / "many").run()
    assert losses(tmp_path / "many") == pytest.approx(losses(tmp_path / "one"), rel=2e-4)


def test_recomputed_activations_and_kept_features_change_nothing(tmp_path: Path):
    config = stage(image_rank=2, keeps_features=False, epochs=1)
    config = replace(config, lora=replace(config.lora, dropout=0.0))
    trainer(config, tmp_path / "plain").run()
    again = replace(config, steps=replace(config.steps, gradient_checkpointing=True))
    trainer(again, tmp_path / "again").run()
    assert losses(tmp_path / "again") == pytest.approx(losses(tmp_path / "plain"), rel=1e-5)

    frozen = stage("stage1", keeps_features=False)
    trainer(frozen, tmp_path / "encoded").run()
    trainer(
        replace(frozen, steps=replace(frozen.steps, keeps_features=True)), tmp_path / "kept"
    ).run()
    assert losses(tmp_path / "kept") == pytest.approx(losses(tmp_path / "encoded"), rel=1e-5)


def test_half_precision_stays_near(tmp_path: Path):
    config = replace(stage(epochs=1), lora=replace(stage().lora, dropout=0.0))
    trainer(config, tmp_path / "full").run()
    half = replace(config, steps=replace(config.steps, precision="bf16", keeps_features=False))
    trainer(half, tmp_path / "half").run()
    assert losses(tmp_path / "half") == pytest.approx(losses(tmp_path / "full"), rel=0.1)


@dataclass(frozen=True)
class SomeBroken:
    def load(self, path: Path) -> Pixels:
        if path.name in {"clip1.mp4", "clip3.mp4"}:
            raise VideoDecodeError(f"{path}: no frame can be read")
        return DrawnClips().load(path)


def test_bad_videos_are_skipped_by_name_and_never_replaced(tmp_path: Path):
    run = trainer(stage(batch_size=1), tmp_path, clips=SomeBroken())
    run.run()
    steps = read_rows(tmp_path / STEPS_FILE)
    assert len(steps) == 20  # five clips, two questions each, two epochs
    assert sum(int(row["items"]) for row in steps) == 12
    text = (tmp_path / "skipped.jsonl").read_text()
    assert text.count("\n") == 2
    assert "clip1.mp4" in text
    assert "clip3.mp4" in text
    assert run.validate()["skipped"] == 4


def test_a_loss_that_is_no_number_stops_the_run_with_the_sample_s_name(tmp_path: Path):
    records = rating_records(4)
    dimension = records[5].question.dimension
    records[5] = replace(records[5], scores={dimension: math.nan})
    config = stage(batch_size=8)
    with pytest.raises(
        TrainingError, match=r"loss is not a finite number in step 1, at clip2/blur;"
    ):
        trainer(config, tmp_path, records).run()
    assert not (tmp_path / LAST_FILE).exists()


def test_a_gradient_that_is_no_number_stops_before_the_weights_are_touched(tmp_path: Path):
    run = trainer(stage(), tmp_path)
    name, parameter = next(iter(run._trained.items()))
    parameter.register_hook(lambda gradient: gradient * math.inf)
    before = parameter.detach().clone()
    with pytest.raises(TrainingError, match="gradient is not a finite number"):
        run.run()
    assert torch.equal(parameter, before), name


def test_the_best_checkpoint_is_chosen_by_validation(tmp_path: Path):
    run = trainer(stage(epochs=4), tmp_path)
    progress = run.run()
    values = {row["step"]: row["srcc"] for row in progress.history}
    assert progress.best_value == max(values.values())
    assert values[progress.best_step] == progress.best_value


def test_the_start_can_be_the_weights_to_beat(tmp_path: Path):
    config = stage("stage1", epochs=2)
    hopeless = replace(
        config,
        optimizer=replace(config.optimizer, learning_rate=0.0, final_learning_rate=0.0),
        validation=replace(config.validation, judges_start=True, select_by="loss"),
    )
    run = trainer(hopeless, tmp_path)
    before = {name: value.detach().clone() for name, value in run._trained.items()}
    progress = run.run()
    assert progress.history[0]["step"] == 0
    assert progress.best_step == 0
    best = dict(read_trained(tmp_path / BEST_FILE))
    for name, value in before.items():
        assert torch.equal(best[name], value), name
    assert read_rows(tmp_path / VALIDATION_FILE)[0]["step"] == "0"


def test_pixels_of_known_videos_are_not_asked_for_again(tmp_path: Path):
    asked: list[str] = []

    @dataclass(frozen=True)
    class Counted:
        def load(self, path: Path) -> Pixels:
            asked.append(path.name)
            return DrawnClips().load(path)

    run = trainer(stage("stage1", epochs=3, batch_size=4), tmp_path, clips=Counted())
    run.run()
    # Five clips, two questions each: until a batch is known as a whole, and never in a later epoch.
    assert len(asked) <= 10
    assert set(asked) == {f"clip{number}.mp4" for number in range(5)}


def test_grouped_videos_are_one_item_with_all_their_questions(tmp_path: Path):
    config = stage("joint", epochs=1)
    config = replace(config, data=replace(config.data, group_videos=True))
    records = [*rating_records(4), *yes_no_records(4)]
    run = trainer(config, tmp_path, records)
    assert len(losses(tmp_path)) == 0
    progress = run.run()
    assert progress.step == 1
    numbers = progress.history[-1]
    assert numbers["accuracy"] == numbers["accuracy"]


def test_a_checkpoint_of_another_stage_is_refused(tmp_path: Path):
    trainer(stage("stage1", epochs=1), tmp_path).run()
    with pytest.raises(TrainingError, match="other parameters"):
        trainer(stage("stage2"), tmp_path).resume()


@pytest.mark.full
@pytest.mark.parametrize("name", ["stage1", "stage2", "qa", "joint"])
def test_each_stage_of_nano_overfits_sixteen_clips(tmp_path: Path, name: str):
    from finevq.model.checkpoint import load_model
    from finevq.model.folder import TOKENIZER_FILE
    from finevq.prompts.prompter import NanoPrompter
    from finevq.training.start import find_folder

    folder = find_folder("nano")
    model = load_model(folder, dtype=torch.float32)
    clips = DrawnClips()
    # The released weights on small pictures: what is shown is that the stage can learn.
    model.config = replace(model.config, video=clips.video)
    rates = {"stage1": 3e-3, "stage2": 2e-3, "qa": 3e-3, "joint": 2e-3}
    config = stage(name, epochs=120, batch_size=16)
    config = replace(
        config,
        lora=replace(config.lora, dropout=0.0),
        optimizer=replace(config.optimizer, learning_rate=rates[name]),
        validation=replace(config.validation, every_steps=120),
    )
    prepare_parts(model, config)
    records = yes_no_records(16) if name == "qa" else rating_records(16, [Dimension.OVERALL])
    data = InstructionDataset(records, clips)  # type: ignore[arg-type]
    run = make_trainer(
        config,
        model,
        NanoPrompter.from_file(folder / TOKENIZER_FILE),
        train=data,
        validation=data,
        processes=Processes("cpu"),
        output=tmp_path,
    )
    numbers = run.run().history[-1]
    if name != "stage2":
        assert numbers["accuracy"] == 1.0
        assert numbers["loss"] < 0.1
    if name in {"stage2", "joint"}:
        assert numbers["srcc"] > 0.99
        assert numbers["error"] < 0.03
