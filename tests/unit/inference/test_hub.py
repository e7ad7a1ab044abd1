import hashlib
from pathlib import Path

import pytest

from finevq.errors import CheckpointError, ModelNotFoundError
from finevq.inference import hub


def snapshot(folder: Path, data: bytes) -> Path:
    """Lay out a cached file as the hub's cache does: a link to a blob named by its SHA-256."""
    blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)
    commit = folder / "snapshots" / "abc"
    commit.mkdir(parents=True)
    (commit / "model.safetensors").symlink_to(blob)
    return commit


def test_offline_says_what_to_download_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFoundError) as caught:
        hub.fetch("IntMeGroup/FineVQ_score@v1", offline=True)
    message = str(caught.value)
    assert "hf download IntMeGroup/FineVQ_score --revision v1 --local-dir FineVQ_score" in message
    assert "--model" in message
    assert "tokenizer.model" in message


def test_a_snapshot_that_is_whole_passes_and_is_not_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = snapshot(tmp_path, b"weights")
    hub.check_snapshot(folder)
    monkeypatch.setattr(hashlib, "file_digest", None)
    hub.check_snapshot(folder)


def test_a_damaged_file_is_found_also_after_a_check(tmp_path: Path) -> None:
    folder = snapshot(tmp_path, b"weights")
    hub.check_snapshot(folder)
    (folder / "model.safetensors").resolve().write_bytes(b"weightz!")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged: its SHA-256 is"):
        hub.check_snapshot(folder)


@pytest.mark.parametrize(
    ("name", "is_repository"),
    [("IntMeGroup/FineVQ_score", True), ("nano", False), ("../x", False), ("a/b/c", False)],
)
def test_hub_ids_are_told_from_folders(name: str, is_repository: bool) -> None:
    assert hub.looks_like_repository(name) is is_repository
