"""`finevq train export`: a finished run as a model folder for others."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from finevq.errors import MissingExtraError


def register(group: typer.Typer) -> None:
    """Add the command to the group `train`."""
    group.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(help="Output folder of a finished `finevq train STAGE`.")],
    target: Annotated[Path, typer.Argument(help="Folder to write; must be new or empty.")],
    lora: Annotated[
        Literal["merge", "keep"],
        typer.Option(help="Add adapters to the weights they adapt, or keep them apart (PEFT)."),
    ] = "merge",
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write ONNX graphs (nano's architecture).")
    ] = False,
) -> None:
    """Write weights, adapters, a model card and checksums of a run's best model."""
    # Inside the function: torch takes seconds to import and is an extra.
    try:
        from finevq.training.export_run import export_run
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training ({error.name})", "train") from None
    done = export_run(run, target, adapters=lora, onnx=onnx)
    for name in done.names:
        print(done.folder / name)
