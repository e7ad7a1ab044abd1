"""Fill the HTML pages; every value is escaped."""

import time
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = when
    return environment


def render(page: str, **values: object) -> str:
    """Return a page of `pages/` as HTML."""
    return _environment().get_template(page).render(**values)


def when(seconds: float | None) -> str:
    """Return a time as text, in UTC; an empty string for None."""
    if seconds is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds)) + " UTC"
