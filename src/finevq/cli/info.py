"""`finevq info`: what a video file is, as a table for people or JSON lines."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from finevq.records import Failure
    from finevq.video.survey import MediaReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="info")(info)


def info(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Video or picture files.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a file and line.")
    ] = False,
) -> None:
    """Show what video files are: codec, size, rate, frames, duration, rotation.

    A file that cannot be read is a line with the reason; the exit code is then 1.
    """
    # Start-up time: decoding libraries are loaded only by commands that decode.
    from finevq.records import Failure
    from finevq.settings import load_settings
    from finevq.video.survey import survey_files

    outcomes = survey_files(paths, settings=load_settings())
    if as_json:
        has_failed = False
        for outcome in outcomes:
            has_failed |= isinstance(outcome, Failure)
            print(json.dumps(outcome.to_dict(), ensure_ascii=False), flush=True)
    else:
        has_failed = _show(list(outcomes))
    if has_failed:
        sys.exit(1)


def _show(outcomes: "list[MediaReport | Failure]") -> bool:
    """Print the table, then what is wrong; return whether a file failed."""
    from rich.console import Console
    from rich.text import Text

    from finevq.records import Failure

    console = Console()
    reports = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    if reports:
        console.print(_table(reports))
    for report in reports:
        for warning in report.warnings:
            console.print(Text(f"{report.video}: {warning}", style="yellow"), soft_wrap=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    for failure in failures:
        reason = failure.message.removeprefix(f"{failure.video}: ")
        console.print(Text(f"{failure.video}: {reason}", style="red"), soft_wrap=True)
    return bool(failures)


def _table(reports: "Iterable[MediaReport]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    for name in ("codec", "format", "pixels"):
        table.add_column(name, no_wrap=True)
    for name in ("fps", "frames", "seconds", "turned"):
        table.add_column(name, no_wrap=True, justify="right")
    for report in reports:
        media = report.media
        is_picture = media.fps is None
        table.add_row(
            Text(report.video),
            media.codec,
            media.pixel_format,
            f"{media.width}x{media.height}",
            "" if is_picture else f"{media.fps:.2f}",
            str(media.num_frames),
            "picture" if is_picture else f"{media.duration_seconds:.2f}",
            f"{media.rotation_degrees}°" if media.rotation_degrees else "",
        )
    return table
