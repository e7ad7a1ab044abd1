"""`finevq train ablation`: the six rows of the paper's table 6, on any data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finevq.errors import MissingExtraError

if TYPE_CHECKING:
    from finevq.training.ablation import AblationConfig


def register(group: typer.Typer) -> None:
    """Add the command to the group `train`."""
    group.command("ablation")(ablation)


def ablation(
    config: Annotated[Path, typer.Option(help="TOML file: rows, seeds, and the common stage.")],
    output: Annotated[Path, typer.Option(help="Folder of runs and tables.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="part.field=value; overrides the file; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what each row trains; train nothing.")
    ] = False,
) -> None:
    """Train six variants with the same data and budget, several seeds each, and compare them.

    Run again with the same output to go on after an interruption, or with more seeds.
    """
    # Inside the function: torch takes seconds to import and is an extra.
    try:
        from finevq.cli.training_display import ProgressDisplay
        from finevq.evaluation.ablation_runs import ablation_report, read_runs
        from finevq.settings import load_settings
        from finevq.training.ablation import (
            RUNS_FOLDER,
            VARIANTS,
            in_words,
            read_test_records,
            run_ablation,
        )
        from finevq.training.feature_memory import FeatureMemory
        from finevq.training.testing import train_and_test
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training ({error.name})", "train") from None
    recipe = _load_recipe(config, set_ or [])
    if dry_run:
        _show_plan(recipe)
        return
    settings = load_settings()
    test = read_test_records(recipe)
    # Frozen encoders are the same in all runs, and need to see each video once.
    memory = FeatureMemory() if recipe.stage.steps.keeps_features else None
    with ProgressDisplay() as display:
        run_ablation(
            recipe,
            output,
            test=test,
            train_and_test=lambda stage, folder, records: train_and_test(
                stage, folder, records, settings, listener=display, memory=memory
            ),
            announce=_announce,
        )
    titles = {key: variant.name for key, variant in VARIANTS.items()}
    report = ablation_report(read_runs(output / RUNS_FOLDER, titles), notes=in_words(recipe))
    report.write(output)
    print(report.markdown())


def _load_recipe(path: Path, overrides: list[str]) -> "AblationConfig":
    """Join the preset that the file names, the file and the overrides."""
    from finevq.config import build_config, read_values  # start-up time
    from finevq.training.ablation import AblationConfig
    from finevq.training.presets import preset

    values = read_values(path)
    stage = values.get("stage", {})
    name = str(stage.get("preset", "nano")) if isinstance(stage, dict) else "nano"
    base = AblationConfig(stage=preset("stage2", name))
    return build_config(AblationConfig, values, overrides, base=base)


def _announce(row: str, seed: int, number: int, count: int) -> None:
    from finevq.cli.console import show_note  # start-up time

    show_note(f"run {number} of {count}: {row}, seed {seed}")


def _show_plan(recipe: "AblationConfig") -> None:
    import json
    from dataclasses import asdict

    from rich.table import Table

    from finevq.cli.console import results_console
    from finevq.training.ablation import VARIANTS, stage_of
    from finevq.training.stage_run import plan_stage

    console = results_console()
    console.print_json(json.dumps(asdict(recipe), default=str))
    table = Table(title="what each row trains", title_justify="left")
    table.add_column("row")
    for name in ("parameters", "steps", "runs"):
        table.add_column(name, justify="right")
    for key in recipe.variants:
        stage = stage_of(recipe, VARIANTS[key], recipe.seeds[0], recipe.stage.start.model)
        plan = plan_stage(stage)
        learning = sum(part[0] for part in plan.parameters.values())
        table.add_row(
            VARIANTS[key].name, f"{learning:,}", f"{plan.num_steps:,}", f"{len(recipe.seeds)}"
        )
    console.print(table)
