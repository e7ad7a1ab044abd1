"""Container facts in the columns that VIDEVAL's metadata files and FineVD's labels share."""

from finevq.datasets.delimited import Row, optional_int, optional_number
from finevq.datasets.labels import VideoFacts


def facts_of(row: Row) -> VideoFacts:
    """Return what a row says about the container; an absent or NaN cell stays None."""
    depth = optional_int(row, "bitdepth")
    return VideoFacts(
        width=optional_int(row, "width"),
        height=optional_int(row, "height"),
        fps=optional_number(row, "framerate"),
        num_frames=optional_int(row, "nb_frames"),
        bit_rate=optional_number(row, "bitrate"),
        bit_depth=depth or None,  # 0 in the files means that the container does not say
        pixel_format=row.get("pixfmt", ""),
    )
