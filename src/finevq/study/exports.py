"""Votes as files that other tools read: long CSV, sureal's JSON, the P.910 toolkit's CSV.

Nothing personal leaves: subjects are numbers and the questionnaire stays in the database. Free
texts of "other" are part of the ratings; a spreadsheet must not run them, so one that begins like
a formula gets an apostrophe in front.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finevq.study.results import BallotRecord, StudyResults
from finevq.study.votes import VoteTable

FORMULA_STARTS = ("=", "+", "-", "@")
"""Spreadsheets run a cell that begins so. Source: OWASP, CSV Injection."""


def write_export(results: StudyResults, folder: Path) -> list[Path]:
    """Write all exports of a study into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = results.vote_tables()
    paths = [folder / "ratings.csv", folder / "votes.csv"]
    write_ratings(results, paths[0])
    write_long(tables, paths[1])
    for name, table in tables.items():
        paths.append(folder / f"sureal_{name}.json")
        paths[-1].write_text(json.dumps(to_sureal(table, results.name), indent=1) + "\n")
        paths.append(folder / f"p910_{name}.csv")
        write_matrix(table, paths[-1])
    return paths


def write_ratings(results: StudyResults, path: Path) -> None:
    """Write one row per ballot: everything that was said, gold clips included."""
    dimensions = [scale.name for scale in results.definition.dimensions]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["subject", "position", "stimulus", "kind", "seconds", "late", "replays"]
            + [column for d in dimensions for column in (d, f"attributes_{d}", f"other_{d}")]
        )
        for ballot in results.ballots:
            writer.writerow(_ballot_cells(ballot, dimensions))


def write_long(tables: Mapping[str, VoteTable], path: Path) -> None:
    """Write one row per vote, as `finevq study analyze` reads it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stimulus", "reference", "subject", "dimension", "score"])
        for name, table in tables.items():
            for row, column, repetition in np.argwhere(~np.isnan(table.votes)):
                writer.writerow(
                    [
                        table.stimuli[row],
                        table.references[row] if table.references else "",
                        table.subjects[column],
                        name,
                        f"{table.votes[row, column, repetition]:g}",
                    ]
                )


def to_sureal(table: VoteTable, name: str) -> dict[str, Any]:
    """Return a dataset of Netflix/sureal, with subjects as keys and repetitions as lists."""
    references = table.references or table.stimuli
    contents = {reference: index for index, reference in enumerate(dict.fromkeys(references))}
    return {
        "dataset_name": name,
        "ref_videos": [
            {"content_id": index, "content_name": reference, "path": reference}
            for reference, index in contents.items()
        ],
        "dis_videos": [
            {
                "content_id": contents[references[row]],
                "asset_id": row,
                "path": stimulus,
                "os": _opinion_scores(table, row),
            }
            for row, stimulus in enumerate(table.stimuli)
        ],
        "ref_score": table.scale[1] if table.num_votes else None,
    }


def write_matrix(table: VoteTable, path: Path) -> None:
    """Write the bare matrix of the demonstrations of ITU-T P.910 and ITU-R BT.500."""
    with path.open("w", encoding="utf-8") as file:
        for repetition in range(table.votes.shape[2]):
            if repetition:
                file.write(",\n")
            for row in table.votes[:, :, repetition]:
                file.write(",".join("nan" if np.isnan(v) else f"{v:.1f}" for v in row) + "\n")


def without_formula(text: str) -> str:
    """Make a stranger's text harmless in a spreadsheet, on one line.

    >>> print(without_formula("=1+1"))
    '=1+1
    """
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(FORMULA_STARTS) else line


def _opinion_scores(table: VoteTable, row: int) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for column, subject in enumerate(table.subjects):
        votes = table.votes[row, column]
        given = [float(vote) for vote in votes[~np.isnan(votes)]]
        if given:
            scores[subject] = given[0] if len(given) == 1 else given
    return scores


def _ballot_cells(ballot: BallotRecord, dimensions: Sequence[str]) -> list[Any]:
    cells: list[Any] = [
        ballot.subject,
        ballot.position,
        ballot.clip,
        ballot.kind,
        f"{ballot.seconds:.2f}",
        "yes" if ballot.is_late else "no",
        ballot.num_replays,
    ]
    for dimension in dimensions:
        cells += [
            ballot.levels[dimension],
            "|".join(ballot.attributes.get(dimension, ())),
            without_formula(ballot.other.get(dimension, "")),
        ]
    return cells
