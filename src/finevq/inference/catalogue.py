"""Which models there are to load, and what is known of them without loading."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finevq.errors import CheckpointError
from finevq.inference.loading import NANO, NANO_FOLDER
from finevq.model.folder import DECODER_FILE, read_config


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelListing:
    """One model that `finevq.load` knows by name."""

    name: str
    version: str | None
    """None where it is not installed."""
    summary: str
    location: str
    """Folder of its files."""
    is_installed: bool
    num_bytes: int
    """Of its files; 0 where it is not installed."""
    licence: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return asdict(self)


def list_models() -> tuple[ModelListing, ...]:
    """Return every model with a name of its own, the default first."""
    return (
        _listing(
            NANO,
            NANO_FOLDER,
            summary="the paper's architecture at laptop size; any CPU, no torch, no network",
            licence="Apache-2.0; trained on LIVE Challenge photographs (see NOTICE)",
        ),
    )


def _listing(name: str, folder: Path, *, summary: str, licence: str) -> ModelListing:
    is_installed = (folder / DECODER_FILE).is_file()
    files = [file for file in folder.glob("*") if file.is_file()] if is_installed else []
    return ModelListing(
        name=name,
        version=_version(folder) if is_installed else None,
        summary=summary,
        location=str(folder),
        is_installed=is_installed,
        num_bytes=sum(file.stat().st_size for file in files),
        licence=licence,
    )


def _version(folder: Path) -> str | None:
    try:
        return read_config(folder).version
    except CheckpointError:
        return None  # loading it says what is wrong
