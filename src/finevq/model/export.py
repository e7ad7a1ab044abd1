"""From a trained model to two ONNX graphs that run without torch.

`video_encoder.onnx`: uint8 pixels -> embedded prefix (template and visual tokens), named tokens,
and direct readings where the model has readers of such.
`decoder.onnx`: embedded prefix and token ids, named tokens, past keys and values -> logits, scores,
all keys and values.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache

from finevq.model.finevq import FineVQ
from finevq.model.folder import DECODER_FILE, VIDEO_ENCODER_FILE
from finevq.model.shared_weights import refer_to

_OPSET = 17
_SMALLEST_STORED_IN_HALF = 1024
"""Numbers in a weight from which it is worth it."""


class VideoEncoderGraph(nn.Module):
    """Pixels of one video to its embedded prefix.

    Args:
        model: A trained model.
        prefix_ids: The template's tokens, visual places among them.
    """

    def __init__(self, model: FineVQ, prefix_ids: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        ids = torch.tensor([list(prefix_ids)])
        is_place = ids[0] == model.config.context_token_id
        # Position by position: which row of [text, visual tokens] stands there. A gather, since
        # the scatter of `FineVQ.embed` does not survive the export.
        order = torch.where(is_place, len(prefix_ids) + is_place.cumsum(0) - 1, 0)
        order = torch.where(is_place, order, torch.arange(len(prefix_ids)))
        self.register_buffer("prefix_ids", ids)
        self.register_buffer("order", order)
        images, motion = model.config.image_encoder, model.config.motion_encoder
        self._scales = [(images.mean, images.std), (motion.mean, motion.std)]

    def forward(self, *pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the prefix (1, P, D), named tokens (1, N, D), direct readings and shares (1, R).

        Args:
            pixels: The views (F, H, W, 3) and then motion (M * T, H, W, 3), uint8.
        """
        *views, motion = pixels
        config = self.model.config.video
        images = [self._normalise(view, 0).unsqueeze(0) for view in views]
        frames = self._normalise(motion, 1)  # (M * T, 3, H, W)
        bursts = frames.unflatten(0, (config.num_bursts, config.burst_frames))
        features = self.model.encode_images(images)
        motion_features = self.model.encode_motion(bursts.transpose(1, 2).unsqueeze(0))
        visual, named = self.model.parts_of(self.model.project(features, motion_features))
        text = self.model.language_model.get_input_embeddings()(self.prefix_ids)
        prefix = torch.cat([text, visual], dim=1).index_select(1, self.order)
        direct = self.model.direct_readings(features, motion_features)
        return (prefix, named) if direct is None else (prefix, named, *direct)

    prefix_ids: Tensor
    order: Tensor

    def _normalise(self, pixels: Tensor, which: int) -> Tensor:
        mean, std = (torch.tensor(values) for values in self._scales[which])
        return ((pixels.float() / 255.0 - mean) / std).permute(0, 3, 1, 2)


class DecoderGraph(nn.Module):
    """Text on top of remembered keys and values.

    Args:
        model: A trained model.
    """

    def __init__(self, model: FineVQ) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, embeds: Tensor, token_ids: Tensor, named: Tensor, past: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Read what is new: `embeds` first, then `token_ids`; either may be empty.

        Args:
            embeds: (S, E, D).
            token_ids: (S, L); ids beyond the vocabulary show named tokens.
            named: (1, N, D).
            past: (layers, 2, S, heads, P, head width): keys and values of what was read before.

        Returns:
            logits (S, E + L, vocabulary), scores (S, E + L), and past extended by E + L.
        """
        words = self.model.language_model.model.embed_tokens.weight
        # One table of both: the choice of `FineVQ.embed` would be made for each token.
        table = torch.cat([words, named[0]])
        new = torch.cat([embeds, functional.embedding(token_ids, table)], dim=1)
        num_past, num_new = past.shape[4], new.shape[1]
        cache = DynamicCache()
        for layer in range(past.shape[0]):
            cache.update(past[layer, 0], past[layer, 1], layer)
        steps = torch.arange(num_past + num_new)
        looking, looked_at = steps[num_past:, None], steps[None, :]
        bias = torch.where(looked_at <= looking, 0.0, torch.finfo(torch.float32).min)
        out = self.model(
            new,
            attention_mask=bias[None, None].expand(new.shape[0], 1, -1, -1),
            position_ids=steps[num_past:].unsqueeze(0).expand(new.shape[0], -1),
            cache=cache,
        )
        layers = [torch.stack([layer.keys, layer.values]) for layer in out.cache.layers]
        return out.logits, self.model.score(out.hidden), torch.stack(layers)


def export_onnx(
    model: FineVQ, prefix_ids: Sequence[int], folder: Path, *, weights: Path | None = None
) -> None:
    """Write both graphs.

    Args:
        model: A trained model; left in evaluation mode.
        prefix_ids: The template's tokens before every question.
        folder: Where to write video_encoder.onnx and decoder.onnx.
        weights: The model's safetensors file in the same folder; the graphs refer to what it holds
            as they need it, instead of holding it once more. None: they stand alone.
    """
    model.eval()
    config = model.config
    video = config.video
    views = [
        torch.zeros(video.num_frames, side, side, 3, dtype=torch.uint8) for side in video.view_sizes
    ]
    side = video.motion_size
    motion = torch.zeros(video.num_bursts * video.burst_frames, side, side, 3, dtype=torch.uint8)
    names = [*(f"view_{index}" for index in range(len(views))), "motion"]
    has_direct = config.opinion_share or config.has_fault_reader
    direct = ["direct", "direct_shares"] if has_direct else []
    _export(
        VideoEncoderGraph(model, prefix_ids),
        (*views, motion),
        folder / VIDEO_ENCODER_FILE,
        inputs=names,
        outputs=["embeds", "named", *direct],
        dynamic={},
        weights=weights,
    )
    llama = model.language_model.config
    width = llama.hidden_size // llama.num_attention_heads
    heads = llama.num_key_value_heads or llama.num_attention_heads
    example = (
        torch.zeros(2, 3, llama.hidden_size),
        torch.zeros(2, 4, dtype=torch.int64),
        torch.zeros(1, config.num_named_tokens, llama.hidden_size),
        torch.zeros(llama.num_hidden_layers, 2, 2, heads, 5, width),
    )
    _export(
        DecoderGraph(model),
        example,
        folder / DECODER_FILE,
        inputs=["embeds", "token_ids", "named", "past"],
        outputs=["logits", "scores", "present"],
        dynamic={
            "embeds": {0: "s", 1: "e"},
            "token_ids": {0: "s", 1: "l"},
            "past": {2: "s", 4: "p"},
            "logits": {0: "s", 1: "n"},
            "scores": {0: "s", 1: "n"},
            "present": {2: "s", 4: "t"},
        },
        weights=weights,
    )


def _export(
    graph: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    inputs: list[str],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    weights: Path | None,
) -> None:
    with torch.no_grad():
        # The exporter gives the graph back in the mode it came in, and so the model inside it.
        torch.onnx.export(
            graph.eval(),
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=dynamic,
            opset_version=_OPSET,
            dynamo=False,
            # As they are: folded into the convolutions, the normalisations would leave weights that
            # no half holds. The runtime folds them when it loads the file.
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    stored = onnx.load(str(path))
    _store_in_half(stored)
    onnx.checker.check_model(stored)
    if weights is not None:
        refer_to(stored, weights)
    path.write_bytes(stored.SerializeToString())


def _store_in_half(model: onnx.ModelProto) -> None:
    """Keep the weights that half precision holds exactly as halves, widened on loading."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(weight)
        halves = values.astype(np.float16)
        if values.size < _SMALLEST_STORED_IN_HALF or (halves.astype(np.float32) != values).any():
            continue
        name, half_name = weight.name, f"{weight.name}.half"
        weight.CopyFrom(onnx.numpy_helper.from_array(halves, half_name))
        casts.append(onnx.helper.make_node("Cast", [half_name], [name], to=onnx.TensorProto.FLOAT))
    for place, cast in enumerate(casts):
        model.graph.node.insert(place, cast)
