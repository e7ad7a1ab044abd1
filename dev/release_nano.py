"""Copy a trained model folder into the package.

    python dev/release_nano.py runs/nano

Refuses a folder whose files do not match its checksums or exceed the size that a release may have.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src/finevq/model/nano"
MAX_BYTES = 40 * 2**20
FURTHER = ("README.md", "metrics.json", "SHA256SUMS")
PATHS = ("manifest", "copies", "human", "cache")
SETS = ("stills", "further_stills", "clip_copies")


def main(source: str) -> None:
    """Check and copy."""
    folder = Path(source)
    TARGET.mkdir(exist_ok=True)
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            sys.exit(f"{name} does not match SHA256SUMS: export the model again")
        if len(content) > MAX_BYTES:
            sys.exit(f"{name} has {len(content)} bytes, more than {MAX_BYTES}")
        (TARGET / name).write_bytes(content)
    for name in FURTHER:
        shutil.copy(folder / name, TARGET / name)
    (TARGET / "training_config.json").write_text(configuration(folder), encoding="utf-8")
    shutil.copytree(folder / "card", TARGET / "card", dirs_exist_ok=True)
    print(TARGET)


def configuration(folder: Path) -> str:
    """Return the run's configuration; of its folders the last name only, which is no one's disk."""
    values = json.loads((folder / "training_config.json").read_text(encoding="utf-8"))
    for name in PATHS:
        if values["data"].get(name):
            values["data"][name] = Path(values["data"][name]).name
    # Several sets have one name each: their folders'.
    for name in SETS:
        values["data"][name] = [Path(path).parent.name for path in values["data"][name]]
    if values["start"]:
        values["start"] = Path(values["start"]).name
    return json.dumps(values, indent=2) + "\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
