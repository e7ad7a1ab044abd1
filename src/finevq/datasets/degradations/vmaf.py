"""VMAF of a clip against its clean frames, by libvmaf in the ffmpeg binary of imageio-ffmpeg."""

import json
import subprocess
import tempfile
from pathlib import Path

from finevq.datasets.degradations.footage import Frames
from finevq.errors import DatasetError, MissingExtraError


def measure_vmaf(data: bytes, reference: Frames, fps: float, every: int = 4) -> float:
    """Return the mean VMAF (0..100) of an MP4 file against reference frames of the same size.

    Args:
        data: The file's bytes.
        reference: (T, H, W, 3).
        fps: Of both.
        every: Only each so-many-th frame is compared.

    Raises:
        MissingExtraError: imageio-ffmpeg is not installed.
        DatasetError: ffmpeg fails.
    """
    try:
        import imageio_ffmpeg  # an optional extra
    except ImportError:
        raise MissingExtraError("VMAF", "synthesis") from None
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()  # type: ignore[no-untyped-call]  # untyped
    height, width = reference.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        clip, log = Path(folder) / "clip.mp4", Path(folder) / "vmaf.json"
        clip.write_bytes(data)
        graph = (
            f"[0:v]setpts=N/{fps}/TB,scale={width}:{height},format=yuv420p[a];"
            f"[1:v]setpts=N/{fps}/TB,format=yuv420p[b];"
            f"[a][b]libvmaf=n_threads=1:n_subsample={every}:log_fmt=json:log_path={log}"
        )
        command = [
            ffmpeg, "-v", "error",
            "-threads", "1", "-i", str(clip),
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps}",
            "-i", "-", "-lavfi", graph, "-f", "null", "-",
        ]  # fmt: skip
        done = subprocess.run(command, input=reference.tobytes(), capture_output=True, check=False)
        if done.returncode != 0 or not log.is_file():
            raise DatasetError(f"ffmpeg could not measure VMAF: {done.stderr.decode()[-400:]}")
        pooled = json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]
    return round(float(pooled), 3)
