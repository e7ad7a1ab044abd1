"""The two consoles: results on stdout, everything else on stderr."""

import shutil

from rich.console import Console

from finevq.report.text import printable_text

_FILE_COLUMNS = 200
"""Width for files and pipes, where nothing needs to be folded."""


def results_console() -> Console:
    """Return the console for tables: as wide as the terminal or COLUMNS, else wide enough."""
    width, _ = shutil.get_terminal_size((_FILE_COLUMNS, 25))
    return Console(highlight=False, width=width)


def message_console() -> Console:
    """Return the console for progress, notes and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show_error(message: str) -> None:
    """Print an error for people; names in it can neither format nor control the terminal."""
    lines = "\n".join(printable_text(line) for line in message.split("\n"))
    console = message_console()
    console.print("error:", style="bold red", end=" ")
    console.print(lines, markup=False)


def show_note(message: str) -> None:
    """Print something worth knowing."""
    message_console().print(printable_text(message), markup=False, style="dim")
