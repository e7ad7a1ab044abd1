"""Does overall fall with the rate at which a picture was coded, whatever the coder and the scene?

    python benchmarks/coded_pictures.py --pictures FOLDER [--model nano] [--max-pictures 20]

Good pictures are cut to 768 x 512, coded by three still and three video coders at several rates,
and stored as PNG, so that nothing but pixels tells. Truth is VMAF against the picture before
(libvmaf; Li et al., "Toward a practical perceptual video quality metric", Netflix 2016): no
people, but what their ratings of coded video taught it. SRCC of each dimension's score with it,
over all pictures and coders at once, and within each picture. Floors: a constant answer has none;
the bits of a pixel, which no reader of pixels knows, stand beside ("metadata only").
"""

import argparse
import io
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageOps
from scipy.stats import spearmanr

import finevq
from finevq.datasets.degradations.vmaf import measure_vmaf
from finevq.inference.session import Session
from finevq.vocabulary import DIMENSIONS

_SIZE = (768, 512)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_FPS = 25.0

STILL_CODERS: Mapping[str, Sequence[tuple[str, Mapping[str, object]]]] = {
    "JPEG": [("JPEG", {"quality": quality}) for quality in (5, 12, 25, 60)],
    "JPEG 2000": [
        ("JPEG2000", {"quality_mode": "rates", "quality_layers": [rate]})
        for rate in (120, 60, 30, 15)
    ],
    "WebP": [("WEBP", {"quality": quality}) for quality in (1, 10, 40)],
}
"""Name -> Pillow's formats and options, worst first."""
VIDEO_CODERS: Mapping[str, Sequence[Sequence[str]]] = {
    "H.264": [("-c:v", "libx264", "-crf", str(crf)) for crf in (48, 42, 36, 30)],
    "HEVC": [
        ("-c:v", "libx265", "-x265-params", f"crf={crf}:log-level=none") for crf in (48, 42, 36, 30)
    ],
    "AV1": [
        ("-c:v", "libaom-av1", "-b:v", "0", "-cpu-used", "6", "-crf", str(crf))
        for crf in (62, 52, 42)
    ],
}
"""Name -> options of ffmpeg, worst first."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded picture, what it cost, what is left of it and what the model says."""

    picture: str
    coder: str
    bits_per_pixel: float
    vmaf: float
    scores: Mapping[str, float]


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--max-pictures", type=int, default=20)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    session = finevq.load(options.model)
    found = sorted(p for p in options.pictures.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not found:
        parser.error(f"no picture ({', '.join(sorted(_SUFFIXES))}) in {options.pictures}")
    paths = found[: options.max_pictures]
    rows = [row for path in paths for row in judged(session, path)]
    result = {"pictures": len(paths), "coded": len(rows), **table(rows)}
    print(json.dumps(result, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def judged(session: Session, path: Path) -> Iterator[Coded]:
    """Code a picture in all ways and assess what comes out."""
    with Image.open(path) as opened:
        picture = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), _SIZE)
    reference = np.asarray(picture)[None]
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "picture.png"
        for coder, decoded, num_bytes in coded(picture):
            decoded.save(shown)
            assessment = session.assess(str(shown))
            yield Coded(
                path.name,
                coder,
                8 * num_bytes / (picture.width * picture.height),
                measure_vmaf(shown.read_bytes(), reference, _FPS, every=1),
                {str(d): assessment.dimensions[d].score for d in DIMENSIONS},
            )


def coded(picture: Image.Image) -> Iterator[tuple[str, Image.Image, int]]:
    """Yield a coder's name, the decoded picture and the bytes that it took."""
    for name, settings in STILL_CODERS.items():
        for kind, options in settings:
            stored = io.BytesIO()
            picture.save(stored, kind, **options)
            yield name, Image.open(stored).convert("RGB"), len(stored.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "picture.mkv"
        for name, commands in VIDEO_CODERS.items():
            for command in commands:
                size = f"{picture.width}x{picture.height}"
                source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{_FPS}")
                run("-y", *source, "-i", "-", *command, "-pix_fmt", "yuv420p", str(stream),
                    given=picture.tobytes())  # fmt: skip
                decoded = run("-i", str(stream), "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
                pixels = Image.frombytes("RGB", picture.size, decoded)
                yield name, pixels, stream.stat().st_size


def run(*arguments: str, given: bytes | None = None) -> bytes:
    """Run ffmpeg and return what it prints."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def table(rows: Sequence[Coded]) -> dict[str, object]:
    """Return SRCC with VMAF: of all dimensions, of overall by coder and picture, of the floor."""

    def of(chosen: Sequence[Coded], name: str) -> float:
        said = [row.scores[name] for row in chosen]
        return round(float(spearmanr(said, [row.vmaf for row in chosen]).statistic), 3)

    def parts(key: str) -> dict[str, list[Coded]]:
        groups: dict[str, list[Coded]] = {}
        for row in rows:
            groups.setdefault(getattr(row, key), []).append(row)
        return groups

    bits = spearmanr([row.bits_per_pixel for row in rows], [row.vmaf for row in rows]).statistic
    within = [of(chosen, "overall") for chosen in parts("picture").values()]
    return {
        "srcc": {str(d): of(rows, str(d)) for d in DIMENSIONS},
        "floor_bits_per_pixel": round(float(bits), 3),
        "overall_by_coder": {
            name: of(chosen, "overall") for name, chosen in parts("coder").items()
        },
        "overall_within_picture": {
            "mean": round(float(np.mean(within)), 3),
            "smallest": min(within),
        },
    }


if __name__ == "__main__":
    main()
