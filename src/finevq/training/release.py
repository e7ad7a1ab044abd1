"""What comes out of a run of nano: numbers on test data, files, a card.

Nothing here changes the weights but one thing: once its numbers are written down, the reader of
opinions learns from the test photographs, too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from finevq.model import folder as files
from finevq.model.export import export_onnx
from finevq.model.finevq import FineVQ
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.questions import Family
from finevq.records import Calibration
from finevq.settings import Settings
from finevq.training import measures
from finevq.training.calibrate import calibration_errors, fit_temperatures, fit_thresholds
from finevq.training.card import write_card
from finevq.training.card_pictures import CardFacts, draw_card
from finevq.training.config import NanoTrainingConfig
from finevq.training.encoded import EncodedSet
from finevq.training.going_on import Earlier
from finevq.training.lessons import all_questions
from finevq.training.opinion_stage import OpinionStage
from finevq.training.predictions import Predictions, predict
from finevq.training.samples import Split
from finevq.vocabulary import DIMENSIONS, PICTURE_DIMENSIONS, Dimension

EncodedSets = dict[tuple[Split, bool], EncodedSet]
"""By split, and whether they are photographs with opinions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A trained model, and what judges it."""

    model: FineVQ
    prompter: NanoPrompter
    sets: EncodedSets
    with_stills: Mapping[str, EncodedSet]
    """Clips and behind them stills, of the validation and the test split."""
    opinions: OpinionStage
    histories: dict[str, list[dict[str, float]]]
    """Validation numbers of the stages."""
    kept: Earlier | None
    """The earlier model whose weights these are, unchanged; None for a model that learnt."""


def release(
    finished: Finished, config: NanoTrainingConfig, output: Path, settings: Settings
) -> dict[str, Any]:
    """Measure a model, and write everything that its folder holds.

    Args:
        finished: The model.
        config: The recipe.
        output: The folder.
        settings: Limits of reading videos.

    Returns:
        What is written to metrics.json.
    """
    model, kept = finished.model, finished.kept
    mos_range = (config.mos_low, config.mos_high)
    calibration = _calibration(finished, config)
    temperatures = {Family(name): value for name, value in calibration.temperatures.items()}
    test = finished.sets["test", False]
    on_all = predict(model, finished.prompter, finished.with_stills["test"], all_questions())
    on_test, on_stills = on_all.part(range(len(test))), on_all.part(range(len(test), len(on_all)))
    metrics = {
        "data": _sizes(finished, config),
        **({} if kept is None else {"weights_of": version_that_learnt(kept, config)}),
        "test_clips": {
            **_clip_measures(on_test, test, calibration),
            "calibration_error": calibration_errors(on_test, test.samples, mos_range, temperatures),
        },
        "history": finished.histories,
        **_still_measures(on_all, on_stills, finished.with_stills["test"], calibration),
        **_people(finished, config, on_test),
    }
    files.write_config(model.config, output)
    files.write_calibration(calibration, output)
    weights = output / files.WEIGHTS_FILE
    save_file(_released_weights(model), weights)
    prefix_ids = finished.prompter.prefix_ids(model.config.num_visual_tokens)
    export_onnx(model, prefix_ids, output, weights=weights)
    (output / files.METRICS_FILE).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    draw_card(
        CardFacts(
            histories=finished.histories,
            predictions=on_test,
            samples=test.samples,
            temperatures=temperatures,
            thresholds=calibration.thresholds,
            mos_range=mos_range,
        ),
        output / files.CARD_PICTURES,
        settings,
    )
    write_card(metrics, config, output, model.config)
    _write_checksums(output)
    return metrics


def _calibration(finished: Finished, config: NanoTrainingConfig) -> Calibration:
    """Fit temperatures and thresholds to validation data, or take those that came with weights."""
    if finished.kept is not None and config.start is not None:
        return files.read_calibration(config.start)
    # Stills too: in clips alone some attributes are too rare to find a threshold on.
    validation = finished.with_stills["validation"]
    answers = predict(finished.model, finished.prompter, validation, all_questions())
    mos_range = (config.mos_low, config.mos_high)
    temperatures = fit_temperatures(answers, validation.samples, mos_range)
    return Calibration(
        temperatures={str(name): value for name, value in temperatures.items()},
        thresholds=fit_thresholds(answers, validation.samples, temperatures),
    )


def version_that_learnt(kept: Earlier, config: NanoTrainingConfig) -> str:
    """Return the version that learnt weights, however often they were measured since.

    Args:
        kept: What all weights are taken from.
        config: The recipe; its `start` is the folder of `kept`.
    """
    assert config.start is not None  # or nothing could be kept
    return str(kept.metrics.get("weights_of", files.read_config(config.start).version))


def _sizes(finished: Finished, config: NanoTrainingConfig) -> dict[str, Any]:
    """Count samples; of weights that were kept, those that they learnt from."""
    sets = finished.sets
    sizes: dict[str, Any] = {
        "clips": {split: len(sets[split, False]) for split, human in sets if not human},
        "photographs": {split: len(sets[split, True]) for split, human in sets if human},
        "sources": len({sample.group for part in sets.values() for sample in part.samples}),
    }
    if finished.kept is not None:
        learnt = finished.kept.metrics["data"]
        for kind in ("clips", "photographs"):
            sizes[kind]["train"] = learnt[kind].get("train", 0)
    return sizes


def _clip_measures(
    answers: Predictions, test: EncodedSet, calibration: Calibration
) -> dict[str, Any]:
    samples = test.samples
    return {
        "srcc_mos": measures.score_correlations(answers, samples),
        "srcc_severity": measures.severity_correlations(answers, samples),
        "intervals": measures.score_intervals(answers, samples),
        "srcc_residual": measures.residual_correlations(answers, samples),
        "floor_overall_as_dimension": measures.overall_as_dimension(samples),
        "ceiling_of_severity": measures.score_as_severity(samples),
        "yes_no": measures.yes_no_accuracies(answers, samples, calibration),
        "attributes": measures.attribute_measures(answers, samples, calibration),
        "most_impactful": measures.most_impactful_accuracy(answers, samples),
        "by_source": measures.measures_by_source(answers, samples, DIMENSIONS),
    }


def _still_measures(
    on_all: Predictions, on_stills: Predictions, with_stills: EncodedSet, calibration: Calibration
) -> dict[str, Any]:
    if not len(on_stills):
        return {}
    samples = with_stills.samples[len(with_stills) - len(on_stills) :]
    by_source = measures.measures_by_source(on_stills, samples, PICTURE_DIMENSIONS)
    return {
        "test_stills": {
            "count": len(samples),
            "srcc_severity_with_clips": measures.severity_correlations(on_all, with_stills.samples),
            "srcc_severity": measures.severity_correlations(on_stills, samples),
            "ceiling_of_severity": measures.score_as_severity(samples),
            "attributes": measures.attribute_measures(on_stills, samples, calibration),
            "by_source": by_source,
            "sets": measures.measures_of_sets(on_stills, samples),
        }
    }


def _people(finished: Finished, config: NanoTrainingConfig, on_test: Predictions) -> dict[str, Any]:
    """Compare overall with people's opinions; then let the test photographs teach it, too."""
    if ("test", True) not in finished.sets:
        return {}
    model, prompter, opinions = finished.model, finished.prompter, finished.opinions
    numbers: dict[str, Any] = {
        "test_photographs": measures.human_measures(*opinions.overall_of_test(prompter)),
        "unseen_photographs": measures.human_measures(
            *opinions.overall_of_unseen(prompter, ("validation", "test"))
        ),
    }
    if finished.kept is not None:
        return {**numbers, "taught_by_test": finished.kept.metrics.get("taught_by_test")}
    if config.opinion.learns_test:
        opinions.fit(("train", "validation", "test"))
        rating = [questions.rating(Dimension.OVERALL)]
        after = predict(model, prompter, finished.sets["test", False], rating)
        numbers["taught_by_test"] = _changes(on_test, after)
    return numbers


def _changes(before: Predictions, after: Predictions) -> dict[str, float]:
    """Return how much overall scores of the same videos differ, in points and in order."""
    rating = questions.rating(Dimension.OVERALL)
    first, second = before.scores_of(rating), after.scores_of(rating)
    apart = np.abs(first - second)
    return {
        "median": float(np.median(apart)),
        "largest": float(apart.max()),
        "srcc": measures.srcc(first, second),
    }


def _released_weights(model: FineVQ) -> dict[str, torch.Tensor]:
    # The output layer shares the embedding's tensor, which safetensors stores once. Statistics
    # (buffers) keep single precision: some variances are beyond what half precision can say.
    state = {name: tensor.half() for name, tensor in model.named_parameters()}
    # Only what a loader gives a place: buffers that are computed anew are no weights.
    stored = model.state_dict()
    state |= {
        name: tensor
        for name, tensor in model.named_buffers()
        if name in stored and tensor.is_floating_point()
    }
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _write_checksums(folder: Path) -> None:
    names = (
        files.CONFIG_FILE,
        files.TOKENIZER_FILE,
        files.CALIBRATION_FILE,
        files.WEIGHTS_FILE,
        files.VIDEO_ENCODER_FILE,
        files.DECODER_FILE,
    )
    files.write_checksums(names, folder)
