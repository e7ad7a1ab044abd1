"""A model folder: which files it holds and how the small ones are read and written.

Weights, configuration, tokenizer and calibration never travel apart.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finevq.errors import CheckpointError
from finevq.model.config import ModelConfig
from finevq.records import Calibration
from finevq.vocabulary import NAMES

CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
CALIBRATION_FILE = "calibration.json"
WEIGHTS_FILE = "model.safetensors"
VIDEO_ENCODER_FILE = "video_encoder.onnx"
DECODER_FILE = "decoder.onnx"
METRICS_FILE = "metrics.json"
CARD_FILE = "README.md"
CARD_PICTURES = "card"
CHECKSUMS_FILE = "SHA256SUMS"


def read_config(folder: Path) -> ModelConfig:
    """Read the architecture.

    Raises:
        CheckpointError: the file is missing, damaged or of another version.
    """
    config = ModelConfig.from_dict(read_json(folder / CONFIG_FILE))
    if config.prompt == "nano" and config.num_named_tokens != len(NAMES):
        raise CheckpointError(
            f"{folder} holds nano {config.version} with {config.num_named_tokens} named tokens, "
            f"but this version asks with {len(NAMES)}: use the version of finevq that trained it, "
            "or train it further with: finevq train nano --config RECIPE --output FOLDER "
            f"--set start={folder}"
        )
    return config


def write_config(config: ModelConfig, folder: Path) -> None:
    """Write the architecture."""
    _write(config.to_dict(), folder / CONFIG_FILE)


def read_calibration(folder: Path) -> Calibration:
    """Read the calibration; a model without one is used as it is.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / CALIBRATION_FILE
    if not path.exists():
        return Calibration()
    values = read_json(path)
    try:
        return Calibration(
            temperatures={name: float(value) for name, value in values["temperatures"].items()},
            thresholds={name: float(value) for name, value in values["thresholds"].items()},
        )
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a calibration: {error!r}") from None


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """Write the calibration."""
    _write(asdict(calibration), folder / CALIBRATION_FILE)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} should hold a JSON object, not {type(values).__name__}")
    return values


def write_checksums(names: Sequence[str], folder: Path) -> None:
    """Write the SHA-256 of some of a folder's files, as `sha256sum --check` reads them.

    Args:
        names: Paths below the folder.
        folder: Where they are, and where `CHECKSUMS_FILE` goes.
    """
    lines = [f"{_digest(folder / name)}  {name}\n" for name in names]
    (folder / CHECKSUMS_FILE).write_text("".join(lines), encoding="utf-8")


def check_exported(folder: Path) -> None:
    """Check that weights and graphs are those that were exported together.

    The graphs name places in the file of weights: another one, of a copy that was cut off or of
    another version, would still be read, as noise. A folder without checksums is taken as it is.

    Raises:
        CheckpointError: a file is missing, or is not the one that was exported.
    """
    path = folder / CHECKSUMS_FILE
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if name not in {WEIGHTS_FILE, VIDEO_ENCODER_FILE, DECODER_FILE}:
            continue
        try:
            found = _digest(folder / name)
        except OSError as error:
            raise CheckpointError(f"{folder / name} cannot be read: {error}") from None
        if found != digest:
            raise CheckpointError(
                f"{folder / name} is not the file that was exported with the others: its SHA-256 "
                f"is {found}, and {CHECKSUMS_FILE} says {digest}; copy the whole folder again, or "
                "export it again"
            )


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(values: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
