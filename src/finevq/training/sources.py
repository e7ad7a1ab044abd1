"""Data sets as training samples: degraded clips with known faults, photographs with opinions."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

from finevq.datasets.sources import SourceKind
from finevq.datasets.splits import fold_of
from finevq.datasets.synthetic import SyntheticClip, read_manifest
from finevq.errors import DatasetError
from finevq.training.config import NanoTrainingConfig
from finevq.training.samples import Split, TrainingSample
from finevq.vocabulary import Dimension

_log = logging.getLogger(__name__)
_FINEVD_MEAN, _FINEVD_STD = 50.0, 13.0


def synthetic_samples(manifest: Path) -> list[TrainingSample]:
    """Read degraded clips; their splits are by source.

    Raises:
        DatasetError: the manifest cannot be read.
    """
    return [_synthetic(clip) for clip in read_manifest(manifest)]


def human_samples(config: NanoTrainingConfig) -> list[TrainingSample]:
    """Read photographs with people's opinions, split into folds by a hash of their names.

    Their MOS is moved to FineVD's mean and spread; the order stays as it was.

    Raises:
        DatasetError: mos.csv is missing or an image that it names is.
    """
    folder = config.data.human
    if folder is None:
        return []
    try:
        with open(folder / "mos.csv", encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        entries = [(row["image"], float(row["mos"])) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{folder / 'mos.csv'} needs columns image and mos: {error!r}") from None
    samples = []
    for image, mos in entries:
        path = folder / "images" / image
        if not path.is_file():
            raise DatasetError(f"{folder / 'mos.csv'} names {image}, but there is no {path}")
        moved = _FINEVD_MEAN + (mos - config.human_mean) / config.human_std * _FINEVD_STD
        samples.append(
            TrainingSample(
                path=str(path),
                group=image,
                split=_fold_split(image, config),
                mos={Dimension.OVERALL: moved},
            )
        )
    return samples


def taught_samples(manifests: Sequence[Path], config: NanoTrainingConfig) -> list[TrainingSample]:
    """Read one or several sets of degraded clips, without what may not be learnt from.

    Those are training clips made from photographs of held-out folds.

    `finevq data synthesize --rated-folds` need not make such; this is for other folds than it
    was told, as in a cross-validation.

    Raises:
        DatasetError: a manifest or the photographs cannot be read.
    """
    samples = [sample for manifest in manifests for sample in synthetic_samples(manifest)]
    return without_held_out_sources(samples, human_samples(config))


def taught_stills(config: NanoTrainingConfig) -> list[TrainingSample]:
    """Read the stills of all splits, and behind them what teaches of further ones.

    Raises:
        DatasetError: a manifest or the photographs cannot be read.
    """
    stills = taught_samples(config.data.stills, config)
    further = taught_samples(config.data.further_stills, config)
    taught = [sample for sample in further if sample.split == "train"]
    return stills + without_held_out_sources(taught, stills)


def without_held_out_sources(
    samples: Sequence[TrainingSample], others: Sequence[TrainingSample]
) -> list[TrainingSample]:
    """Leave out the training samples that share their source with others of held-out splits.

    No picture may be learnt from as it is and judged in a degraded copy, nor the other way round.
    """
    held_out = {Path(other.group).name for other in others if other.split != "train"}
    kept = [
        sample
        for sample in samples
        if sample.split != "train" or Path(sample.group).name not in held_out
    ]
    if len(kept) < len(samples):
        _log.info(
            "%d training samples show what is held out elsewhere and are not learnt from",
            len(samples) - len(kept),
        )
    return kept


def _fold_split(name: str, config: NanoTrainingConfig) -> Split:
    fold = fold_of(name, config.data.human_folds)
    if fold == config.data.test_fold:
        return "test"
    selects = config.data.people_select and fold == config.data.validation_fold
    return "validation" if selects else "train"


def _synthetic(clip: SyntheticClip) -> TrainingSample:
    return TrainingSample(
        path=str(clip.path),
        group=clip.source,
        split=clip.split,
        mos=dict(clip.mos),
        severities=dict(clip.attribute_severities),
        dimension_severities=dict(clip.severities),
        distorted=dict(clip.distorted),
        most_impactful=clip.most_impactful,
        source_quality=clip.source_quality,
        scene=None if clip.scene is None else f"{clip.path.parent}#{clip.scene}",
        is_photographed=clip.source_kind != SourceKind.DRAWING and not clip.is_gray,
    )
