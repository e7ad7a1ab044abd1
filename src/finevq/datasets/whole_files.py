"""Files that are there whole or not at all, however their writer ends."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file under a temporary name first; text as UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(path)


def remove_torn(folder: Path) -> None:
    """Remove what writers that were killed left behind in a folder."""
    for torn in folder.glob(".*.part"):
        torn.unlink()
