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
    from finevq.study.folder import create_study, read_secret

    created = create_study(
        name,
        videos,
        load_values(config) if config else {},
        load_settings(),
        database=database,
        password=read_secret(password_file) if password_file else None,
        on_clip=lambda clip: print(
            f"{clip.name}: {clip.how}"
            + (f", at least {clip.psnr_db} dB" if clip.psnr_db is not None else "")
            + (f" (warning: {clip.warning})" if clip.warning else ""),
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
    invited = [store.renew_link(renew)] if renew else store.invite(subjects)
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

    from finevq.study.folder import open_study, read_secret

    secret = read_secret(password_file) if password_file else secrets.token_urlsafe(9)
    store = open_study(folder)
    store.set_password(secret)
    store.close()
    if password_file is None:
        print(secret)


@study.command()
def screen(
    videos: Annotated[Path, typer.Argument(help="Folder of videos, or a CSV manifest.")],
    count: Annotated[int | None, typer.Option(min=1, help="Pick that many, diverse.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV; stdout without.")
    ] = None,
) -> None:
    """Measure clips (SI, TI, colorfulness, brightness ...) and pick a diverse subset."""
    from finevq.settings import load_settings
    from finevq.study.clip_screening import measure_all, write_manifest

    screened = measure_all(
        videos,
        load_settings(),
        count,
        on_clip=lambda name, problem: print(f"{name}: {problem or 'measured'}", file=sys.stderr),
    )
    write_manifest(screened, output)
    print(screened.summary(), file=sys.stderr)


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
    html: Annotated[Path | None, typer.Option(help="Write a report with figures.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Write labels as FineVD has them: .csv or .parquet.")
    ] = None,
) -> None:
    """Turn votes into quality, with intervals, and say who was rejected."""
    from finevq.study.analysis import analyze as run_analysis
    from finevq.study.analysis import to_json
    from finevq.study.outputs import load_votes, write_outputs

    loaded = load_votes(votes)
    analyses = run_analysis(loaded.tables, method=method, dimension=dimension, dmos=dmos)
    write_outputs(loaded, analyses, html=html, labels=labels)
    if as_json:
        json.dump(to_json(analyses), sys.stdout, indent=2)
        print()
        return
    console = Console()
    for name, analysis in analyses.items():
        table = Table("stimulus", title=f"{name}, {method}")
        for column in ("quality", "95 % interval", "votes"):
            table.add_column(column, justify="right")
        for cells in analysis.to_text_rows():
            table.add_row(*cells)
        console.print(table)
        console.print(analysis.rejection_sentence())


@study.command()
def export(
    folder: StudyFolder,
    output: Annotated[Path, typer.Option("--output", "-o", help="New or existing folder.")],
) -> None:
    """Write votes for other tools (CSV, sureal's JSON, P.910's CSV); nothing personal."""
    from finevq.study.exports import write_export
    from finevq.study.folder import open_study
    from finevq.study.results import read_results

    store = open_study(folder)
    for path in write_export(read_results(store), output):
        print(path)
    store.log("owner", "export", output.name)
    store.close()


@study.command()
def qa(
    labels: Annotated[Path, typer.Argument(help="A label file, or a study folder.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON lines; stdout without.")
    ] = None,
    family: Annotated[list[str] | None, typer.Option(help="Only this family; repeatable.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible API that says pairs in other words.")
    ] = None,
    model: Annotated[str, typer.Option(help="The endpoint's model.")] = "default",
    key_file: Annotated[Path | None, typer.Option(help="File with the endpoint's key.")] = None,
    revise: Annotated[
        Path | None, typer.Option(metavar="STUDY", help="Put the pairs up for revision there.")
    ] = None,
    revised: Annotated[
        bool, typer.Option("--revised", help="Write the pairs that people accepted instead.")
    ] = False,
) -> None:
    """Build question-answer pairs, check them, and audit them for shortcuts."""
    from finevq.study.folder import read_secret
    from finevq.study.qa import FAMILIES
    from finevq.study.qa_building import BuildOptions, build, write_pairs
    from finevq.study.qa_phrasing import Endpoint

    speaker = (
        Endpoint(url=endpoint, model=model, key=read_secret(key_file) if key_file else "")
        if endpoint
        else None
    )
    built = build(
        labels,
        BuildOptions(
            families=tuple(family or FAMILIES),
            seed=seed,
            endpoint=speaker,
            revise_in=revise,
            revised_only=revised,
        ),
    )
    write_pairs(built.pairs, output)
    print(built.summary(), file=sys.stderr)


@study.command("delete-subject")
def delete_subject(
    folder: StudyFolder,
    subject: Annotated[str, typer.Argument(help="As in S03.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a subject and everything that he said."""
    from finevq.study.folder import open_study

    if not yes:
        typer.confirm(f"Delete everything of {subject}? This cannot be undone.", abort=True)
    store = open_study(folder)
    store.delete_subject(subject)
    store.close()
    print(f"{subject} is deleted; backups made before still hold him")


@study.command()
def backup(
    folder: StudyFolder,
    output: Annotated[Path, typer.Option("--output", "-o", help="New file.")],
) -> None:
    """Copy the study's database into a SQLite file while the server runs."""
    from finevq.study.folder import open_study

    store = open_study(folder)
    store.backup(output)
    store.close()
    print(output)


@study.command()
def audit(folder: StudyFolder) -> None:
    """Print the audit log."""
    from finevq.study.folder import open_study
    from finevq.study.rendering import when

    store = open_study(folder)
    for entry in store.audit_log():
        print(f"{when(entry.at)}\t{entry.actor}\t{entry.action}\t{entry.detail}")
    store.close()
