"""Records for tests: an assessment of any scores, complete in every field."""

import io
from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np

from finevq.records import (
    Assessment,
    AttributeEstimate,
    DimensionAssessment,
    MediaInfo,
    ModelIdentity,
    Thumbnail,
    TimelineSegment,
)
from finevq.vocabulary import (
    ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    NO_FAULT,
    NUM_LEVELS,
    Dimension,
    level_index,
    levels_of,
)

MODEL = ModelIdentity("test-model", "7")
"""Identity of the deterministic session of the tests; the name of no preset."""


def make_assessment(
    video: str,
    scores: Mapping[Dimension, float] | None = None,
    *,
    timeline: bool = False,
    thumbnails: bool = False,
    warnings: tuple[str, ...] = (),
    seed: int = 0,
) -> Assessment:
    """Return a complete assessment; what is not given follows from `seed`."""
    random = np.random.default_rng(seed)
    if scores is None:
        scores = {d: float(random.uniform(20, 90)) for d in DIMENSIONS}
    parts = {d: _dimension(d, scores[d], random) for d in DIMENSIONS}
    worst = min(FAULT_DIMENSIONS, key=lambda d: scores[d])
    impact = str(worst) if scores[worst] < 60 else NO_FAULT
    sure = float(random.uniform(0.4, 0.9))
    others = [d for d in (*map(str, FAULT_DIMENSIONS), NO_FAULT) if d != impact]
    return Assessment(
        video=video,
        model=MODEL,
        dimensions=parts,
        most_impactful=impact,
        most_impactful_probabilities={impact: sure} | dict.fromkeys(others, (1 - sure) / 5),
        description=(
            f"The overall quality of this video is {parts[Dimension.OVERALL].level}. "
            f"Its {worst} is {parts[worst].level}, with signs of "
            f"{parts[worst].attributes[0].name}."
        ),
        media=MediaInfo(
            codec="h264",
            width=1920,
            height=1080,
            fps=30000 / 1001,
            num_frames=300,
            duration_seconds=10.01,
            rotation_degrees=0,
            pixel_format="yuv420p",
            container="mov,mp4,m4a,3gp,3g2,mj2",
            bit_rate=8_123_456,
        ),
        seconds={"decode": 0.4123456, "model": 0.3798765},
        timeline=tuple(_segments(scores, random)) if timeline else (),
        warnings=warnings,
        thumbnails=tuple(_thumbnails(random)) if thumbnails else (),
    )


def _dimension(
    dimension: Dimension, score: float, random: np.random.Generator
) -> DimensionAssessment:
    levels = levels_of(dimension)
    best = level_index(score, 0, 100)
    weights = np.exp(-np.abs(np.arange(NUM_LEVELS) - (score / 20 - 0.5)) * 1.5)
    probabilities = weights / weights.sum()
    if dimension is Dimension.OVERALL:
        return DimensionAssessment(
            score=score,
            level=levels[best],
            level_probabilities=dict(zip(levels, map(float, probabilities), strict=True)),
            percentile=score * 0.97,
        )
    chances = np.sort(random.uniform(0, 1 - score / 120, len(ATTRIBUTES[dimension])))[::-1]
    names = random.permutation(ATTRIBUTES[dimension])
    return DimensionAssessment(
        score=score,
        level=levels[best],
        level_probabilities=dict(zip(levels, map(float, probabilities), strict=True)),
        percentile=score * 0.97,
        distorted=score < 55,
        distorted_probability=1 - score / 100,
        attributes=tuple(
            AttributeEstimate(str(name), float(chance), present=bool(chance >= 0.5))
            for name, chance in zip(names, chances, strict=True)
        ),
    )


def _segments(
    scores: Mapping[Dimension, float], random: np.random.Generator
) -> list[TimelineSegment]:
    def shaken(score: float) -> float:
        return float(np.clip(score + random.normal(0, 6), 0, 100))

    return [
        TimelineSegment(start, start + 1.0, {d: shaken(scores[d]) for d in DIMENSIONS})
        for start in map(float, range(10))
    ]


def _thumbnails(random: np.random.Generator, width: int = 160, height: int = 90) -> list[Thumbnail]:
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    pictures = []
    for i in range(8):
        tint = random.uniform(0.3, 1, 3)
        light = 0.3 + 0.7 * np.abs(np.sin(3 * across + i / 4) * np.cos(2 * down))
        pixels = (light[..., None] * tint * 255).astype(np.uint8)
        pictures.append(Thumbnail(i * 1.25 + 0.6, _jpeg(pixels), width, height))
    return pictures


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(1))
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = "yuvj420p"
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)
    return buffer.getvalue()
