"""`finevq assess`: parse, hand the videos to a session, show what comes back."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from finevq.cli.console import message_console, show_error, show_note
from finevq.cli.models import load_model
from finevq.cli.outputs import OutputChoice, Outputs, check_outputs
from finevq.records import Failure

if TYPE_CHECKING:
    from finevq.inference.inputs import FoundVideos
    from finevq.inference.session import Session
    from finevq.records import Assessment

_FILES = "Files and formats"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(assess)


def assess(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Videos or pictures, folders (searched for videos), globs, or @list.txt with one "
            "path a line.",
        ),
    ],
    model: Annotated[
        str, typer.Option(help="A preset (see `finevq models`) or a model's folder.")
    ] = "nano",
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a video and line.")
    ] = False,
    jsonl: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write JSON lines to FILE.", rich_help_panel=_FILES),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write one CSV row a video to FILE.", rich_help_panel=_FILES
        ),
    ] = None,
    parquet: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write a Parquet table to FILE (extra: parquet).",
            rich_help_panel=_FILES,
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write a self-contained report page to FILE.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the --jsonl, --csv or --parquet FILE: videos whose row is there, from "
            "the same file and model, are not assessed again.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Say when quality changes, not only how good it is.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never use the network, whatever the model.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bar and no notes.")
    ] = False,
) -> None:
    """Assess videos: six quality dimensions, what is wrong, and what hurts most.

    A table goes to standard output; FILE may be - for standard output. Several outputs at once
    are fine. Exit code: 0 all assessed, 1 some video failed, 2 wrong usage.
    """
    from finevq.inference.inputs import find_videos  # start-up time

    choice = OutputChoice(
        json=json, jsonl=jsonl, csv=csv, parquet=parquet, html=html, resume=resume
    )
    if problem := choice.problem():
        raise typer.BadParameter(problem)
    found = find_videos(paths)
    names = [_name(entry) for entry in found.entries]
    check_outputs(choice, names)
    session = load_model(model, offline=offline)
    with Outputs(choice, names) as outputs:
        run = _Run(session, outputs, timeline=timeline, thumbnails=html is not None, quiet=quiet)
        code = run.over(found)
    raise typer.Exit(code)


class _Run:
    """One call of `assess`, from the files found to the exit code."""

    def __init__(
        self,
        session: "Session",
        outputs: Outputs,
        *,
        timeline: bool,
        thumbnails: bool,
        quiet: bool,
    ) -> None:
        self._session = session
        self._outputs = outputs
        self._timeline = timeline
        self._thumbnails = thumbnails
        self._quiet = quiet

    def over(self, found: "FoundVideos") -> int:
        """Assess everything; what is finished is kept when the user interrupts."""
        for note in () if self._quiet else found.notes:
            show_note(note)
        todo = [*self._without_finished(found.entries)]
        num_done = num_failed = 0
        outcomes = self._assess(todo)
        try:
            for outcome in self._with_progress(outcomes, len(todo)):
                self._outputs.write(outcome)
                num_done += 1
                if isinstance(outcome, Failure):
                    num_failed += 1
                    self._report(outcome, is_alone=len(found.entries) == 1)
        except KeyboardInterrupt:
            self._outputs.close()
            show_error(f"interrupted; {num_done} of {len(todo)} videos are finished and kept")
            return 130
        self._outputs.close()
        return 1 if num_failed else 0

    def _without_finished(self, entries: Iterable["str | Failure"]) -> "Iterator[str | Failure]":
        num_finished = 0
        for entry in entries:
            if isinstance(entry, str) and self._outputs.find(
                entry, self._session.identity, timeline=self._timeline
            ):
                self._outputs.keep(entry)
                num_finished += 1
            else:
                yield entry
        if num_finished and not self._quiet:
            show_note(f"{num_finished} already finished, not assessed again")

    def _assess(self, entries: "list[str | Failure]") -> "Iterator[Assessment | Failure]":
        from finevq.inference.batching import in_place  # start-up time

        paths = [entry for entry in entries if isinstance(entry, str)]
        results = self._session.assess_many(
            paths, timeline=self._timeline, thumbnails=self._thumbnails
        )
        return in_place(entries, results)

    def _with_progress(
        self, outcomes: "Iterator[Assessment | Failure]", total: int
    ) -> "Iterator[Assessment | Failure]":
        console = message_console()
        if self._quiet or not console.is_terminal or total < 2:
            yield from outcomes
            return
        columns = (
            TextColumn("assessing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=total)
            for outcome in outcomes:
                yield outcome
                progress.advance(task)

    def _report(self, failure: Failure, *, is_alone: bool) -> None:
        """Say on stderr what failed, where the table does not."""
        if is_alone:
            show_error(failure.message)
        elif self._outputs.is_stdout_taken and not self._quiet:
            is_named = failure.video in failure.message
            show_error(failure.message if is_named else f"{failure.video}: {failure.message}")


def _name(entry: "str | Failure") -> str:
    return entry.video if isinstance(entry, Failure) else entry
