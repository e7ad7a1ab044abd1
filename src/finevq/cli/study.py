"""`finevq study`: define, run and analyse a subjective study."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

# The rest is imported inside the commands: start-up time, and the extra `study`.

study = typer.Typer(
    name="study", help="Run a subjective study and make labels of it.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(study)


@study.command()
def analyze(
    votes: Annotated[
        Path,
        typer.Argument(help="Votes: CSV (wide, long, bare), sureal's JSON, or a study folder."),
    ],
    method: Annotated[
        str,
        typer.Option(
            help="mos, bt500, zscore, zscore-bt500, bias, bias-bt500, mle, "
            "or finevd: the paper's way, 0 to 100."
        ),
    ] = "finevd",
    dimension: Annotated[str | None, typer.Option(help="Only this dimension.")] = None,
    dmos: Annotated[bool, typer.Option("--dmos", help="Relative to hidden references.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn votes into quality, with intervals, and say who was rejected."""
    from finevq.study.analysis import analyze as run_analysis
    from finevq.study.analysis import to_json
    from finevq.study.vote_files import read_votes

    analyses = run_analysis(read_votes(votes), method=method, dimension=dimension, dmos=dmos)
    if as_json:
        json.dump(to_json(analyses), sys.stdout, indent=2)
        print()
        return
    console = Console()
    for name, analysis in analyses.items():
        table = Table(title=f"{name}, {method}")
        for column in ("stimulus", "quality", "95 % interval", "votes"):
            table.add_column(column, justify="left" if column == "stimulus" else "right")
        ci95 = analysis.estimate.ci95
        for index, stimulus in enumerate(analysis.table.stimuli):
            table.add_row(
                stimulus,
                f"{analysis.estimate.quality[index]:.3f}",
                f"{ci95[index, 0]:.3f} .. {ci95[index, 1]:.3f}",
                str(analysis.estimate.num_votes[index]),
            )
        console.print(table)
