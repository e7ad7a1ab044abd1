"""How well is overall read from photographs that neither encoder nor reader ever saw?

    python benchmarks/cross_validation.py --human FOLDER --stills MANIFEST [--stills MANIFEST ...]
        --output FOLDER [--rounds 3]

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
from finevq.training.config import DataConfig, EncoderStageConfig, NanoTrainingConfig
from finevq.training.features import FeatureStore
from finevq.training.freed_memory import keep_freed_memory
from finevq.training.measures import agreement, srcc
from finevq.training.nano import encoder_pass, encoder_sets, finished_encoder_pass
from finevq.training.nano_data import frozen_encoder, still_set
from finevq.training.opinions import OpinionReader, RatedViews, overall_of
from finevq.training.pretrained import load_imagenet_weights
from finevq.training.samples import TrainingSample
from finevq.training.sources import human_samples
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
    parser.add_argument("--rounds", type=int, default=EncoderStageConfig().rounds)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1 is needed")
    _keep_apart(options)
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
    untrained = _features(_fresh(), photographs, config)
    said = {"trained": np.zeros(len(mos)), "imagenet": np.zeros(len(mos))}
    encoders = {}
    for rotation in rotations(data.human_folds):
        first, second = rotation.left_out
        own = replace(config, data=replace(data, test_fold=first, validation_fold=second))
        model, history = _trained(own, options.output / f"without-{first}-{second}")
        encoders[f"without folds {first}, {second}"] = history[-1]
        views = _features(model, photographs, config)
        is_unseen = np.isin(folds, rotation.left_out)
        for fold in rotation.judged:
            asked = folds == fold
            # What the encoder has learnt from says less about what it has not.
            taught = [(~is_unseen, 1.0), (is_unseen & ~asked, config.opinion.unseen_weight)]
            said["trained"][asked] = _judged(views, mos, taught, asked)
    for fold in range(data.human_folds):
        asked = folds == fold
        said["imagenet"][asked] = _judged(untrained, mos, [(~asked, 1.0)], asked)
    said["metadata"] = _by_metadata(photographs, folds)
    result = {
        "photographs": len(photographs),
        "rounds": options.rounds,
        "overall": {name: _by_fold(scores, mos, folds) for name, scores in said.items()},
        "encoders_last_round": encoders,
    }
    print(json.dumps(result, indent=1))
    (options.output / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def _keep_apart(options: argparse.Namespace) -> None:
    """Go on with the same question only: encoders of other pictures or rounds answer another."""
    asked = {
        "human": str(options.human),
        "stills": [str(path) for path in options.stills],
        "rounds": options.rounds,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "asked.json"
    if file.exists() and json.loads(file.read_text()) != asked:
        raise SystemExit(f"{options.output} holds a run of other choices ({file}); use another")
    file.write_text(json.dumps(asked, indent=1) + "\n")


def rotations(num_folds: int) -> Iterator[Rotation]:
    """Yield pairs of neighbouring folds that cover all, each fold judged once."""
    for first in range(0, num_folds, 2):
        second = (first + 1) % num_folds
        yield Rotation((first, second), (first, second) if second > first else (first,))


def _by_fold(scores: _Scores, mos: _Scores, folds: NDArray[np.int_]) -> dict[str, object]:
    """Return SRCC of each fold, their mean, and how all agree at once."""
    by_fold = [srcc(scores[folds == fold], mos[folds == fold]) for fold in np.unique(folds)]
    mean = float(np.mean(by_fold))
    return {"srcc_by_fold": by_fold, "srcc_mean": mean, **agreement(scores, mos)}


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
    torch.manual_seed(config.seed)
    history = finished_encoder_pass(model, state / "encoder")
    if history is not None:
        return model, history
    sets = replace(
        encoder_sets(model, config, config.encoder, Settings()), validation_photographs=None
    )
    return model, encoder_pass(model, sets, config.encoder, config.seed, state / "encoder")


def _features(
    model: FineVQ, photographs: Sequence[TrainingSample], config: NanoTrainingConfig
) -> torch.Tensor:
    """Return (N, 1, views, crops, features) of all photographs, in order."""
    all_alike = [replace(sample, split="test") for sample in photographs]
    crops = config.encoder.human_crops
    pictures = still_set(model, all_alike, "test", crops, config, Settings())
    if pictures is None or len(pictures) < len(photographs):
        raise SystemExit("some photographs cannot be read; the log says which")
    store = FeatureStore(config.data.cache, model.config, frozen_encoder(model), Settings())
    return crops_as_frames(store.encode_stills(pictures, config.data.workers), crops)


def _judged(
    views: torch.Tensor,
    mos: _Scores,
    taught: Sequence[tuple[NDArray[np.bool_], float]],
    asked: NDArray[np.bool_],
) -> _Scores:
    """Return opinions of the asked pictures by a reader of others, each part with its weight."""
    rated = [
        RatedViews(views[np.flatnonzero(part)], mos[part].tolist(), weight)
        for part, weight in taught
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


if __name__ == "__main__":
    main()
