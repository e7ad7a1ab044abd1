"""From a model's name to a `Session`: a preset, a local folder, or a hub id."""

from pathlib import Path
from typing import Literal

from finevq.errors import MissingExtraError, ModelNotFoundError
from finevq.inference import hub
from finevq.inference.onnx_engine import OnnxEngine
from finevq.inference.session import Session
from finevq.model.folder import (
    CONFIG_FILE,
    DECODER_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    check_exported,
    read_calibration,
    read_config,
)
from finevq.prompts.prompter import NanoPrompter
from finevq.records import ModelIdentity
from finevq.settings import Settings, load_settings

NANO = "nano"
NANO_FOLDER = Path(__file__).resolve().parent.parent / "model" / "nano"
"""The released weights, in the package."""


def load(
    model: str = NANO,
    *,
    settings: Settings | None = None,
    revision: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    quantization: str | None = None,
    compat: Literal["none", "official"] | None = None,
) -> Session:
    """Load a model once, for many videos.

    Args:
        model: "nano" (in the package), a folder (an exported, converted or official model), or a
            hub id such as "IntMeGroup/FineVQ_score", which "@revision" may follow.
        settings: Limits and folders; read from the environment where None.
        revision: Commit, tag or branch of a hub id.
        device: Of a whole model, not of an exported one; as in `Settings`, which serves where None.
        dtype: Likewise.
        quantization: Likewise.
        compat: official reads the score where the official code does, to the letter; None: as the
            folder says.

    Raises:
        ModelNotFoundError: there is no such model; says what to download and where to put it.
        CheckpointError: its files are damaged or do not fit together.
        ConfigError: a device or number type that cannot be had.
        MissingExtraError: a whole model needs torch, which is not installed.
    """
    settings = settings or load_settings()
    folder = find_folder(model, settings, revision=revision)
    if (folder / DECODER_FILE).is_file():
        return _load_exported(folder, settings)
    if not (folder / CONFIG_FILE).is_file():
        raise ModelNotFoundError(
            f"no model {model!r}: give {NANO!r}, which is in the package; a folder with "
            f"{CONFIG_FILE}, {TOKENIZER_FILE} and {DECODER_FILE} (exported) or {WEIGHTS_FILE} "
            f"(whole); or a hub id, such as {', '.join(hub.KNOWN_MODELS)}"
        )
    try:
        # An optional extra: the light core runs without torch.
        from finevq.inference.torch_loading import TorchOptions, load_torch_session
    except ImportError as error:
        raise MissingExtraError(f"the model {model!r} ({error.name})", "torch") from error
    options = TorchOptions(
        device=settings.device if device is None else device,
        dtype=settings.dtype if dtype is None else dtype,
        quantization=settings.quantization if quantization is None else quantization,
        compat=compat,
    )
    return load_torch_session(folder, settings=settings, options=options)


def find_folder(model: str, settings: Settings, *, revision: str | None = None) -> Path:
    """Return the folder of a model's files, fetched where it is on the hub; it may not exist.

    Args:
        model: A preset, a folder or a hub id, as in `load`.
        settings: Whether the network may be used.
        revision: Commit, tag or branch of a hub id.
    """
    folder = NANO_FOLDER if model == NANO else Path(model)
    if not folder.is_dir() and hub.looks_like_repository(model.partition("@")[0]):
        folder = hub.fetch(model, revision=revision, offline=settings.offline)
    return folder


def _load_exported(folder: Path, settings: Settings) -> Session:
    config = read_config(folder)
    check_exported(folder)
    return Session(
        identity=ModelIdentity(config.name, config.version),
        engine=OnnxEngine(
            folder, num_threads=settings.model_threads, opinion_share=config.opinion_share
        ),
        prompter=NanoPrompter.from_file(folder / TOKENIZER_FILE),
        video=config.video,
        calibration=read_calibration(folder),
        free_questions=False,
        fault_fall=config.fault_fall,
        halo=config.halo,
        settings=settings,
    )
