"""An official checkpoint as a stream of our tensors, with every key accounted for.

Nothing here opens a file: weights come from a `WeightSource`, so the same path serves folders,
manifests on the meta device and tests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from finevq.errors import CheckpointError
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.lora import LoraRanks
from finevq.model.official_keys import OfficialKey, Role, parse_key, pieces_of, reason_unused

LORA_SCALE = 2.0
"""alpha / r. Source: the official code wraps with lora_alpha = 2 r."""
_SHOWN = 8
_PART = 2**24
_ROWS = 1024


class WeightSource(Protocol):
    """Named tensors that can be read one by one."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Names and shapes, in the order in which reading is cheapest."""

    def read(self, name: str) -> Tensor:
        """Read one tensor into memory of its own, which the caller may change."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What became of every name on both sides; nothing is silent."""

    loaded: tuple[str, ...]
    """Official names that fill the model."""
    unused: tuple[tuple[str, str], ...]
    """Official names that the function does not need, each with the reason."""
    unexpected: tuple[str, ...]
    """Official names that nobody knows."""
    missing: tuple[str, ...]
    """Our names that nothing fills."""
    mismatched: tuple[str, ...]
    """Name, found shape and needed shape, in words."""

    @property
    def is_complete(self) -> bool:
        """Whether the checkpoint fills the model exactly."""
        return not (self.unexpected or self.missing or self.mismatched)

    def summary(self) -> str:
        """Return one line a kind that is not empty."""
        lines = [f"{len(self.loaded)} keys loaded"]
        for reason in sorted({reason for _, reason in self.unused}):
            names = [name for name, why in self.unused if why == reason]
            lines.append(f"{len(names)} unused ({reason}): {_listing(names)}")
        kinds = ((kind, getattr(self, kind)) for kind in ("unexpected", "missing", "mismatched"))
        lines += [f"{len(names)} {kind}: {_listing(names)}" for kind, names in kinds if names]
        return "\n".join(lines)


def _listing(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


class OfficialCheckpoint:
    """The weights of one official model, read as ours.

    Args:
        source: Official names and tensors.
        config: Of the model to fill. Motion branch and score head must already be as the
            checkpoint has them; see `describe`.
        adapters: Further LoRA tensors (lora_weights.pth) that replace those of `source`.
    """

    def __init__(
        self,
        source: WeightSource,
        config: ModelConfig,
        adapters: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.config = config
        self._source = source
        self._adapters = dict(adapters or {})
        shapes = {name: tuple(value.shape) for name, value in self._adapters.items()}
        self._shapes = {**source.shapes, **shapes}
        self._keys = {name: parse_key(name) for name in self._shapes}

    @cached_property
    def ranks(self) -> LoraRanks:
        """LoRA ranks, as the tensors' shapes say."""
        found = {"vision_model": 0, "language_model": 0}
        for name, key in self._keys.items():
            part = key.module.partition(".")[0]
            if key.role == "lora_A" and part in found:
                found[part] = self._shapes[name][0]
        return LoraRanks(image=found["vision_model"], language=found["language_model"])

    @cached_property
    def report(self) -> KeyReport:
        """Account for every key by name and shape, on the meta device; reads no weights."""
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in _wanted(self.config).items()}
        loaded, unused, unexpected, mismatched = [], [], [], []
        filled: set[str] = set()
        for name, key in self._keys.items():
            if reason := reason_unused(key.module, self.config):
                unused.append((name, reason))
                continue
            pieces = pieces_of(key.module, self.config)
            ours = [_our_name(key, piece.name) for piece in pieces]
            base = [_base_name(key, piece.name) for piece in pieces]
            if not pieces or any(target not in wanted for target in base):
                unexpected.append(name)
                continue
            problem = self._shape_problem(name, key, wanted)
            if problem:
                mismatched.append(problem)
                continue
            loaded.append(name)
            filled.update(ours)
        missing = [name for name in wanted if name not in filled]
        missing += self._unpaired_adapters()
        return KeyReport(
            tuple(loaded), tuple(unused), tuple(unexpected), tuple(missing), tuple(mismatched)
        )

    def _shape_problem(
        self, name: str, key: OfficialKey, wanted: Mapping[str, tuple[int, ...]]
    ) -> str | None:
        whole = torch.empty(self._shapes[name], device="meta")
        for piece in pieces_of(key.module, self.config):
            needed = wanted[_base_name(key, piece.name)]
            try:
                found = tuple(whole.shape if key.role == "lora_A" else piece.take(whole).shape)
            except (RuntimeError, IndexError):
                found = tuple(whole.shape)
            if key.role != "base":
                rank = self.ranks.of(key.module)
                needed = (rank, needed[1]) if key.role == "lora_A" else (needed[0], rank)
            if found != needed:
                return f"{name}: {found} found, {needed} needed for {piece.name}"
        return None

    def _unpaired_adapters(self) -> list[str]:
        roles: dict[str, set[str]] = {}
        for key in self._keys.values():
            if key.role != "base":
                roles.setdefault(key.module, set()).add(key.role)
        return [
            f"{module}.{role}"
            for module, found in roles.items()
            for role in ("lora_A", "lora_B")
            if role not in found
        ]

    def check(self) -> None:
        """Raise unless the checkpoint fills the model exactly.

        Raises:
            CheckpointError: keys are missing, unexpected or of another shape.
        """
        if not self.report.is_complete:
            raise CheckpointError(
                "the checkpoint does not fit the model that its config.json describes:\n"
                + self.report.summary()
            )

    def tensors(self, *, merge: bool) -> Iterator[tuple[str, Tensor]]:
        """Read our tensors one by one, in the order of the files.

        Args:
            merge: Add LoRA to the weights it adapts. Otherwise adapters follow at the end, named
                as peft names them inside our modules (`...q_proj.lora_A.default.weight`).

        Raises:
            CheckpointError: keys do not fit, or a tensor holds NaN or infinity.
        """
        self.check()
        used = set(self.report.loaded)
        # Adapters are small (0.3 % of the 8b); they are needed while base weights stream by.
        adapters: dict[tuple[str, Role], Tensor] = {
            (key.module, key.role): self._read(name)
            for name, key in self._keys.items()
            if name in used and key.role != "base"
        }
        for name, key in self._keys.items():
            if name not in used or key.role != "base":
                continue
            tensor = self._read(name)
            if merge and key.leaf == "weight" and (key.module, "lora_A") in adapters:
                tensor = _merged(
                    tensor, adapters[key.module, "lora_A"], adapters[key.module, "lora_B"]
                )
            for piece in pieces_of(key.module, self.config):
                yield _our_name(key, piece.name), piece.take(tensor)
        if not merge:
            yield from self._adapter_tensors(adapters)

    def _adapter_tensors(
        self, adapters: Mapping[tuple[str, Role], Tensor]
    ) -> Iterator[tuple[str, Tensor]]:
        for (module, role), tensor in adapters.items():
            for piece in pieces_of(module, self.config):
                # The outputs of a fused layer are its rows: they share lora_A and split lora_B.
                part = tensor if role == "lora_A" else piece.take(tensor)
                yield f"{piece.name}.{role}.default.weight", part.clone()

    def _read(self, name: str) -> Tensor:
        tensor = self._adapters[name] if name in self._adapters else self._source.read(name)
        require_finite(name, tensor)
        return tensor


def describe(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]]) -> ModelConfig:
    """Adjust a configuration to the parts that a checkpoint has.

    Stage-1 and question-answering checkpoints have no score head, and the latter never use their
    motion branch. A question-answering checkpoint cannot be told from stage 1 by its names alone
    unless the language model alone is adapted, so `config` decides where it says "none".
    """
    keys = [parse_key(name) for name in shapes]
    has_score = any(key.module == "mlpscore.fc1" for key in keys)
    adapted = {key.module.partition(".")[0] for key in keys if key.role == "lora_A"}
    answers_only = not has_score and adapted == {"language_model"}
    video = replace(config.video, motion="none") if answers_only else config.video
    return replace(config, has_score_head=has_score, video=video)


def require_finite(name: str, tensor: Tensor) -> None:
    """Raise where a tensor holds NaN or infinity.

    Raises:
        CheckpointError: it does; names the tensor and counts the values.
    """
    if not tensor.is_floating_point():
        return
    # Part by part: masks of a whole embedding table would be as large as a layer.
    parts = tensor.flatten().split(_PART)
    if count := sum(len(part) - int(torch.isfinite(part).sum()) for part in parts):
        raise CheckpointError(
            f"{name} holds {count} values that are NaN or infinite: the file is damaged or the "
            "training diverged; download it again or use an earlier checkpoint"
        )


def _wanted(config: ModelConfig) -> Mapping[str, Tensor]:
    return FineVQ(config).state_dict()


def _base_name(key: OfficialKey, module: str) -> str:
    return f"{module}.{key.leaf}" if key.leaf else module


def _our_name(key: OfficialKey, module: str) -> str:
    if key.role != "base":
        return f"{module}.{key.role}.default.weight"
    return _base_name(key, module)


def _merged(weight: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """Return W + alpha / r * B A in place of W, computed in float32, some rows at a time."""
    down = down.float()
    for start in range(0, len(weight), _ROWS):
        rows = slice(start, start + _ROWS)
        weight[rows] = torch.addmm(weight[rows].float(), up[rows].float(), down, alpha=LORA_SCALE)
    return weight
