"""The engine of exported models: ONNX Runtime on a CPU, no torch.

Two graphs: `video_encoder.onnx` (pixels to embedded prefix, named tokens and direct readings) and
`decoder.onnx` (embedded prefix or token ids, with named tokens, past keys and values, to logits,
scores and new keys and values).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from finevq.errors import CheckpointError
from finevq.inference.engine import Direct, DirectReading, Prefix, Reading
from finevq.model.folder import DECODER_FILE, VIDEO_ENCODER_FILE
from finevq.video.inputs import Pixels
from finevq.vocabulary import Dimension


class OnnxEngine:
    """Runs the two graphs of a model folder.

    Args:
        folder: Holds both graphs.
        num_threads: Threads of each graph; 0 means one per core.
        opinion_share: Of the opinion in overall, where the graph does not tell (until version 6).

    Raises:
        CheckpointError: a graph is missing or damaged.
    """

    def __init__(self, folder: Path, *, num_threads: int = 0, opinion_share: float = 0.0) -> None:
        self._encoder = _open(folder / VIDEO_ENCODER_FILE, num_threads)
        self._decoder = _open(folder / DECODER_FILE, num_threads)
        past = next(item for item in self._decoder.get_inputs() if item.name == "past")
        _, _, _, self._num_heads, _, self._head_width = past.shape
        self._num_layers = past.shape[0]
        embeds = next(item for item in self._decoder.get_inputs() if item.name == "embeds")
        self._width = embeds.shape[2]
        self._outputs = [item.name for item in self._encoder.get_outputs()]
        self._opinion_share = opinion_share

    def read_video(self, pixels: Pixels) -> Prefix:
        """Read a video once; see `Engine`."""
        feeds = {f"view_{index}": view for index, view in enumerate(pixels.views)}
        values = self._encoder.run(self._outputs, {**feeds, "motion": pixels.motion})
        read = dict(zip(self._outputs, map(np.asarray, values), strict=True))
        embeds, named = read["embeds"], read["named"]
        _, _, past = self._run(embeds, np.zeros((1, 0), np.int64), named, self._empty_past(1))
        return Prefix(past, embeds.shape[1], named, self._direct_of(read))

    def _direct_of(self, read: Mapping[str, NDArray[Any]]) -> Direct:
        if "direct" in read:
            return Direct.of(read["direct"][0].tolist(), read["direct_shares"][0].tolist())
        if "opinion" in read:  # until version 12: of overall alone
            share = read["opinion_share"].item() if "opinion_share" in read else self._opinion_share
            overall = DirectReading(float(read["opinion"].item()), float(share))
            return Direct(scores={Dimension.OVERALL: overall})
        return Direct()

    def read_suffixes(
        self, prefix: Prefix, suffixes: Sequence[Sequence[int]], *, num_last: int = 1
    ) -> Reading:
        """Read questions on a prefix, in one batch; see `Engine`."""
        lengths = np.array([len(suffix) for suffix in suffixes])
        token_ids = np.zeros((len(suffixes), lengths.max()), np.int64)
        for row, suffix in zip(token_ids, suffixes, strict=True):
            row[: len(suffix)] = suffix
        past = np.repeat(prefix.state, len(suffixes), axis=2)
        # Padding stands to the right of everything it could disturb: attention is causal.
        logits, scores, _ = self._run(self._no_embeds(len(suffixes)), token_ids, prefix.named, past)
        positions = lengths[:, None] - num_last + np.arange(num_last)  # (S, num_last)
        rows = np.arange(len(suffixes))[:, None]
        return Reading(logits[rows, positions], scores[rows, positions])

    def generate(
        self,
        prefix: Prefix,
        suffix: Sequence[int],
        *,
        stop_ids: frozenset[int],
        max_new_tokens: int,
    ) -> list[int]:
        """Continue a suffix greedily; see `Engine`."""
        past, pending, generated = prefix.state, list(suffix), []
        for _ in range(max_new_tokens):
            token_ids = np.array([pending], np.int64)
            logits, _, past = self._run(self._no_embeds(1), token_ids, prefix.named, past)
            token = int(logits[0, -1].argmax())
            if token in stop_ids:
                break
            generated.append(token)
            pending = [token]
        return generated

    def _run(
        self,
        embeds: NDArray[np.float32],
        token_ids: NDArray[np.int64],
        named: NDArray[np.float32],
        past: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        feeds = {"embeds": embeds, "token_ids": token_ids, "named": named, "past": past}
        outputs = self._decoder.run(["logits", "scores", "present"], feeds)
        logits, scores, present = map(np.asarray, outputs)
        return logits, scores, present

    def _empty_past(self, batch: int) -> NDArray[np.float32]:
        shape = (self._num_layers, 2, batch, self._num_heads, 0, self._head_width)
        return np.zeros(shape, np.float32)

    def _no_embeds(self, batch: int) -> NDArray[np.float32]:
        return np.zeros((batch, 0, self._width), np.float32)


def _open(path: Path, num_threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own that it does not export
        raise CheckpointError(
            f"{path} cannot be loaded: {error}. Reinstall the package or export the model again."
        ) from error
