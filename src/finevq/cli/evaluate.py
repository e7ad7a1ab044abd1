"""`finevq evaluate`: features, predictions, floors and the paper's tables."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable

group = typer.Typer(no_args_is_help=True, help="Metrics, floors and the paper's tables.")
_log = Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add the `evaluate` group to the application."""
    app.add_typer(group, name="evaluate")


@group.command("features")
def evaluate_features(
    features: Annotated[
        Path, typer.Argument(help="Feature matrix, one row a video: .mat, .npy, .npz or .csv.")
    ],
    labels: Annotated[Path, typer.Option(help="Label CSV of the same videos in the same order.")],
    protocol: Annotated[
        str, typer.Option(help="random-80-20: repeated random splits.")
    ] = "random-80-20",
    repeats: Annotated[int, typer.Option(help="Number of splits.")] = 100,
    regressor: Annotated[
        str, typer.Option(help="svr, ridge, or none where one column is the score.")
    ] = "svr",
    seed: Annotated[
        int | None, typer.Option(help="Seed of the splits; without it, VIDEVAL's published ones.")
    ] = None,
    variable: Annotated[str, typer.Option(help="Matrix inside a .mat or .npz.")] = "",
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Scores fall as quality rises (NIQE).")
    ] = False,
    keep_flagged: Annotated[
        bool,
        typer.Option("--keep-flagged", help="Keep videos that usual tables leave out."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Judge hand-crafted features as their papers do: a regressor on random 80:20 splits."""
    from finevq.evaluation.feature_files import evaluate_feature_file  # start-up time

    with _log.status("splitting") as status:
        summary = evaluate_feature_file(
            features,
            labels,
            protocol=protocol,
            repeats=repeats,
            regressor=regressor,
            seed=seed,
            variable=variable,
            higher_is_better=not lower_is_better,
            keep_flagged=keep_flagged,
            progress=lambda done, total: status.update(f"split {done} of {total}"),
        )
    for note in summary["notes"]:
        _log.print(note, markup=False)
    if as_json:
        print(json.dumps(summary))
    else:
        _show_summary(summary)


def _show_summary(summary: dict[str, Any]) -> None:
    table = RichTable("metric", "median", "std")
    for name in ("srcc", "krcc", "plcc", "rmse"):
        table.add_row(name.upper(), *(_number(summary[name][key]) for key in ("median", "std")))
    Console().print(table)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
