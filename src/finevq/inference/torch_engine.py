"""The engine of whole models: torch, on a CPU or a GPU.

The video's keys and values are computed once. Questions are packed behind them into one sequence in
which each question sees the video and itself alone, so that nothing of the prefix is copied and no
token is read twice.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from finevq.inference.engine import Direct, Prefix, Reading
from finevq.model.finevq import FineVQ
from finevq.video.inputs import Pixels

MOTION_WINDOW = 256
"""Motion frames that go through the motion encoder at once; see `MotionEncoder.forward_windows`."""

_PACK_TOKENS = 1024
"""Question tokens read at once: bounds the attention mask."""


class TorchEngine:
    """Runs a model; see `finevq.inference.engine.Engine`.

    Args:
        model: On its device, in its dtype, in evaluation mode.
        prefix_ids: The template's tokens before every question, given the number of visual tokens.
        motion_window: Motion frames read at once; more is faster on long videos, less needs less
            memory. The result is the same up to rounding.
    """

    def __init__(
        self,
        model: FineVQ,
        prefix_ids: Callable[[int], list[int]],
        *,
        motion_window: int = MOTION_WINDOW,
    ) -> None:
        self.model = model
        self._prefix_ids = prefix_ids
        self._motion_window = motion_window
        weight: Tensor = model.language_model.model.norm.weight  # never quantized
        self._device: torch.device = weight.device
        self._dtype: torch.dtype = weight.dtype

    @torch.inference_mode()
    def read_video(self, pixels: Pixels) -> Prefix:
        """Read a video once; see `Engine`."""
        model = self.model
        images = model.config.image_encoder
        views = [
            self._normalised(view, images.mean, images.std).unsqueeze(0) for view in pixels.views
        ]
        features = model.encode_images(views)
        motion = self._motion_features(pixels)
        visual = model.project(features, motion)
        places, named = model.parts_of(visual)
        read = model.direct_readings(features, motion)
        ids = torch.tensor([self._prefix_ids(places.shape[1])], device=self._device)
        cache = DynamicCache(config=model.language_model.config)
        model(model.embed(ids, visual), cache=cache, with_logits=False)
        direct = Direct() if read is None else Direct.of(*(part[0].tolist() for part in read))
        return Prefix(cache, ids.shape[1], named, direct)

    @torch.inference_mode()
    def read_suffixes(
        self, prefix: Prefix, suffixes: Sequence[Sequence[int]], *, num_last: int = 1
    ) -> Reading:
        """Read questions on a prefix, packed; see `Engine`.

        A model without a score head gives NaN for scores.
        """
        logits, scores = [], []
        for pack in _packs(suffixes):
            hidden = self._read_pack(prefix, pack)
            ends = np.cumsum([len(suffix) for suffix in pack])
            places = torch.tensor(ends[:, None] - num_last + np.arange(num_last))
            state = hidden[0, places.to(self._device)]  # (S, num_last, D)
            logits.append(self.model.logits(state).float().cpu())
            if self.model.config.has_score_head:
                scores.append(self.model.score(state).float().cpu())
            else:
                scores.append(torch.full(places.shape, torch.nan))
        return Reading(torch.cat(logits).numpy(), torch.cat(scores).numpy())

    @torch.inference_mode()
    def generate(
        self,
        prefix: Prefix,
        suffix: Sequence[int],
        *,
        stop_ids: frozenset[int],
        max_new_tokens: int,
    ) -> list[int]:
        """Continue a suffix greedily; see `Engine`."""
        pending, generated = list(suffix), []
        try:
            for _ in range(max_new_tokens):
                ids = torch.tensor([pending], device=self._device)
                embeds = self.model.embed(ids, named=prefix.named)
                out = self.model(embeds, cache=prefix.state, with_logits=False)
                token = int(self.model.logits(out.hidden[0, -1]).argmax())
                if token in stop_ids:
                    break
                generated.append(token)
                pending = [token]
        finally:
            _restore(prefix)
        return generated

    def _read_pack(self, prefix: Prefix, pack: Sequence[Sequence[int]]) -> Tensor:
        """Return hidden states (1, L, D) of all suffixes, one behind the other."""
        lengths = torch.tensor([len(suffix) for suffix in pack])
        owner = torch.repeat_interleave(torch.arange(len(pack)), lengths)
        position = torch.cat([torch.arange(int(length)) for length in lengths])
        own = (owner[:, None] == owner) & (position[:, None] >= position)
        visible = torch.cat([torch.ones(len(owner), prefix.length, dtype=torch.bool), own], dim=1)
        bias = torch.zeros(visible.shape, dtype=self._dtype).masked_fill(
            ~visible, torch.finfo(self._dtype).min
        )
        ids = torch.tensor([[token for suffix in pack for token in suffix]], device=self._device)
        embeds = self.model.embed(ids, named=prefix.named)
        try:
            out = self.model(
                embeds,
                attention_mask=bias[None, None].to(self._device),
                position_ids=(prefix.length + position)[None].to(self._device),
                cache=prefix.state,
                with_logits=False,
            )
        finally:
            # The prefix stays as it was, also where memory ran out half way through the layers.
            _restore(prefix)
        hidden: Tensor = out.hidden
        return hidden

    def _motion_features(self, pixels: Pixels) -> Tensor | None:
        """Return (1, M, features), or None for a model without a motion branch."""
        config = self.model.config
        mean, std = config.motion_encoder.mean, config.motion_encoder.std
        if config.video.motion == "none":
            return None
        if config.video.motion == "all_frames":

            def read(positions: Sequence[int]) -> Tensor:
                frames = pixels.motion[np.asarray(positions)]
                return self._normalised(frames, mean, std).transpose(0, 1).unsqueeze(0)

            features = self.model.motion_encoder.forward_windows(
                read, len(pixels.motion), window=self._motion_window
            )
            return features.unsqueeze(1)
        if config.video.motion == "sparse_frames":
            frames, num_stretches = pixels.views[0], 1
        else:
            frames, num_stretches = pixels.motion, config.video.num_bursts
        stretches = self._normalised(frames, mean, std)  # (M * T, 3, H, W)
        stretches = stretches.reshape(1, num_stretches, -1, *stretches.shape[1:])
        return self.model.encode_motion(stretches.transpose(2, 3))

    def _normalised(
        self, frames: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]
    ) -> Tensor:
        """Return (N, 3, H, W); what `finevq.video.transforms.normalize` does, on the device."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device)
        scaled = pixels.permute(0, 3, 1, 2).float().div_(255)
        shift, scale = (
            torch.tensor(values, device=self._device)[:, None, None] for values in (mean, std)
        )
        return scaled.sub_(shift).div_(scale).to(self._dtype)


def _packs(suffixes: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    pack: list[Sequence[int]] = []
    size = 0
    for suffix in suffixes:
        if pack and size + len(suffix) > _PACK_TOKENS:
            yield pack
            pack, size = [], 0
        pack.append(suffix)
        size += len(suffix)
    if pack:
        yield pack


def _restore(prefix: Prefix) -> None:
    """Cut a cache back to its prefix, layer by layer."""
    for layer in prefix.state.layers:
        layer.crop(prefix.length - layer.get_seq_length())
