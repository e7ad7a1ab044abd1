"""The `finevq` command: joins the command groups; the one place where errors become exit codes.

Exit codes: 0 done; 1 some video or the command failed; 2 the call itself was wrong.
Results go to stdout, progress and messages to stderr.
"""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import finevq
from finevq.cli import study
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
study.register(app)


def run() -> None:
    """Run the command line and exit with its code."""
    try:
        app()
    except FineVQError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
