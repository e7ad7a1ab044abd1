"""`finevq train`: from labelled videos to weights."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from finevq.errors import MissingExtraError


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Train models.")
    group.command("nano")(nano)
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
