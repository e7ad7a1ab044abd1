"""A study's folder: `study.json` (name, database), the playable clips, and the SQLite file.

Creating one measures every clip, makes what browsers cannot play playable, and fills the database.
"""

import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finevq.errors import StudyError
from finevq.settings import Settings
from finevq.study.definition import (
    ClipSpec,
    Role,
    ViewingConditions,
    build_definition,
    list_clips,
)
from finevq.study.media import ClipFacts, make_playable, measure_clip
from finevq.study.ordering import check_sources
from finevq.study.store import Store

_log = logging.getLogger(__name__)

FOLDER_FILE = "study.json"
DATABASE_FILE = "study.db"


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatedClip:
    """What became of one clip."""

    name: str
    how: str
    """copied, remuxed or transcoded."""
    psnr_db: float | None
    warning: str = ""
    """What the experimenter should know of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatedStudy:
    """A new study."""

    folder: Path
    password: str
    """Of the experimenter's pages; only its hash is kept."""
    clips: tuple[CreatedClip, ...]


def create_study(
    folder: Path,
    videos: Path,
    values: dict[str, Any],
    settings: Settings,
    *,
    database: str | None = None,
    password: str | None = None,
    on_clip: Callable[[CreatedClip], None] = lambda clip: None,
) -> CreatedStudy:
    """Create a study's folder and database.

    Args:
        folder: New folder; its name is the study's name.
        videos: Folder of videos, or manifest.
        values: Plain values of study.yaml.
        settings: Limits of decoding.
        database: SQLAlchemy URL; SQLite in the folder where None.
        password: Of the experimenter's pages; random where None.
        on_clip: Called after each clip, for progress.

    Raises:
        StudyError: the folder exists, or the clips cannot be ordered.
        FineVQError: whatever is wrong with the definition or a clip.
    """
    if folder.exists():
        raise StudyError(f"{folder} exists; choose a new name, or remove it first")
    definition = build_definition(values)
    specs = list_clips(videos, definition)
    check_sources([spec.source for spec in specs if spec.role != Role.TRAINING])
    secret = password or secrets.token_urlsafe(9)
    # Questionnaires are personal: the folder is its owner's alone.
    folder.mkdir(mode=0o700, parents=True)
    try:
        rows, created = _prepare_clips(folder, specs, definition.viewing, settings, on_clip)
        description = {"name": folder.name, "database": database}
        _write_private(folder / FOLDER_FILE, json.dumps(description, indent=2) + "\n")
        store = Store(_url(folder, database), folder.name)
        try:
            store.create(values, rows, secret)
        finally:
            store.close()
    except BaseException:
        shutil.rmtree(folder)  # half a study is none, and would stand in the way of the next try
        raise
    return CreatedStudy(folder=folder, password=secret, clips=tuple(created))


def open_study(folder: Path) -> Store:
    """Open the database of a study's folder; one of an earlier finevq is brought up to date.

    Raises:
        StudyError: the folder is no study, or its database cannot be used.
    """
    try:
        description = json.loads((folder / FOLDER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise StudyError(
            f"{folder} is no study (no {FOLDER_FILE}); make one with finevq study create"
        ) from None
    if description["database"] is None and not (folder / DATABASE_FILE).is_file():
        raise StudyError(
            f"{folder} has lost its database; copy a backup there as {DATABASE_FILE} "
            "(finevq study backup makes them)"
        )
    store = Store(_url(folder, description["database"]), description["name"])
    try:
        upgrade = store.bring_up_to_date(folder)
    except BaseException:
        store.close()
        raise
    if upgrade is not None:
        _log.warning(
            "the database was brought from version %d to %d; as it was before: %s",
            upgrade.before,
            upgrade.after,
            upgrade.backup,
        )
    return store


def read_secret(path: Path) -> str:
    """Return the password or key that a file holds, without the space around it.

    Raises:
        StudyError: the file cannot be read, or holds nothing.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} cannot be read: {error}") from None
    if not secret:
        raise StudyError(f"{path} is empty; write the password or key into it")
    return secret


def _prepare_clips(
    folder: Path,
    specs: Sequence[ClipSpec],
    viewing: ViewingConditions,
    settings: Settings,
    on_clip: Callable[[CreatedClip], None],
) -> tuple[list[dict[str, Any]], list[CreatedClip]]:
    rows, created = [], []
    for number, spec in enumerate(specs, start=1):
        facts = measure_clip(spec.path, settings)
        # Numbered, so that a file's name tells subjects nothing.
        copy = make_playable(spec.path, facts, folder / "clips" / f"{number:05d}")
        rows.append(
            {
                "name": spec.name,
                "source": spec.source,
                "role": str(spec.role),
                "category": spec.category,
                "file": copy.path.relative_to(folder).as_posix(),
                "facts": facts.to_dict() | {"copy": copy.how, "copy_psnr_db": copy.psnr_db},
                "answers": {name: list(levels) for name, levels in spec.answers.items()},
                "note": spec.note,
            }
        )
        created.append(
            CreatedClip(
                name=spec.name,
                how=copy.how,
                psnr_db=copy.psnr_db,
                warning=_warn_of_size(facts, viewing),
            )
        )
        on_clip(created[-1])
    return rows, created


def _warn_of_size(facts: ClipFacts, viewing: ViewingConditions) -> str:
    if facts.width <= viewing.width_pixels and facts.height <= viewing.height_pixels:
        return ""
    return (
        f"{facts.width}x{facts.height} is larger than the screen that study.yaml asks for "
        f"({viewing.width_pixels}x{viewing.height_pixels}), so smaller screens scale it down"
    )


def _url(folder: Path, database: str | None) -> str:
    return database or f"sqlite:///{(folder / DATABASE_FILE).resolve()}"


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads: a database URL may hold a password."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
