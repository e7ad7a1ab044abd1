"""`finevq models`: which models there are; and how commands load one."""

import json as json_format
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

import finevq
from finevq.cli import convert
from finevq.cli.console import results_console
from finevq.settings import load_settings

if TYPE_CHECKING:
    from finevq.inference.catalogue import ModelListing
    from finevq.inference.session import Session

models = typer.Typer(
    help="List the models that can be loaded by name: version, size, place, licence.",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add the group to the application."""
    app.add_typer(models, name="models")
    convert.register_on(models)


_WHOLE_MODELS = "Models on torch, such as the paper's"

DeviceOption = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=_WHOLE_MODELS),
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        help="auto (bfloat16 on CUDA, else float32), float32, bfloat16 or float16.",
        rich_help_panel=_WHOLE_MODELS,
    ),
]
QuantizationOption = Annotated[
    str | None,
    typer.Option(
        help="8bit or 4bit for the language model (extra: quantization).",
        rich_help_panel=_WHOLE_MODELS,
    ),
]


def load_model(
    name: str,
    *,
    offline: bool,
    device: str | None = None,
    dtype: str | None = None,
    quantization: str | None = None,
) -> "Session":
    """Load a model as the environment and the command's options say."""
    settings = load_settings()
    return finevq.load(
        name,
        settings=replace(
            settings,
            offline=settings.offline or offline,
            device=settings.device if device is None else device,
            dtype=settings.dtype if dtype is None else dtype,
            quantization=settings.quantization if quantization is None else quantization,
        ),
    )


@models.callback()
def list_models(
    context: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a model and line.")
    ] = False,
) -> None:
    """List the models that can be loaded by name: version, size, place, licence."""
    if context.invoked_subcommand is not None:
        return
    from finevq.inference import catalogue  # start-up time: ONNX Runtime

    listings = catalogue.list_models()
    if json:
        for listing in listings:
            print(json_format.dumps(listing.to_dict()))
    else:
        results_console().print(_table(listings))


def _table(listings: "tuple[ModelListing, ...]") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("model", "version", "installed", "size", "licence", "what and where"):
        table.add_column(column, overflow="fold")
    for listing in listings:
        table.add_row(
            Text(listing.name, style="bold"),
            listing.version or "-",
            "yes" if listing.is_installed else "no",
            f"{listing.num_bytes / 1e6:.1f} MB" if listing.is_installed else "-",
            Text(listing.licence),
            Text(f"{listing.summary}\n{listing.location}"),
        )
    return table
