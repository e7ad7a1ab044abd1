"""From a model's name to a `Session`: a preset, a local folder, or a hub id."""

from pathlib import Path

from finevq.errors import ModelNotFoundError
from finevq.inference.onnx_engine import OnnxEngine
from finevq.inference.session import Session
from finevq.model.folder import (
    CONFIG_FILE,
    DECODER_FILE,
    TOKENIZER_FILE,
    read_calibration,
    read_config,
)
from finevq.prompts.prompter import NanoPrompter
from finevq.records import ModelIdentity
from finevq.settings import Settings, load_settings

NANO = "nano"
NANO_FOLDER = Path(__file__).resolve().parent.parent / "model" / "nano"
"""The released weights, in the package."""


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
    config = read_config(folder)
    return Session(
        identity=ModelIdentity(config.name, config.version),
        engine=OnnxEngine(folder, num_threads=settings.model_threads),
        prompter=NanoPrompter.from_file(folder / TOKENIZER_FILE),
        video=config.video,
        calibration=read_calibration(folder),
        free_questions=False,
        settings=settings,
    )
