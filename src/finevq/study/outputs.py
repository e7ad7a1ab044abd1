"""Where votes come from and where an analysis goes: files or a study's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finevq.errors import MissingExtraError, StudyError
from finevq.study.analysis import Analysis
from finevq.study.vote_files import read_votes
from finevq.study.votes import VoteTable

if TYPE_CHECKING:
    from finevq.study.results import StudyResults


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedVotes:
    """Votes and, where they come from a study, the rest of it."""

    name: str
    tables: Mapping[str, VoteTable]
    results: "StudyResults | None" = None


def load_votes(path: Path) -> LoadedVotes:
    """Load votes of a file, or of a study's folder.

    Raises:
        DatasetError: the file cannot be read.
        StudyError: the folder is no study, or has no votes yet.
        MissingExtraError: a study's database needs the extra `study`.
    """
    if not path.is_dir():
        return LoadedVotes(name=path.stem, tables=read_votes(path))
    try:
        from finevq.study.folder import open_study  # extra `study`
        from finevq.study.results import read_results
    except ImportError:
        raise MissingExtraError("reading a study's database", "study") from None
    store = open_study(path)
    try:
        results = read_results(store)
    finally:
        store.close()
    tables = results.vote_tables()
    if not any(table.num_votes for table in tables.values()):
        raise StudyError(f"the study {results.name} has no votes yet")
    return LoadedVotes(name=results.name, tables=tables, results=results)


def write_outputs(
    loaded: LoadedVotes,
    analyses: Mapping[str, Analysis],
    *,
    html: Path | None = None,
    labels: Path | None = None,
) -> None:
    """Write the report and the label file that are wanted.

    Raises:
        StudyError: labels are wanted of votes without the paper's dimensions.
    """
    if html is None and labels is None:
        return
    from finevq.study.labels import labels_of_votes, make_labels, write_labels

    made = (
        make_labels(loaded.results, analyses)
        if loaded.results is not None
        else labels_of_votes(analyses)
    )
    if labels is not None:
        if not made:
            raise StudyError(
                "labels need votes in at least one of the paper's dimensions; "
                f"these are {', '.join(analyses)}"
            )
        write_labels(made, labels)
    if html is not None:
        from finevq.study.report import render_report  # jinja2: start-up time

        categories = {c.name: c.category for c in loaded.results.clips} if loaded.results else {}
        text = render_report(
            analyses,
            title=loaded.name,
            categories=categories,
            labels=made if loaded.results is not None else (),
        )
        html.write_text(text, encoding="utf-8")
