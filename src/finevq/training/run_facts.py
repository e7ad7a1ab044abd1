"""What a run was made of: data with a fingerprint, versions, the commit of the code."""

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import finevq
from finevq.training.floors import constant_floors
from finevq.training.records import InstructionRecord
from finevq.training.samples import Split

RUN_FILE = "run.json"
_PACKAGES = ("torch", "transformers", "peft")


def write_run_facts(
    records: Mapping[Split, Sequence[InstructionRecord]], folder: Path
) -> dict[str, Any]:
    """Write run.json into the folder of a run; return what it says.

    Args:
        records: Of each split that the run uses.
        folder: Of the run.
    """
    facts: dict[str, Any] = {
        "data": {split: data_facts(part) for split, part in records.items()},
        "floors": constant_floors(records.get("train", ()), records.get("validation", ())),
        "code": {
            "finevq": finevq.__version__,
            "commit": code_commit(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
    }
    (folder / RUN_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return facts


def data_facts(records: Sequence[InstructionRecord]) -> dict[str, Any]:
    """Count records, videos, sources and tasks, and name their content by a hash.

    The hash covers ids, answers and scores, not where the videos lie.
    """
    tasks: dict[str, int] = {}
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.id):
        tasks[record.task] = tasks.get(record.task, 0) + 1
        scores = {str(dimension): score for dimension, score in sorted(record.scores.items())}
        digest.update(json.dumps([record.id, record.answer, scores]).encode())
    return {
        "records": len(records),
        "videos": len({record.video for record in records}),
        "sources": len({record.group for record in records}),
        "tasks": dict(sorted(tasks.items())),
        "hash": digest.hexdigest()[:16],
    }


def code_commit() -> str | None:
    """Return the commit that this package is checked out from, "+" behind it where files differ.

    None where the package is installed and not a checkout.
    """
    package = Path(finevq.__file__).resolve()
    try:
        # A package folder may lie inside somebody else's repository, which does not track it.
        _git(package.parent, "ls-files", "--error-unmatch", package.name)
        commit = _git(package.parent, "rev-parse", "HEAD")
        changes = _git(package.parent, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+" if changes else commit


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
