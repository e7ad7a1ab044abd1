"""The `finevq` command: joins the command groups; the one place where errors become exit codes.

Exit codes: 0 done; 1 some video or the command failed; 2 the call itself was wrong.
Results go to stdout, progress and messages to stderr.
"""

import contextlib
import io
import logging
import os
import sys
from typing import Annotated

import typer

import finevq
from finevq.cli import ask, assess, data, evaluate, info, models, train
from finevq.cli.console import show_error
from finevq.errors import FineVQError

app = typer.Typer(
    name="finevq",
    help="How good is this video, and what is wrong with it?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"finevq {finevq.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


# --- command groups, one line each: `from finevq.cli import x; x.register(app)` ---
assess.register(app)
ask.register(app)
info.register(app)
models.register(app)
data.register(app)
train.register(app)
evaluate.register(app)


def run() -> None:
    """Run the command line and exit with its code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show
    try:
        app()
    except FineVQError as error:
        show_error(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # Standard output itself: closed by `| head`, or a full disk behind `>`.
        _abandon_stdout()
        if not isinstance(error, BrokenPipeError):
            where = repr(error.filename) if error.filename else "standard output"
            show_error(f"{where}: {error.strerror or error}")
        sys.exit(1)


def _abandon_stdout() -> None:
    """Point standard output nowhere, so that its flush at exit does not fail once more."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
