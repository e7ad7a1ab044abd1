"""The only reader of the environment: limits, folders and switches in one frozen object.

Every variable is named FINEVQ_<FIELD IN CAPITALS>; a value that does not parse is a `ConfigError`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from finevq.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the machine's owner decides, not the caller."""

    cache_dir: Path = Path("~/.cache/finevq")
    """Where downloads and decoded inputs are kept."""
    offline: bool = False
    """Never use the network, whatever is asked for."""
    max_frame_pixels: int = 8192 * 4320
    """Width x height above which a file is refused before decoding."""
    max_file_bytes: int = 64 * 2**30
    """File size above which a file is refused."""
    max_duration_seconds: float = 12 * 3600.0
    """Duration above which a file is refused."""
    max_frames: int = 3_000_000
    """Number of frames above which a file is refused."""
    decode_timeout_seconds: float = 300.0
    """Wall time of decoding one video, after which it fails."""
    isolate_decoder: bool = True
    """Decode in another process, which may crash or hang without harm."""
    decode_threads: int = 0
    """Decoder threads of one video; 0 lets the decoder choose."""
    model_threads: int = 0
    """ONNX Runtime threads; 0 means one per core."""


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Build settings from FINEVQ_* variables.

    Args:
        environment: Variables to read; those of the process where None.

    Raises:
        ConfigError: a variable's value does not parse.
    """
    variables = os.environ if environment is None else environment
    defaults = Settings()
    values: dict[str, object] = {}
    for spec in fields(Settings):
        name = f"FINEVQ_{spec.name.upper()}"
        if text := variables.get(name, ""):
            values[spec.name] = _parse(name, text, type(getattr(defaults, spec.name)))
    return Settings(**values)  # type: ignore[arg-type]  # parsed by each field's own type


def _parse(name: str, text: str, kind: type[bool | Path | int | float]) -> object:
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.lower()
            ]
        if issubclass(kind, Path):
            return Path(text)
        number = kind(text)
    except (KeyError, ValueError):
        allowed = "true or false" if kind is bool else f"a value of type {kind.__name__}"
        raise ConfigError(f"{name}={text!r} is not {allowed}") from None
    if number < 0:
        raise ConfigError(f"{name}={text!r} must not be negative")
    return number
