"""Models from the Hugging Face hub: resumed, pinned, checked, or from the cache alone.

The hub's cache stores large files under the SHA-256 that the hub published for them, so what lies
there can be checked at any time, also without a network.
"""

import hashlib
import re
from pathlib import Path

from finevq.errors import CheckpointError, MissingExtraError, ModelNotFoundError

_REPOSITORY = re.compile(r"^[\w.-]+/[\w.-]+$")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_CHECKED_SUFFIX = ".sha256-ok"
_FILES = (
    "*.json",
    "*.safetensors",
    "*.bin",
    "tokenizer.model",
    "adapter/*",
)
"""Never remote code: *.py of a repository is not wanted."""

KNOWN_MODELS = {
    "IntMeGroup/FineVQ_score": "scores (overall), 16 GB",
    "IntMeGroup/FineVQ_QA_yn": "yes/no questions, 16 GB",
    "IntMeGroup/FineVQ_QA_which": "which-questions, 16 GB",
}
"""The official releases, for messages and listings."""


def looks_like_repository(model: str) -> bool:
    """Say whether a model's name has the form of a hub id.

    >>> looks_like_repository("IntMeGroup/FineVQ_score"), looks_like_repository("./folder")
    (True, False)
    """
    return bool(_REPOSITORY.match(model)) and not model.startswith(".")


def fetch(model: str, *, revision: str | None = None, offline: bool = False) -> Path:
    """Bring a hub repository's files here, or find them in the cache.

    An interrupted download goes on where it stopped; progress is shown on stderr.

    Args:
        model: Owner and name. "owner/name@revision" pins a commit, tag or branch.
        revision: The same, apart; wins over the one in `model`.
        offline: Use the cache alone.

    Returns:
        The folder of the snapshot.

    Raises:
        ModelNotFoundError: it is not in the cache and may not be downloaded, or the hub has none;
            says what to download and where to put it.
        CheckpointError: a file differs from what the hub published.
        MissingExtraError: huggingface_hub is not installed.
    """
    try:
        # An optional extra.
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise MissingExtraError("a model from the hub", "torch") from None
    name, _, pinned = model.partition("@")
    revision = revision or pinned or None
    try:
        folder = Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(_FILES), local_files_only=offline
            )
        )
    except RevisionNotFoundError:
        raise ModelNotFoundError(
            f"{name} has no revision {revision!r}; see https://huggingface.co/{name}/commits/main"
        ) from None
    except RepositoryNotFoundError:
        raise ModelNotFoundError(
            f"the hub has no public model {name!r}; known: {', '.join(KNOWN_MODELS)}, "
            "or give a local folder"
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelNotFoundError(_instructions(name, revision, offline, error)) from None
    check_snapshot(folder)
    return folder


def _instructions(name: str, revision: str | None, offline: bool, error: Exception) -> str:
    pin = f" --revision {revision}" if revision else ""
    first = str(error).strip().partition("\n")[0]
    why = "the network may not be used (--offline)" if offline else f"the hub says: {first}"
    return (
        f"{name} is not in the local cache, and {why}. On a machine with a network run\n"
        f"  hf download {name}{pin} --local-dir {name.rpartition('/')[2]}\n"
        "copy that folder here and give its path as --model (config.json, tokenizer.model, "
        "tokenizer_config.json and all model-*.safetensors are needed)"
    )


def check_snapshot(folder: Path) -> None:
    """Compare large files of a snapshot with the SHA-256 under which the hub published them.

    A file that was right once is not read again until it changes.

    Raises:
        CheckpointError: a file is damaged.
    """
    for path in sorted(folder.rglob("*")):
        stored = path.resolve()
        if not path.is_file() or not _SHA256.match(stored.name):
            continue
        mark = stored.with_name(stored.name + _CHECKED_SUFFIX)
        stamp = f"{stored.stat().st_size} {stored.stat().st_mtime_ns}"
        if mark.is_file() and mark.read_text() == stamp:
            continue
        with stored.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != stored.name:
            raise CheckpointError(
                f"{path} is damaged: its SHA-256 is {found}, the hub published {stored.name}; "
                f"delete {stored} and load the model again to download it anew"
            )
        try:
            mark.write_text(stamp)
        except OSError:
            continue  # a shared cache that we may only read: check again next time
