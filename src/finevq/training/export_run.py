"""A finished run as a model folder for others: weights, adapters, ONNX, and a card of it all.

The card is written from the run's own files; no number in it is typed.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined

from finevq.errors import ConfigError, TrainingError
from finevq.model import folder as files
from finevq.model.checkpoint import ADAPTER_FOLDER, load_model, save_model
from finevq.model.export import export_onnx
from finevq.model.finevq import FineVQ
from finevq.model.lora import merge_lora
from finevq.prompts.prompter import NanoPrompter
from finevq.training.run_facts import RUN_FILE
from finevq.training.stage_run import CONFIG_FILE
from finevq.training.start import MODEL_FOLDER

SKIPPED_FILE = "skipped.jsonl"

_CARD = """\
# {{ name }}

{{ model.name }}, version {{ model.version }}, trained by `finevq train {{ config.stage }}` \
(preset {{ config.preset }}) from `{{ config.start.model }}`.

| | |
| --- | --- |
| code | finevq {{ code.finevq }}, commit {{ code.commit or "unknown (installed package)" }} |
| libraries | {% for package, version in libraries.items() %}{{ package }} {{ version }}\
{{ ", " if not loop.last }}{% endfor %} |
| adapters | {{ adapters }} |
| selected by | {{ config.validation.select_by }} on validation data, step \
{{ metrics.best_step }} of {{ metrics.steps }} |

## Data

{{ config.data.kind }}: `{{ config.data.path }}`. No source is in two splits.

| split | records | videos | sources | hash |
| --- | ---: | ---: | ---: | --- |
{% for split, facts in data.items() -%}
| {{ split }} | {{ facts.records }} | {{ facts.videos }} | {{ facts.sources }} | {{ facts.hash }} |
{% endfor %}
Tasks learnt: {% for task, count in data.train.tasks.items() %}{{ task }} ({{ count }})\
{{ ", " if not loop.last }}{% endfor %}. Videos skipped as unreadable: {{ num_skipped }}\
{% if num_skipped %} (skipped.jsonl names them){% endif %}.
{% if config.data.kind == "synthetic" %}
**Labels are synthetic**: they follow from what was done to the clips; nobody rated them.
{% endif %}
## What learnt, and how

Parts: {{ parts or "none as a whole" }}. LoRA: image {{ config.lora.image_rank }}, language \
{{ config.lora.language_rank }}. {{ config.steps.epochs }} epochs, batches of \
{{ config.steps.batch_size }}, AdamW, learning rate {{ config.optimizer.learning_rate }} to \
{{ config.optimizer.final_learning_rate }}, seed {{ config.steps.seed }}, \
{{ config.steps.precision }}. Everything: training_config.json.

## What it reached on validation data

These numbers chose the weights, so they are better than those of unseen data; measure it on a test
set with `finevq evaluate` before you rely on it.

| number | value | a constant answer |
| --- | ---: | ---: |
{% for key, value in best.items() -%}
| {{ key }} | {{ "%.4f"|format(value) }} | {{ "%.4f"|format(floors[key]) if key in floors }} |
{% endfor %}
{{ meanings }}
{% if not learns_words %}
**This stage taught scores alone.** Levels, yes/no answers and descriptions come from weights that
have moved since words were last learnt: use the scores, or teach words again (`finevq train qa`,
or `joint`, which teaches both).
{% elif not learns_scores %}
**This stage taught words alone.** Scores, where it gives any, come from a head that did not follow.
{% endif %}"""

_OF_WORDS = ("loss", "accuracy")
_MEANINGS = {
    "loss": "loss: cross-entropy of a token.",
    "accuracy": "accuracy: share of whole answers.",
    "error": "error: mean absolute error of scores in units of the scale.",
    "srcc": "srcc: mean of the dimensions' rank correlations; a constant answer has none.",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    names: tuple[str, ...]
    """Files, relative to the folder."""


def export_run(
    run: Path, target: Path, *, adapters: Literal["merge", "keep"] = "merge", onnx: bool = False
) -> Exported:
    """Write the best weights of a finished run as a model folder.

    Args:
        run: Output folder of `finevq train STAGE`.
        target: Folder to write; new or empty.
        adapters: merge: added into the weights they adapt; keep: apart in adapter/, in peft's
            format, beside the base weights.
        onnx: Also write the graphs that run without torch (nano's architecture only).

    Raises:
        TrainingError: the run is not finished.
        ConfigError: `target` is not empty, or this model cannot be exported as ONNX.
    """
    source = run / MODEL_FOLDER
    if not (source / files.CONFIG_FILE).is_file():
        raise TrainingError(
            f"{run} holds no trained model ({MODEL_FOLDER}/{files.CONFIG_FILE}); a run writes it "
            "at its end: finish it with --resume"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is not empty; give a new folder")
    model = load_model(source)
    if onnx:
        _check_onnx(model, adapters)
    target.mkdir(parents=True, exist_ok=True)
    kept = ADAPTER_FOLDER if (source / ADAPTER_FOLDER).is_dir() else ""
    if adapters == "keep":
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        merge_lora(model)
        save_model(model, target)
        for name in (files.TOKENIZER_FILE, files.CALIBRATION_FILE, files.METRICS_FILE):
            _copy(source / name, target)
    for name in (CONFIG_FILE, RUN_FILE):
        _copy(run / name, target)
    num_skipped = _num_lines(run / SKIPPED_FILE)
    if num_skipped:
        _copy(run / SKIPPED_FILE, target)
    if onnx:
        prompter = NanoPrompter.from_file(target / files.TOKENIZER_FILE)
        export_onnx(model, prompter.prefix_ids(model.config.num_visual_tokens), target)
    how = (
        "none" if not kept else {"merge": "merged into the weights", "keep": "kept apart"}[adapters]
    )
    card = card_of(run, model, name=run.resolve().name, adapters=how, num_skipped=num_skipped)
    (target / files.CARD_FILE).write_text(card, encoding="utf-8")
    return Exported(target, _write_checksums(target))


def card_of(run: Path, model: FineVQ, *, name: str, adapters: str, num_skipped: int) -> str:
    """Return the model card of a run.

    Raises:
        CheckpointError: a file of the run is missing or damaged.
    """
    facts = files.read_json(run / RUN_FILE)
    metrics = files.read_json(run / MODEL_FOLDER / files.METRICS_FILE)
    config = files.read_json(run / CONFIG_FILE)
    parts = [part.replace("_", " ") for part, learns in config["parts"].items() if learns]
    losses = config["losses"]
    learns_words = bool(losses["token_weight"])
    learns_scores = bool(losses["score_weight"] or losses["rank_weight"])
    best = {
        key: value
        for key, value in _best_numbers(metrics).items()
        if (learns_words if key in _OF_WORDS else learns_scores)
    }
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    text = environment.from_string(_CARD).render(
        name=name,
        model=model.config,
        config=config,
        code=facts["code"],
        libraries={k: v for k, v in facts["code"].items() if k not in ("finevq", "commit")},
        data=facts["data"],
        metrics=metrics,
        best=best,
        floors=facts.get("floors", {}),
        meanings=" ".join(text for key, text in _MEANINGS.items() if key in best),
        learns_words=learns_words,
        learns_scores=learns_scores,
        parts=", ".join(parts),
        adapters=adapters,
        num_skipped=num_skipped,
    )
    return text.rstrip() + "\n"


def _best_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    rows = [row for row in metrics["history"] if row["step"] == metrics["best_step"]]
    known = rows[-1].items() if rows else ()
    return {
        key: value
        for key, value in known
        if key not in ("step", "skipped") and isinstance(value, float) and value == value
    }


def _check_onnx(model: FineVQ, adapters: str) -> None:
    video = model.config.video
    if model.config.prompt != "nano" or video.motion != "bursts":
        raise ConfigError(
            "ONNX graphs are for nano's architecture with its motion branch; "
            f"{model.config.name!r} with motion = {video.motion} runs on torch"
        )
    if adapters == "keep":
        raise ConfigError("ONNX graphs hold merged weights; use --lora merge with --onnx")
    if not model.config.has_score_head:
        raise ConfigError("ONNX graphs answer with scores; this stage dropped the score head")


def _copy(path: Path, target: Path) -> None:
    if path.is_file():
        shutil.copyfile(path, target / path.name)


def _num_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0


def _write_checksums(folder: Path) -> tuple[str, ...]:
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    files.write_checksums(names, folder)
    return (*names, files.CHECKSUMS_FILE)
