"""One self-contained HTML page: a full report of one video, or an overview with all the details.

The page loads nothing: style, script and pictures are inside, and its Content-Security-Policy
allows exactly those, by hash. File names and messages are untrusted and escaped by the template.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from finevq.records import Assessment, Failure, Thumbnail
from finevq.report import charts, words
from finevq.report.text import printable_text
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, NO_FAULT, Dimension

_THUMBNAIL_LIMITS = ((20, 8), (200, 3))
"""Up to so many videos on a page, so many thumbnails each; beyond the last, one."""


def render_page(outcomes: Sequence[Assessment | Failure], *, program: str = "finevq") -> str:
    """Return the page of one or many videos, in the order given.

    Args:
        outcomes: At least one.
        program: Who made the page: name and version.

    Raises:
        ValueError: there is none.
    """
    if not outcomes:
        raise ValueError("a report needs at least one outcome")
    style, script = _asset("page.css"), _asset("page.js")
    assessments = [outcome for outcome in outcomes if isinstance(outcome, Assessment)]
    return (
        _environment()
        .from_string(_asset("page.html.jinja"))
        .render(
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            program=program,
            outcomes=outcomes,
            assessments=assessments,
            failures=[outcome for outcome in outcomes if isinstance(outcome, Failure)],
            impacts=_impacts(assessments),
            num_thumbnails=_num_thumbnails(len(assessments)),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        charts=charts,
        words=words,
        dimensions=(Dimension.OVERALL, *FAULT_DIMENSIONS),
        faults=FAULT_DIMENSIONS,
        data_uri=_data_uri,
        is_failure=lambda outcome: isinstance(outcome, Failure),
        spread=_spread,
    )
    environment.filters["printable"] = printable_text
    return environment


def _asset(name: str) -> str:
    return (files("finevq.report") / "assets" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _data_uri(thumbnail: Thumbnail) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail.jpeg).decode('ascii')}"


def _num_thumbnails(num_videos: int) -> int:
    return next((each for most, each in _THUMBNAIL_LIMITS if num_videos <= most), 1)


def _spread(thumbnails: Sequence[Thumbnail], number: int) -> Sequence[Thumbnail]:
    """Return up to `number` thumbnails, evenly over the video, none of them twice."""
    # A short video gives the model some frame more than once; a picture, always the same.
    thumbnails = list({thumbnail.jpeg: thumbnail for thumbnail in thumbnails}.values())
    if len(thumbnails) <= number:
        return thumbnails
    return [thumbnails[(2 * i + 1) * len(thumbnails) // (2 * number)] for i in range(number)]


def _impacts(assessments: Sequence[Assessment]) -> list[tuple[str, int]]:
    """Return how often each dimension hurts most, most often first."""
    counts = {
        name: sum(assessment.most_impactful == name for assessment in assessments)
        for name in (*(d for d in DIMENSIONS if d is not Dimension.OVERALL), NO_FAULT)
    }
    return sorted(
        ((str(name), count) for name, count in counts.items() if count), key=lambda c: -c[1]
    )
