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

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(study)


@study.command()
def create(
    name: Annotated[Path, typer.Argument(help="New folder; its name is the study's.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or a CSV manifest.")],
    config: Annotated[
        Path | None, typer.Option(help="study.yaml; the paper's form without.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL; SQLite in the folder without.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the experimenter's password; random without.")
    ] = None,
) -> None:
    """Measure the clips, make them playable, and set up the database."""
    from finevq.settings import load_settings
    from finevq.study.definition import load_values
    from finevq.study.folder import create_study

    created = create_study(
        name,
        videos,
        load_values(config) if config else {},
        load_settings(),
        database=database,
        password=password_file.read_text().strip() if password_file else None,
        on_clip=lambda clip: print(
            f"{clip.name}: {clip.how}"
            + (f", at least {clip.psnr_db} dB" if clip.psnr_db is not None else ""),
            file=sys.stderr,
        ),
    )
    print(f"study:    {created.folder}")
    print(f"clips:    {len(created.clips)}")
    if password_file is None:
        print(f"password: {created.password}   (experimenter's pages; shown only now)")
    print(f"next:     finevq study invite {name} --subjects 22; finevq study serve {name}")


@study.command()
def invite(
    folder: StudyFolder,
    subjects: Annotated[int, typer.Option(min=1, max=10000, help="How many to add.")] = 1,
    url: Annotated[
        str, typer.Option(help="Where subjects reach the server.")
    ] = "http://127.0.0.1:8600",
    renew: Annotated[str | None, typer.Option(help="Give this subject a new link instead.")] = None,
) -> None:
    """Add subjects and print their personal links, once."""
    from finevq.study.folder import open_study

    store = open_study(folder)
    invited = [(renew, store.renew_link(renew))] if renew else store.invite(subjects)
    store.close()
    for label, token in invited:
        print(f"{label}\t{url.rstrip('/')}/s/{token}")


@study.command()
def serve(
    folder: StudyFolder,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for a lab.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 8600,
) -> None:
    """Run the study's server."""
    from finevq.study.serving import serve as run_server

    run_server(folder, host, port)


@study.command()
def password(
    folder: StudyFolder,
    password_file: Annotated[Path | None, typer.Option(help="Random without.")] = None,
) -> None:
    """Set a new password for the experimenter's pages."""
    import secrets

    from finevq.study.folder import open_study

    secret = password_file.read_text().strip() if password_file else secrets.token_urlsafe(9)
    store = open_study(folder)
    store.set_password(secret)
    store.close()
    if password_file is None:
        print(secret)


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
