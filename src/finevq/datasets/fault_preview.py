"""A contact sheet of all faults on one of the user's own pictures."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from finevq.datasets.camera import film, handheld_path
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.degradations.preview import contact_sheet
from finevq.datasets.filming import even
from finevq.datasets.sources import Source, SourceKind, read_photo
from finevq.errors import DatasetError
from finevq.vocabulary import ALL_ATTRIBUTES


def write_preview(
    path: Path,
    sources: Sequence[Source],
    *,
    seed: int = 0,
    variants: int = 1,
    attributes: Sequence[str] = (),
) -> Path:
    """Draw the contact sheet of `degradations.preview` on one of the photographs or drawings.

    Raises:
        DatasetError: an unknown attribute, no photograph or drawing among the sources, or a file
            name that is no picture's.
    """
    unknown = [name for name in attributes if name not in ALL_ATTRIBUTES]
    if unknown:
        raise DatasetError(f"unknown attribute {unknown[0]!r}; known: {', '.join(ALL_ATTRIBUTES)}")
    photos = [source for source in sources if source.kind is not SourceKind.CLIP]
    if not photos:
        raise DatasetError("the contact sheet needs a photograph or drawing among the sources")
    if path.suffix.lower() not in {".png", ".jpg", ".webp"}:
        raise DatasetError(f"{path}: the contact sheet is a picture; name it .png, .jpg or .webp")
    rng = np.random.default_rng(seed)
    picture = read_photo(photos[int(rng.integers(len(photos)))].path)
    height = min(566, int(picture.shape[0] / 1.05), int(picture.shape[1] / 1.05 * 9 / 16))
    size = (even(height * 16 / 9), even(height))
    frames = film(picture, size, handheld_path(36, 30.0, rng), rng, field_of_view=0.85)
    sheet = contact_sheet(
        Footage(frames, 30.0),
        attributes=attributes or ALL_ATTRIBUTES,
        variants=variants,
        seed=seed,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return path
