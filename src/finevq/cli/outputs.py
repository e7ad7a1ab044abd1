"""Where results of one `assess` call go: standard output, files, or several at once."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import finevq
from finevq.cli.console import results_console
from finevq.errors import InvalidInputError
from finevq.inference.inputs import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from finevq.records import Assessment, Failure, ModelIdentity
from finevq.report.json_lines import json_line
from finevq.report.output_paths import check_output, replace_file
from finevq.report.parquet import require_pyarrow
from finevq.report.result_files import ParquetFile, ResultFile, read_outcomes
from finevq.report.result_rows import CsvRows, FileStamp, JsonLines, RowFormat

STDOUT = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputChoice:
    """What the options of `assess` ask for."""

    json: bool = False
    jsonl: str | None = None
    csv: str | None = None
    parquet: str | None = None
    html: str | None = None
    resume: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Every named output, `-` included."""
        named = (self.jsonl, self.csv, self.parquet, self.html)
        return tuple(name for name in named if name is not None)

    @property
    def is_stdout_taken(self) -> bool:
        """Whether a program reads standard output, so that no table may go there."""
        return self.json or STDOUT in self.files

    def problem(self) -> str | None:
        """Return what is wrong with the combination of options, if anything is."""
        if self.json + self.files.count(STDOUT) > 1:
            return "only one of --json and FILEs named '-' can go to standard output"
        if self.parquet == STDOUT:
            return "--parquet needs a file; Parquet cannot be written to standard output"
        if self.resume and not any(f not in (None, STDOUT) for f in self._growing):
            return "--resume continues a file; name it with --jsonl, --csv or --parquet"
        if self.resume and self.html and self.jsonl in (None, STDOUT):
            return "--resume with --html needs --jsonl FILE too: only there are whole results kept"
        names = [os.path.realpath(name) for name in self.files if name != STDOUT]
        if len(set(names)) < len(names):
            return "two outputs cannot go to the same FILE"
        return None

    @property
    def _growing(self) -> tuple[str | None, ...]:
        return (self.jsonl, self.csv, self.parquet)


def check_outputs(choice: OutputChoice, videos: Sequence[str]) -> None:
    """Find out, before any work and without changing a file, whether all outputs can be written.

    Raises:
        InvalidInputError: an output cannot be written or would overwrite a video.
        MissingExtraError: the package that writes a format is not installed.
    """
    for path in choice.files:
        if path != STDOUT:
            _refuse_media(path, videos)
            check_output(path)
    if choice.parquet is not None:
        require_pyarrow()


class Outputs:
    """Opens every output, takes results one by one, finishes all at the end.

    Left by an error, files stay as they are, for `--resume` to continue.

    Raises:
        InvalidInputError: an output cannot be written or not be continued.
    """

    def __init__(self, choice: OutputChoice, videos: Sequence[str]) -> None:
        self._choice = choice
        self._order = videos
        self.outcomes: list[Assessment | Failure] = []
        self._streams = self._row_streams()
        self._files: list[ResultFile] = []
        try:
            self._open_files()
            self._earlier = self._read_earlier()
        except BaseException:
            self.abandon()
            raise

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *error: object) -> None:
        self.abandon()

    def abandon(self) -> None:
        """Let go of all files as they are."""
        for file in self._files:
            file.abandon()

    def find(self, video: str, model: ModelIdentity, *, timeline: bool) -> bool:
        """Tell whether every file already holds this video's row, for the same file and model."""
        if not self._choice.resume:
            return False
        stamp = FileStamp.of(video)
        rows = [file.find(video) for file in self._files]
        return all(row is not None and row.holds(stamp, model, timeline=timeline) for row in rows)

    def keep(self, video: str) -> None:
        """Take a video's result from the file that is continued."""
        if video in self._earlier:
            self.outcomes.append(self._earlier[video])

    def write(self, outcome: Assessment | Failure) -> None:
        """Hand one result to every output."""
        if self._files:
            stamp = FileStamp.of(outcome.video)
            for file in self._files:
                file.write(outcome, stamp)
        for stream in self._streams:
            stream.write(outcome)
        if self._needs_all:
            self.outcomes.append(outcome)

    def close(self) -> None:
        """Finish files and pages, and show the table where nothing else is on standard output."""
        for file in self._files:
            file.close(self._order)
        if self._choice.html is not None and self.outcomes:
            self._write_page(self._choice.html)
        if not self._choice.is_stdout_taken:
            self._show_table()

    @property
    def is_stdout_taken(self) -> bool:
        """Whether a program reads standard output, so that no table goes there."""
        return self._choice.is_stdout_taken

    @property
    def _needs_all(self) -> bool:
        return self._choice.html is not None or not self._choice.is_stdout_taken

    def _open_files(self) -> None:
        choice = self._choice
        for path, rows in ((choice.jsonl, JsonLines()), (choice.csv, CsvRows())):
            if path not in (None, STDOUT):
                self._files.append(ResultFile(path, rows, resume=choice.resume))
        if choice.parquet is not None:
            self._files.append(ParquetFile(choice.parquet, resume=choice.resume))

    def _row_streams(self) -> list["_RowStream"]:
        if self._choice.json:
            return [_RowStream(sys.stdout.buffer, lambda outcome: json_line(outcome))]
        rows: RowFormat
        if self._choice.jsonl == STDOUT:
            rows = JsonLines()
        elif self._choice.csv == STDOUT:
            rows = CsvRows()
        else:
            return []
        return [
            _RowStream(
                sys.stdout.buffer,
                lambda outcome: rows.encode(outcome, FileStamp.of(outcome.video)),
                header=rows.header,
            )
        ]

    def _read_earlier(self) -> dict[str, Assessment | Failure]:
        has_lines = self._choice.resume and self._choice.jsonl not in (None, STDOUT)
        return read_outcomes(str(self._choice.jsonl)) if has_lines and self._needs_all else {}

    def _write_page(self, path: str) -> None:
        from finevq.report.page import render_page  # start-up time: Jinja

        page = render_page(self.outcomes, program=f"finevq {finevq.__version__}").encode("utf-8")
        if path == STDOUT:
            sys.stdout.buffer.write(page)
            sys.stdout.buffer.flush()
        else:
            replace_file(path, page)

    def _show_table(self) -> None:
        from finevq.report.table import assessment_panel, overview_table  # start-up time: rich

        console = results_console()
        if len(self._order) > 1:
            if self.outcomes:
                console.print(overview_table(self.outcomes, width=console.width))
            return
        for outcome in self.outcomes:
            if isinstance(outcome, Assessment):
                console.print(assessment_panel(outcome, width=console.width))


@dataclass(slots=True)
class _RowStream:
    """Rows on standard output, each as soon as it is there."""

    stream: BinaryIO
    encode: Callable[[Assessment | Failure], bytes]
    header: bytes = b""
    _has_begun: bool = field(default=False, init=False)

    def write(self, outcome: Assessment | Failure) -> None:
        if not self._has_begun:
            self.stream.write(self.header)
            self._has_begun = True
        self.stream.write(self.encode(outcome))
        self.stream.flush()


def _refuse_media(path: str, videos: Sequence[str]) -> None:
    """Keep `--csv a.mp4 b.mp4`, a forgotten FILE, from overwriting a video."""
    suffix = os.path.splitext(path)[1].lower()
    target = os.path.realpath(path)
    is_input = any(os.path.realpath(video) == target for video in videos)
    if is_input or suffix in VIDEO_SUFFIXES | PICTURE_SUFFIXES:
        raise InvalidInputError(
            f"{path!r} is named as the output but looks like a video; results would overwrite it. "
            f"Name the output's FILE right behind its option: --csv results.csv"
        )
