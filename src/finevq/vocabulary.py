"""The words of fine-grained video quality: six dimensions, five levels, 27 attributes.

The only place where these words are spelled. Source: FineVQ (CVPR 2025), section 3.2, and the
public FineVD label files; where the release spells an attribute differently, `RELEASE_SPELLINGS`
maps it to the standard name used here.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Dimension(StrEnum):
    """One of the six perspectives from which a video is rated."""

    COLOR = "color"
    NOISE = "noise"
    ARTIFACT = "artifact"
    BLUR = "blur"
    TEMPORAL = "temporal"
    OVERALL = "overall"


DIMENSIONS: tuple[Dimension, ...] = tuple(Dimension)
"""All six, in the paper's order."""

FAULT_DIMENSIONS: tuple[Dimension, ...] = tuple(d for d in Dimension if d is not Dimension.OVERALL)
"""The five that have attributes of their own; overall is what they add up to."""

PICTURE_DIMENSIONS: tuple[Dimension, ...] = tuple(
    d for d in Dimension if d is not Dimension.TEMPORAL
)
"""The five that a single picture can tell of."""

PICTURE_FAULT_DIMENSIONS: tuple[Dimension, ...] = tuple(
    d for d in FAULT_DIMENSIONS if d in PICTURE_DIMENSIONS
)
"""The four that are both."""

NO_FAULT = "none"
"""The answer of the which-questions when nothing is wrong."""

QUALITY_LEVELS: tuple[str, ...] = ("bad", "poor", "fair", "good", "excellent")
"""Levels of color, temporal and overall, worst first."""

DISTORTION_LEVELS: tuple[str, ...] = ("severe", "strong", "mild", "slight", "undistorted")
"""Levels of noise, artifact and blur, worst first."""

NUM_LEVELS = len(QUALITY_LEVELS)

_DISTORTION_RATED = frozenset({Dimension.NOISE, Dimension.ARTIFACT, Dimension.BLUR})

ATTRIBUTES: Mapping[Dimension, tuple[str, ...]] = MappingProxyType(
    {
        Dimension.COLOR: (
            "low saturation",
            "high saturation",
            "underexposure",
            "overexposure",
            "low contrast",
            "high contrast",
            "other color",
        ),
        Dimension.NOISE: ("gaussian noise", "impulse noise", "stripe noise", "other noise"),
        Dimension.ARTIFACT: (
            "compression artifact",
            "blocking",
            "ringing",
            "moire",
            "other artifact",
        ),
        Dimension.BLUR: (
            "resolution blur",
            "camera blur",
            "compression blur",
            "motion blur",
            "exposure blur",
            "gaussian blur",
            "other blur",
        ),
        Dimension.TEMPORAL: ("shake", "stutter", "flicker", "other temporal"),
    }
)
"""The 27 distortion attributes, by the dimension that they harm."""

ALL_ATTRIBUTES: tuple[str, ...] = tuple(name for names in ATTRIBUTES.values() for name in names)

NAMES: tuple[str, ...] = (*DIMENSIONS, *ALL_ATTRIBUTES)
"""Everything that questions ask about."""

FAULT_NAMES: tuple[str, ...] = (*FAULT_DIMENSIONS, *ALL_ATTRIBUTES)
"""What is there or not, and has a severity."""

RELEASE_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "over dark": "underexposure",
        "over bright": "overexposure",
        "pulse": "impulse noise",
        "pulse noise": "impulse noise",
        "square artifact": "blocking",
        "shooting system": "camera blur",
        "shooting system blur": "camera blur",
        "lagging": "stutter",
        "shaking": "shake",
        "flickering": "flicker",
        "high contrast ratio": "high contrast",
        "low contrast ratio": "low contrast",
        "moire pattern": "moire",
        "ring artifact": "ringing",
        "gussian noise": "gaussian noise",
        "guassian blur": "gaussian blur",
        "sqaure artifact": "blocking",
        "other color distortion": "other color",
        "other tempporal distortion": "other temporal",
        "饱和度过低": "low saturation",
        "饱和度过高": "high saturation",
        "过暗": "underexposure",
        "过亮": "overexposure",
        "对比度不足": "low contrast",
        "对比度过高": "high contrast",
        "其他色彩失真": "other color",
        "高斯噪声": "gaussian noise",
        "脉冲噪声": "impulse noise",
        "条纹噪声": "stripe noise",
        "其他噪声": "other noise",
        "压缩伪影": "compression artifact",
        "块效应": "blocking",
        "振铃效应": "ringing",
        "摩尔纹": "moire",
        "其他伪影": "other artifact",
        "分辨率模糊": "resolution blur",
        "拍摄系统模糊": "camera blur",
        "压缩模糊": "compression blur",
        "运动模糊": "motion blur",
        "曝光模糊": "exposure blur",
        "高斯模糊": "gaussian blur",
        "其他模糊": "other blur",
        "抖动": "shake",
        "卡顿": "stutter",
        "频闪": "flicker",
        "其他时序失真": "other temporal",
    }
)
"""Spellings of the FineVD release that differ from the standard names; the Chinese ones are from
its abcd_train.jsonl and abcd_test.jsonl."""


def levels_of(dimension: Dimension) -> tuple[str, ...]:
    """Return the five level words of a dimension, worst first.

    >>> levels_of(Dimension.BLUR)
    ('severe', 'strong', 'mild', 'slight', 'undistorted')
    """
    return DISTORTION_LEVELS if dimension in _DISTORTION_RATED else QUALITY_LEVELS


def dimension_of(attribute: str) -> Dimension:
    """Return the dimension that an attribute belongs to.

    Raises:
        KeyError: `attribute` is not one of `ALL_ATTRIBUTES`.

    >>> dimension_of("moire")
    <Dimension.ARTIFACT: 'artifact'>
    """
    for dimension, names in ATTRIBUTES.items():
        if attribute in names:
            return dimension
    raise KeyError(f"unknown attribute {attribute!r}; known: {', '.join(ALL_ATTRIBUTES)}")


def level_index(score: float, low: float, high: float) -> int:
    """Return the level (0 worst .. 4 best) of a score, by five equal-width bins over [low, high].

    Scores outside the range belong to the outer bins; a score on a border to the better bin.
    Source: FineVQ official data, checked on all 585 LIVE-VQC labels of the release.

    Raises:
        ValueError: `high` is not greater than `low`.

    >>> [level_index(s, 0, 100) for s in (-5, 19.9, 20, 99, 100, 140)]
    [0, 0, 1, 4, 4, 4]
    """
    if not high > low:
        raise ValueError(f"a level needs a range: low {low} is not below high {high}")
    position = int((score - low) / (high - low) * NUM_LEVELS) if score > low else 0
    return min(position, NUM_LEVELS - 1)
