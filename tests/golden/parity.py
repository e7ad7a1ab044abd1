"""Compare our model with numbers that the official code computed.

    python tests/golden/parity.py GOLDEN.json MANIFEST.json [--case NAME] [--merge-lora]

Takes any golden of the format that ../shared/goldens/README.md and finevq/README.md describe:
model cases (golden_small.json), the motion branch alone (golden_slowfast.json) and data facts
(golden_data.json, which needs no manifest). Widths, layers, vocabulary and LoRA ranks come from the
files. Prints every case and quantity with its largest absolute error; exits 1 past the tolerance.

The weights take the importer's way: official names, filled by the goldens' rule, through the
official key map into our model.
"""

# A script: it prints, and it finds its neighbours and the sources before it imports them.
# ruff: noqa: T201, E402

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "src")]

import numpy as np
import torch
from fill import filled, network_input
from torch import Tensor
from torch.nn import functional

from finevq.model.config import ModelConfig, MotionEncoderConfig
from finevq.model.finevq import FineVQ
from finevq.model.loading import build_empty, fill_model
from finevq.model.motion_encoder import MotionEncoder, slow_positions
from finevq.model.official_config import read_official_config
from finevq.model.official_import import OfficialCheckpoint
from finevq.model.official_keys import parse_key

TOLERANCE = 1e-4
Shapes = dict[str, tuple[int, ...]]


@dataclass
class Report:
    """Errors as they come in, printed at once."""

    tolerance: float
    failures: int = 0
    largest: float = 0.0
    lines: list[str] = field(default_factory=list)

    def add(self, case: str, quantity: str, error: float, *, exact: bool = False) -> None:
        """Record one quantity; `exact` ones allow no error at all."""
        good = error == 0 if exact else error <= self.tolerance
        self.failures += not good
        if not exact:
            self.largest = max(self.largest, error)
        line = f"{case:24} {quantity:44} {error:10.3g}  {'ok' if good else 'FAILED'}"
        self.lines.append(line)
        print(line, flush=True)

    def values(self, case: str, quantity: str, ours: Any, reference: Any) -> None:
        """Compare numbers."""
        mine = np.asarray(ours, dtype=np.float64).reshape(-1)
        theirs = np.asarray(reference, dtype=np.float64).reshape(-1)
        error = float("inf") if mine.shape != theirs.shape else float(np.abs(mine - theirs).max())
        self.add(case, quantity, error if error == error else float("inf"))

    def integers(self, case: str, quantity: str, ours: Any, reference: Any) -> None:
        """Compare whole numbers; the error is how many differ."""
        mine, theirs = np.asarray(ours).reshape(-1), np.asarray(reference).reshape(-1)
        differing = int((mine != theirs).sum()) if mine.shape == theirs.shape else len(theirs)
        self.add(case, quantity, differing, exact=True)

    def digest(self, case: str, quantity: str, ours: Tensor | np.ndarray, recorded: Any) -> None:
        """Compare a tensor with its recorded fingerprint."""
        array = np.asarray(ours, dtype=np.float64)
        self.integers(case, f"{quantity} shape", array.shape, recorded["shape"])
        flat = array.reshape(-1)
        if flat.size <= max(recorded["flat_index"]):
            return
        picked = flat[recorded["flat_index"]]
        self.values(case, quantity, picked, recorded["value"])
        # The norm grows with the size: compare it as a root mean square.
        size = np.sqrt(flat.size)
        mine = [flat.mean(), flat.std(), np.sqrt((flat**2).sum()) / size, flat.min(), flat.max()]
        theirs = [recorded[name] for name in ("mean", "std", "l2", "min", "max")]
        theirs[2] /= size
        self.values(case, f"{quantity} statistics", mine, theirs)


class FilledWeights:
    """Official weights by the fill rule; holds none of them."""

    def __init__(self, shapes: Shapes, added: Mapping[str, float]) -> None:
        self.shapes = shapes
        self._added = added

    def read(self, name: str) -> Tensor:
        """Compute one tensor."""
        if name.endswith("num_batches_tracked"):
            return torch.zeros(self.shapes[name], dtype=torch.long)
        values = torch.from_numpy(filled(name, self.shapes[name]))
        return values + self._added[name] if name in self._added else values


_ADAPTED = re.compile(
    r"^(vision_model\.encoder\.layers\.\d+\.(attn\.qkv|attn\.proj|mlp\.fc[12])"
    r"|language_model\.model\.layers\.\d+\.(attention\.(wqkv|wo)|feed_forward\.w[123]))$"
)


def official_shapes(
    manifest: Any, manifest_path: Path, case: str, ranks: Mapping[str, int]
) -> Shapes:
    """Return the official names and shapes of a case, LoRA as the case says."""
    plain: Shapes = {}
    for entry in _manifest_entries(manifest, case):
        key, shape = parse_key(entry[0]), tuple(entry[1])
        if key.role == "base":
            plain[f"{key.module}.{key.leaf}" if key.leaf else key.module] = shape
    if not any(name.startswith("slowfast_model.") for name in plain):
        beside = manifest_path.with_name("manifest_slowfast.json")
        plain.update(_slowfast_shapes(json.loads(beside.read_text()) if beside.exists() else None))
    return dict(_adapted_shapes(plain, ranks))


def _manifest_entries(manifest: Any, case: str) -> Sequence[Any]:
    if isinstance(manifest, list):
        return manifest
    manifest = manifest.get("models", manifest)
    # Cases that share a class share a manifest: infer_one_frame is infer.
    named = max((name for name in manifest if case.startswith(name)), key=len, default=None)
    chosen = manifest[named or next(iter(manifest))]
    return chosen if isinstance(chosen, list) else chosen["keys"]


def _slowfast_shapes(manifest: Any) -> Shapes:
    if manifest is None:
        with torch.device("meta"):
            own = MotionEncoder(MotionEncoderConfig()).state_dict()
        return {f"slowfast_model.{name}": tuple(value.shape) for name, value in own.items()}
    entries = _manifest_entries(manifest, "")
    return {f"slowfast_model.{entry[0]}": tuple(entry[1]) for entry in entries}


def _adapted_shapes(
    plain: Shapes, ranks: Mapping[str, int]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Rename plain keys as peft does for the parts that are adapted."""
    for name, shape in plain.items():
        part, _, rest = name.partition(".")
        rank = ranks.get(part, 0)
        if not rank:
            yield name, shape
            continue
        module, _, leaf = rest.rpartition(".")
        inside = f"{part}.base_model.model.{module}"
        if not _ADAPTED.match(f"{part}.{module}"):
            yield f"{part}.base_model.model.{rest}", shape
            continue
        yield f"{inside}.base_layer.{leaf}", shape
        if leaf == "weight":
            yield f"{inside}.lora_A.default.weight", (rank, shape[1])
            yield f"{inside}.lora_B.default.weight", (shape[0], rank)


# Heads cannot be read off shapes; these are the official config.json's.
_OFFICIAL_HEADS = {"num_attention_heads": 32, "num_key_value_heads": 8}
_OFFICIAL_VISION_HEADS = 16
_VARIANT_MOTION = {
    "internvl_chat_infer": "all_frames",
    "internvl_chat": "sparse_frames",
    "internvl_chat_stage2": "sparse_frames",
    "internvl_chat_qa": "none",
}


def case_config(shapes: Shapes, golden: Any, case: Any) -> ModelConfig:
    """Read the architecture off shapes; heads come from the golden's overrides."""
    keys = {name: parse_key(name) for name in shapes}
    plain = {
        key.module: shapes[name]
        for name, key in keys.items()
        if key.role == "base" and key.leaf in ("weight", "")
    }
    overrides = {**golden.get("config_overrides", {}), **case.get("config_overrides", {})}
    llm, vision = overrides.get("llm", {}), overrides.get("vision", {})
    vocabulary, width = plain["language_model.model.tok_embeddings"]
    vision_width, _, patch, _ = plain["vision_model.embeddings.patch_embedding"]
    positions = plain["vision_model.embeddings.position_embedding"][1] - 1
    values = {
        "vision_config": {
            "hidden_size": vision_width,
            "num_hidden_layers": _num_layers(plain, "vision_model.encoder.layers."),
            "intermediate_size": plain["vision_model.encoder.layers.0.mlp.fc1"][0],
            "image_size": patch * round(positions**0.5),
            "patch_size": patch,
            "num_attention_heads": vision.get("num_attention_heads", _OFFICIAL_VISION_HEADS),
            "layer_norm_eps": 1e-6,
        },
        "llm_config": {
            **_OFFICIAL_HEADS,
            **{name: value for name, value in llm.items() if name in _OFFICIAL_HEADS},
            "hidden_size": width,
            "vocab_size": vocabulary,
            "num_hidden_layers": _num_layers(plain, "language_model.model.layers."),
            "intermediate_size": plain["language_model.model.layers.0.feed_forward.w1"][0],
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1e6,
            "rope_scaling": {"type": "dynamic", "factor": 2.0},
        },
    }
    config = read_official_config(
        values, name="golden", context_token_id=_context_token(golden, case)
    )
    variant = case.get("variant", "internvl_chat_infer")
    motion = _VARIANT_MOTION[variant]
    repeat = 4 if motion == "sparse_frames" else 1
    head = plain.get("mlpscore.fc1")
    widths = []
    while head is not None and f"mlpscore.fc{len(widths) + 1}" in plain:
        widths.append(plain[f"mlpscore.fc{len(widths) + 1}"][0])
    return replace(
        config,
        video=replace(config.video, motion=motion),
        motion_encoder=replace(config.motion_encoder, repeat_features=repeat),
        score_head=replace(config.score_head, widths=tuple(widths[:-1]), low=0.0, high=1.0),
        has_score_head=variant in ("internvl_chat_infer", "internvl_chat_stage2"),
    )


def _context_token(golden: Any, case: Any) -> int:
    """Return the id of IMG_CONTEXT; where the golden does not say, by far the most frequent id."""
    recorded = {**golden.get("token_ids", {}), **case.get("token_ids", {})}
    if "IMG_CONTEXT" in recorded:
        return int(recorded["IMG_CONTEXT"])
    return int(_tokens(case, "input_ids").flatten().mode().values)


def _num_layers(modules: Mapping[str, Any], prefix: str) -> int:
    return 1 + max(
        int(name[len(prefix) :].partition(".")[0]) for name in modules if name.startswith(prefix)
    )


def _additions(case: Any) -> dict[str, float]:
    """Read "name = rule + 0.5" off the case's note."""
    text = str(case.get("fill_exception", ""))
    found = re.findall(r"([\w.]+)\s*=\s*rule\s*\+\s*([0-9.]*[0-9])", text)
    return {name: float(value) for name, value in found}


def build_model(shapes: Shapes, config: ModelConfig, case: Any, *, merge: bool) -> FineVQ:
    """Fill a model by the importer's key map."""
    checkpoint = OfficialCheckpoint(FilledWeights(shapes, _additions(case)), config)
    for reason in sorted({reason for _, reason in checkpoint.report.unused}):
        names = [name for name, why in checkpoint.report.unused if why == reason]
        print(f"  {len(names)} keys unused ({reason}), first {names[0]}")
    empty = build_empty(config, None if merge else checkpoint.ranks)
    return fill_model(empty, checkpoint.tensors(merge=merge))


def _tokens(case: Any, name: str) -> Tensor:
    """Read token ids of each sample, as they are or as runs [[id, count], ...]."""
    if name in case:
        return torch.tensor(case[name])
    rows = case[f"{name}_runlength"]
    return torch.tensor([[id_ for id_, count in row for _ in range(count)] for row in rows])


def _frames(spec: Any, batch: int, wanted: int | None) -> Tensor:
    """Read an input (N, 3, H, W) as (B, N / B, 3, H, W); a remainder is dropped, as officially."""
    frames = torch.from_numpy(network_input(spec[0], spec[1]))
    each = wanted if wanted is not None else len(frames) // batch
    return frames[: each * batch].unflatten(0, (batch, each))


@torch.inference_mode()
def run_case(model: FineVQ, name: str, case: Any, report: Report) -> None:
    """Compare one model case, quantity by quantity."""
    out, config = case["out"], model.config
    ids = _tokens(case, "input_ids")
    batch = len(ids)
    mask = _tokens(case, "attention_mask")
    context = int((ids[0] == config.context_token_id).sum())
    num_frames = (context - config.num_motion_tokens) // config.num_image_tokens
    images = _frames(case["pixel_values"], batch, num_frames)
    motion_features = None
    if config.num_motion_tokens:
        motion = _frames(case["pixel_values2"], batch, None) if "pixel_values2" in case else images
        motion_features = model.encode_motion(motion.transpose(1, 2).unsqueeze(1))
        if "motion_feature_2304" in out:
            report.digest(name, "motion_feature", motion_features[:, 0], out["motion_feature_2304"])
    visual = model.project(model.encode_images([images]), motion_features)
    if "motion_embed" in out:
        report.digest(name, "motion_embed", visual[:, -1], out["motion_embed"])
    embeds = model.embed(ids, visual)
    if "inputs_embeds" in out:
        report.digest(name, "inputs_embeds", embeds, out["inputs_embeds"])
    if first8 := out.get("inputs_embeds_first8_batch0"):
        _check_first8(report, name, embeds[0], ids[0] == config.context_token_id, first8)
    result = model(embeds, attention_mask=mask)
    _check_logits(report, name, result.logits, case)
    score = None
    if config.has_score_head:
        hidden = result.hidden[:, -4]
        score = _check_score(report, name, model, hidden, out)
    if "official_loss_output" in out and config.has_score_head:
        loss = (score - torch.tensor(case["mos"])).abs().mean()
        report.values(name, "loss", loss, out["official_loss_output"])
    if discrimination := case.get("discrimination_pre_relu"):
        _check_discrimination(report, name, model, ids, mask, visual, result.hidden, discrimination)


def _check_first8(report: Report, name: str, embeds: Tensor, places: Tensor, first8: Any) -> None:
    first, last = int(places.nonzero()[0]), int(places.nonzero()[-1])
    report.integers(
        name,
        "context positions",
        [first, last],
        [first8["position_of_first_context"], first8["position_of_last_context"]],
    )
    positions = {
        "first_context": first,
        "last_context": last,
        "token_after_last_context": last + 1,
        "position_minus4": len(embeds) - 4,
    }
    for quantity, position in positions.items():
        if quantity in first8:
            report.values(name, f"embeds {quantity}", embeds[position, :8], first8[quantity])


def _check_logits(report: Report, name: str, logits: Tensor, case: Any) -> None:
    out = case["out"]
    if "logits" in out:
        report.digest(name, "logits", logits, out["logits"])
    if "logits_last12_first8_batch0" in out:
        ours = logits[0, -12:, :8]
        report.values(name, "logits last 12", ours, out["logits_last12_first8_batch0"])
    if "argmax_last24" in out:
        _check_argmax(report, name, "argmax last 24", logits[:, -24:], out["argmax_last24"])
    if "official_logit_output_last24" in out:
        shifted = logits[:, :-1].flatten(0, 1)[-24:]
        recorded = out["official_logit_output_last24"]
        _check_argmax(report, name, "official logit output", shifted, recorded)
    labels = _tokens(case, "labels")[:, 1:].flatten()
    if "official_label_output_last12" in out:
        recorded = out["official_label_output_last12"]
        report.integers(name, "official label output", labels[-12:], recorded)
    loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels)
    if "ce_loss_shifted_mean" in out:
        report.values(name, "token cross-entropy", loss, out["ce_loss_shifted_mean"])
    if "official_loss_output" in out and case.get("variant") != "internvl_chat_stage2":
        report.values(name, "loss", loss, out["official_loss_output"])


def _check_argmax(report: Report, name: str, quantity: str, logits: Tensor, recorded: Any) -> None:
    """Count recorded winners that are not ours, unless the two tie within the tolerance."""
    chosen = torch.tensor(recorded).unsqueeze(-1)
    behind = logits.max(dim=-1).values - logits.gather(-1, chosen).squeeze(-1)
    report.add(name, quantity, int((behind > report.tolerance).sum()), exact=True)


def _check_score(report: Report, name: str, model: FineVQ, hidden: Tensor, out: Any) -> Tensor:
    if "hidden_at_minus4" in out:
        report.digest(name, "hidden at -4", hidden, out["hidden_at_minus4"])
    score = model.score(hidden)
    if "score1" in out:
        report.values(name, "score", score, out["score1"])
    if "pre_relu" in out:
        report.values(name, "score before last ReLU", _pre_relu(model, hidden), out["pre_relu"])
    return score


def _pre_relu(model: FineVQ, hidden: Tensor) -> Tensor:
    model.score_head.config = replace(model.score_head.config, final_relu=False)
    raw: Tensor = model.score_head(hidden)
    model.score_head.config = replace(model.score_head.config, final_relu=True)
    return raw


def _check_discrimination(
    report: Report,
    name: str,
    model: FineVQ,
    ids: Tensor,
    mask: Tensor,
    visual: Tensor,
    hidden: Tensor,
    recorded: Any,
) -> None:
    """Compare what the score would be if a detail were wrong: shows that details can be seen."""
    silent = visual.clone()
    silent[:, -1] = 0
    moved = visual.roll(1, dims=1)
    for key, value in recorded.items():
        if found := re.fullmatch(r"if_read_at_(-\d+)", key):
            state = hidden[:, int(found[1])]
        elif key == "recomputed_same":
            state = hidden[:, -4]
        elif key == "if_motion_embedding_zero":
            state = model(model.embed(ids, silent), attention_mask=mask).hidden[:, -4]
        elif key == "if_motion_hosted_by_FIRST_context_token":
            state = model(model.embed(ids, moved), attention_mask=mask).hidden[:, -4]
        else:
            print(f"  {name}: {key} is not known to this script")
            continue
        report.values(name, key, _pre_relu(model, state), value)


@torch.inference_mode()
def run_slowfast(golden: Any, manifest: Any, only: str | None, report: Report) -> None:
    """Compare the motion branch alone."""
    source = FilledWeights(_slowfast_shapes(manifest), {})
    weights = {name.removeprefix("slowfast_model."): source.read(name) for name in source.shapes}
    for name, case in golden["cases"].items():
        if only not in (None, name):
            continue
        repeat = 1 if case["variant"] == "internvl_chat_infer" else 4
        encoder = MotionEncoder(MotionEncoderConfig(repeat_features=repeat)).eval()
        encoder.load_state_dict(weights)
        frames = torch.from_numpy(network_input(case["input_key"], case["input_shape"]))
        if "slow_frame_index" in case:
            positions = slow_positions(frames.shape[2], encoder.config.time_ratio)
            report.integers(name, "slow frames", positions, case["slow_frame_index"])
        features = encoder(frames)
        # Recorded without the batch.
        report.digest(name, "motion feature", features[0], case["digest"])
        if "all_2304" in case:
            # Recorded with six digits: beyond them only the digest above can tell.
            recorded = np.asarray(case["all_2304"])
            rounded = np.abs(recorded) * 5e-6
            error = np.abs(features.numpy().reshape(-1) - recorded) - rounded
            report.add(name, "motion feature, every value", max(0.0, float(error.max())))
        if repeat == 1:
            windows = encoder.forward_windows(
                lambda positions, frames=frames: frames[:, :, list(positions)],
                frames.shape[2],
                window=16,
            )
            report.digest(name, "motion feature in windows", windows[0], case["digest"])


def main() -> int:
    """Run all cases and say whether all are within the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("golden", type=Path)
    parser.add_argument("manifest", type=Path, nargs="?")
    parser.add_argument("--case", help="run this case alone")
    parser.add_argument("--merge-lora", action="store_true", help="merge adapters into weights")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args()
    golden = json.loads(options.golden.read_text())
    report = Report(options.tolerance)
    if "frame_indices_by_frame_count" in golden:
        # Needs the video and prompt packages, which the other goldens do not.
        from data_parity import run_data

        run_data(golden, report)
    else:
        if options.manifest is None:
            parser.error("this golden needs its manifest")
        manifest = json.loads(options.manifest.read_text())
        if all("input_key" in case for case in golden["cases"].values()):
            run_slowfast(golden, manifest, options.case, report)
        else:
            run_models(golden, manifest, options, report)
    print(
        f"{len(report.lines)} quantities, {report.failures} failed, "
        f"largest absolute error {report.largest:.3g}, tolerance {report.tolerance:g}"
    )
    return 1 if report.failures or not report.lines else 0


def _case_ranks(case: Any, entries: Sequence[Any]) -> dict[str, int]:
    """Return LoRA ranks as the case says, or as its manifest does where the case is silent."""
    ranks = {"vision_model": 0, "language_model": 0}
    for entry in entries:
        key = parse_key(entry[0])
        if key.role == "lora_A":
            ranks[key.module.partition(".")[0]] = entry[1][0]
    return {
        "vision_model": case.get("lora_vit_r", ranks["vision_model"]),
        "language_model": case.get("lora_llm_r", ranks["language_model"]),
    }


def run_models(golden: Any, manifest: Any, options: argparse.Namespace, report: Report) -> None:
    """Compare all model cases."""
    for name, case in golden["cases"].items():
        if options.case not in (None, name):
            continue
        ranks = _case_ranks(case, _manifest_entries(manifest, name))
        shapes = official_shapes(manifest, options.manifest, name, ranks)
        config = case_config(shapes, golden, case)
        print(f"{name}: {len(shapes)} official keys, LoRA {ranks}")
        model = build_model(shapes, config, case, merge=options.merge_lora)
        run_case(model, name, case, report)


if __name__ == "__main__":
    sys.exit(main())
