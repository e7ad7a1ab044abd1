"""From a model's name to a `Session`: a preset, a local folder, or a hub id."""

import json
from pathlib import Path
from typing import Any

from finevq.errors import CheckpointError, ModelNotFoundError
from finevq.inference.calibration import CALIBRATION_FILE, Calibration
from finevq.inference.onnx_engine import DECODER_FILE, OnnxEngine
from finevq.inference.session import Session
from finevq.model.config import ModelConfig
from finevq.prompts.prompter import NanoPrompter
from finevq.records import ModelIdentity
from finevq.settings import Settings, load_settings

NANO = "nano"
NANO_FOLDER = Path(__file__).resolve().parent.parent / "model" / "nano"
"""The released weights, in the package."""

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"


def load(model: str = NANO, *, settings: Settings | None = None) -> Session:
    """Load a model once, for many videos.

    Args:
        model: "nano" (in the package) or a folder of an exported model.
        settings: Limits and folders; read from the environment where None.

    Raises:
        ModelNotFoundError: there is no such model.
        CheckpointError: its files are damaged or do not fit together.
    """
    settings = settings or load_settings()
    folder = NANO_FOLDER if model == NANO else Path(model)
    if not (folder / DECODER_FILE).is_file():
        raise ModelNotFoundError(
            f"no model {model!r}: give {NANO!r}, which is in the package, or a folder with "
            f"{CONFIG_FILE}, {TOKENIZER_FILE} and {DECODER_FILE}"
        )
    config = ModelConfig.from_dict(_read_json(folder / CONFIG_FILE))
    return Session(
        identity=ModelIdentity(config.name, config.version),
        engine=OnnxEngine(folder, num_threads=settings.model_threads),
        prompter=NanoPrompter.from_file(folder / TOKENIZER_FILE),
        video=config.video,
        calibration=Calibration.from_file(folder / CALIBRATION_FILE),
        free_questions=False,
        settings=settings,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return values
