"""How well is overall read from photographs that neither encoder nor reader ever saw?

    python benchmarks/cross_validation.py --human FOLDER --stills MANIFEST [--stills MANIFEST ...]
        --output FOLDER [--rounds 7]

The released numbers are of two of five folds of photographs. Here each fold is judged by an image
encoder and a reader of opinions that never saw it: three encoders, each trained anew from ImageNet
weights by the recipe's first pass without two neighbouring folds (pictures that were degraded from
photographs of those included), and for each fold a reader that learnt from the other four. The
round of an encoder is selected by known faults alone, so no opinion of a judged photograph takes
part in anything. An encoder takes half an hour on two cores; a run that is killed goes on.

Floors: a constant answer (RMSE alone; it has no order), container facts without the picture
(ridge regression), and the same reader on the encoder's ImageNet weights.
"""

import argparse
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from finevq.datasets.labels import LabelledVideo, LabelSet, VideoFacts
from finevq.datasets.splits import fold_of
from finevq.evaluation.floors import metadata_scores
from finevq.model.finevq import FineVQ
from finevq.model.presets import nano
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.settings import Settings
from finevq.training.config import DataConfig, NanoTrainingConfig
from finevq.training.encoder_stage import StillSets, train_encoder
from finevq.training.features import FeatureStore
from finevq.training.freed_memory import keep_freed_memory
from finevq.training.measures import bootstrap_interval, srcc
from finevq.training.nano_data import frozen_encoder, still_set
from finevq.training.opinions import OpinionReader, RatedViews, overall_of
from finevq.training.pretrained import load_imagenet_weights
from finevq.training.samples import TrainingSample
from finevq.training.sources import human_samples, taught_samples, without_held_out_sources
from finevq.training.stills import StillSet
from finevq.training.stills_as_clips import crops_as_frames
from finevq.vocabulary import Dimension

_Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rotation:
    """Two folds that an encoder never sees, and which of them it is there to judge."""

    left_out: tuple[int, int]
    judged: tuple[int, ...]


def main() -> None:
    """Train, judge, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--human", type=Path, required=True, help="images/ and mos.csv")
    parser.add_argument("--stills", type=Path, required=True, action="append")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.output.mkdir(parents=True, exist_ok=True)
    data = DataConfig(
        manifest=options.stills[0],  # clips take no part
        stills=tuple(options.stills),
        human=options.human,
        cache=options.output / "cache",
    )
    config = NanoTrainingConfig(data=data)
    config = replace(config, encoder=replace(config.encoder, rounds=options.rounds))
    torch.set_num_threads(config.threads)
    keep_freed_memory()

    photographs = human_samples(config)
    folds = np.array([fold_of(sample.group, data.human_folds) for sample in photographs])
    mos = np.array(overall_of(photographs))
    said = {name: np.full(len(photographs), np.nan) for name in ("trained", "imagenet")}
    encoders = {}
    untrained = _features(_fresh(), photographs, config)
    for rotation in rotations(data.human_folds):
        first, second = rotation.left_out
        own = replace(config, data=replace(data, test_fold=first, validation_fold=second))
        model, history = _trained(own, options.output / f"without-{first}-{second}")
        encoders[f"without folds {first}, {second}"] = history[-1]
        views = _features(model, photographs, config)
        for fold in rotation.judged:
            # What the encoder has learnt from says less about what it has not.
            weights = [1.0, config.opinion.unseen_weight]
            parts = [~np.isin(folds, rotation.left_out), np.isin(folds, set_of(rotation, fold))]
            said["trained"][folds == fold] = _judged(views, mos, parts, weights, folds == fold)
            said["imagenet"][folds == fold] = _judged(
                untrained, mos, [folds != fold], [1.0], folds == fold
            )
    said["metadata"] = _by_metadata(photographs, folds)
    result = {
        "photographs": len(photographs),
        "rounds": options.rounds,
        "overall": {name: agreement(scores, mos, folds) for name, scores in said.items()},
        "rmse_of_constant": round(_error(_means_of_others(mos, folds), mos), 2),
        "encoders_last_round": encoders,
    }
    print(json.dumps(result, indent=1))
    (options.output / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def rotations(num_folds: int) -> Iterator[Rotation]:
    """Yield pairs of neighbouring folds that cover all, each fold judged once."""
    for first in range(0, num_folds, 2):
        second = (first + 1) % num_folds
        yield Rotation((first, second), (first, second) if second > first else (first,))


def set_of(rotation: Rotation, fold: int) -> list[int]:
    """Return the folds that the encoder saw no more than the judged one."""
    return [other for other in rotation.left_out if other != fold]


def agreement(scores: _Scores, mos: _Scores, folds: NDArray[np.int_]) -> dict[str, object]:
    """Return SRCC of each fold, their mean, and SRCC, PLCC and RMSE of all at once."""
    by_fold = [round(srcc(scores[folds == f], mos[folds == f]), 3) for f in np.unique(folds)]
    return {
        "srcc_by_fold": by_fold,
        "srcc_mean": round(float(np.mean(by_fold)), 3),
        "srcc": round(srcc(scores, mos), 3),
        "srcc_interval": [round(end, 3) for end in bootstrap_interval(scores, mos)],
        "plcc": round(float(np.corrcoef(scores, mos)[0, 1]), 3),
        "rmse": round(_error(scores, mos), 2),
    }


def _fresh() -> FineVQ:
    prompter = NanoPrompter(train_tokenizer())
    size, placeholder = prompter.vocabulary_size, prompter.context_id
    model = FineVQ(nano(vocabulary_size=size, context_token_id=placeholder))
    load_imagenet_weights(frozen_encoder(model))
    model.image_encoder.eval()
    return model


def _trained(
    config: NanoTrainingConfig, state: Path
) -> tuple[FineVQ, Sequence[Mapping[str, float]]]:
    """Return a model whose image encoder learnt without the two left-out folds."""
    state.mkdir(exist_ok=True)
    model = _fresh()
    encoder, finished = frozen_encoder(model), state / "weights.pt"
    if finished.exists():
        saved = torch.load(finished, weights_only=True)
        encoder.load_state_dict(saved["weights"])
        return model, saved["history"]
    torch.manual_seed(config.seed)
    stills = taught_samples(config.data.stills, config)
    photographs = without_held_out_sources(human_samples(config), stills)
    num_crops = config.encoder.crops
    validation = _pictures(model, stills, "validation", num_crops, config)
    sets = StillSets(
        clips=_pictures(model, stills, "train", num_crops, config),
        photographs=_pictures(model, photographs, "train", config.encoder.human_crops, config),
        validation_clips=validation.part(range(min(len(validation), 480))),
        validation_photographs=None,
    )
    logging.info("without folds %d, %d: %d stills, %d photographs", config.data.test_fold,
                 config.data.validation_fold, len(sets.clips), len(photographs))  # fmt: skip
    history = train_encoder(
        encoder,
        model.config.image_encoder,
        sets,
        config.encoder,
        seed=config.seed,
        state=state / "state.pt",
    )
    torch.save({"weights": encoder.state_dict(), "history": history}, finished)
    return model, history


def _pictures(
    model: FineVQ,
    samples: Sequence[TrainingSample],
    split: str,
    crops: int,
    config: NanoTrainingConfig,
) -> StillSet:
    pictures = still_set(model, samples, split, crops, config, Settings())
    if pictures is None:
        raise SystemExit(f"no picture in {split}: give --stills of more sources")
    return pictures


def _features(
    model: FineVQ, photographs: Sequence[TrainingSample], config: NanoTrainingConfig
) -> torch.Tensor:
    """Return (N, 1, views, crops, features) of all photographs, in order."""
    all_alike = [replace(sample, split="test") for sample in photographs]
    crops = config.encoder.human_crops
    pictures = _pictures(model, all_alike, "test", crops, config)
    if len(pictures) < len(photographs):
        raise SystemExit(f"only {len(pictures)} of {len(photographs)} photographs can be read")
    store = FeatureStore(config.data.cache, model.config, frozen_encoder(model), Settings())
    return crops_as_frames(store.encode_stills(pictures, config.data.workers), crops)


def _judged(
    views: torch.Tensor,
    mos: _Scores,
    taught: Sequence[NDArray[np.bool_]],
    weights: Sequence[float],
    asked: NDArray[np.bool_],
) -> _Scores:
    rated = [
        RatedViews(views[np.flatnonzero(part)], mos[part].tolist(), weight)
        for part, weight in zip(taught, weights, strict=True)
    ]
    return OpinionReader(rated)(views[np.flatnonzero(asked)])


def _by_metadata(photographs: Sequence[TrainingSample], folds: NDArray[np.int_]) -> _Scores:
    """Return overall by what a file says of itself, each fold learnt from the others."""
    videos = []
    for sample in photographs:
        path = Path(sample.path)
        with Image.open(path) as picture:
            width, height = picture.size
        facts = VideoFacts(
            width=width, height=height, fps=1.0, num_frames=1, bit_rate=8.0 * path.stat().st_size
        )
        videos.append(LabelledVideo(name=sample.group, mos=sample.mos, facts=facts))
    labels = LabelSet(name="photographs", scale=(0, 100), videos=tuple(videos), source="")
    scores = np.zeros(len(photographs))
    for fold in np.unique(folds):
        scores[folds == fold] = metadata_scores(
            labels.keep((folds != fold).tolist()),
            labels.keep((folds == fold).tolist()),
            Dimension.OVERALL,
            regressor="ridge",
        )
    return scores


def _means_of_others(mos: _Scores, folds: NDArray[np.int_]) -> _Scores:
    return np.array([mos[folds != fold].mean() for fold in folds])


def _error(scores: _Scores, mos: _Scores) -> float:
    return float(np.sqrt(np.mean((scores - mos) ** 2)))


if __name__ == "__main__":
    main()
