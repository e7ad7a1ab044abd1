"""`finevq train`: from labelled videos to weights."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from finevq.cli import train_ablation, train_export
from finevq.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from finevq.training.stages import StageConfig, StageName

_STAGES = {
    "stage1": "Train the projectors on words: the paper's first stage.",
    "stage2": "Train score head, projectors and adapters on scores: the paper's second stage.",
    "qa": "Train projectors and adapters to answer questions.",
    "joint": "Train on words, scores and ranks together.",
}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Train models.")
    group.command("nano")(nano)
    for name, summary in _STAGES.items():
        group.command(
            name, help=f"{summary} Under torchrun on several GPUs; see docs/training.md."
        )(_stage_command(name))
    train_ablation.register(group)
    train_export.register(group)
    app.add_typer(group, name="train")


def nano(
    config: Annotated[Path, typer.Option(help="TOML file of the recipe.")],
    output: Annotated[Path, typer.Option(help="Folder of the trained model.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="part.field=value; overrides the file; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the configuration only.")
    ] = False,
) -> None:
    """Train the laptop model; run again with the same output to go on after an interruption."""
    # Inside the function: torch takes seconds to import and is an extra.
    try:
        from finevq.config import load_config, save_config
        from finevq.settings import load_settings
        from finevq.training.config import NanoTrainingConfig
        from finevq.training.nano import train_nano
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training ({error.name})", "train") from None
    recipe = load_config(NanoTrainingConfig, config, set_ or [])
    if dry_run:
        print(recipe)
        return
    # The program's handler shows warnings only; a run that takes hours also tells how it goes.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    output.mkdir(parents=True, exist_ok=True)
    save_config(recipe, output / "training_config.json")
    train_nano(recipe, output, load_settings())
    print(output)


def _stage_command(stage: str) -> Callable[..., None]:
    def command(
        output: Annotated[
            Path, typer.Option(help="Folder of the run: checkpoints, logs, the trained model.")
        ],
        config: Annotated[
            Path | None, typer.Option(help="TOML file; what it leaves out is the preset's.")
        ] = None,
        preset: Annotated[
            str, typer.Option(help="paper, official or nano; the file's where not given.")
        ] = "",
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", help="part.field=value; overrides the file; may be repeated."),
        ] = None,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")
        ] = False,
        dry_run: Annotated[
            bool,
            typer.Option(
                "--dry-run",
                help="Show configuration, what learns, steps and memory; train nothing.",
            ),
        ] = False,
    ) -> None:
        # Inside the function: torch takes seconds to import and is an extra.
        try:
            from finevq.cli.training_display import ProgressDisplay, show_plan
            from finevq.settings import load_settings
            from finevq.training.stage_run import plan_stage, train_stage
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"training ({error.name})", "train") from None
        recipe = _load_recipe(cast("StageName", stage), config, preset, set_ or [])
        if dry_run:
            show_plan(recipe, plan_stage(recipe))
            return
        with ProgressDisplay() as display:
            folder = train_stage(recipe, output, load_settings(), resume=resume, listener=display)
        if folder is not None:
            print(folder)

    return command


def _load_recipe(
    stage: "StageName", path: Path | None, preset_name: str, overrides: list[str]
) -> "StageConfig":
    """Join preset, file and overrides; each goes before the one to its left."""
    from finevq.config import build_config, read_values  # start-up time
    from finevq.training.presets import preset
    from finevq.training.stages import StageConfig

    values = read_values(path) if path is not None else {}
    name = preset_name or str(values.get("preset", "nano"))
    base = preset(stage, name)
    values = {**values, "preset": name, "stage": values.get("stage", stage)}
    recipe = build_config(StageConfig, values, overrides, base=base)
    if recipe.stage != stage:
        raise ConfigError(f"{path} is a recipe of {recipe.stage}; run: finevq train {recipe.stage}")
    return recipe
