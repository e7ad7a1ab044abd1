"""`finevq info`: what a video file is, as a table for people or JSON lines."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="info")(info)


def info(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Video or picture files.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a file and line.")
    ] = False,
) -> None:
    """Show the facts about video files: codec, size, rate, frames, duration, rotation."""
    # Decoding libraries take a while to load; `finevq --help` does without them.
    from finevq.settings import load_settings
    from finevq.video.survey import survey_files

    outcomes = survey_files(paths, settings=load_settings())
    has_failed = False
    if as_json:
        for outcome in outcomes:
            has_failed |= outcome.error is not None
            print(json.dumps(outcome.to_dict(), ensure_ascii=False), flush=True)
    else:
        # Tables need rich, which loads slower than JSON prints.
        from rich.console import Console

        from finevq.cli.tables import media_table

        listed = list(outcomes)
        has_failed = any(outcome.error for outcome in listed)
        Console().print(media_table(listed))
    if has_failed:
        sys.exit(1)
