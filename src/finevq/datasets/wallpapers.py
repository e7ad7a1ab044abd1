"""Fetches free photographs from Debian's wallpaper packages, on Debian and its relatives.

Packages are downloaded with apt (no root, nothing is installed), unpacked, and only the files
listed here are kept: real photographs, looked at one by one; drawings and renderings are not.
"""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from finevq.errors import DatasetError

logger = logging.getLogger(__name__)

_LOMIRI = "usr/share/backgrounds"
_MATE = "usr/share/backgrounds/mate/nature"
_PLASMA = "usr/share/wallpapers/{}/contents/images/2560x1600.jpg"

WALLPAPER_PHOTOS: Mapping[str, Mapping[str, str]] = {
    "lomiri-wallpapers-16.04": {
        f"{_LOMIRI}/Bridge_by_Sander_Klootwijk.jpg": "CC-BY-SA-4.0",
        f"{_LOMIRI}/Dragonfly_by_Bolly.jpg": "CC-BY-SA-4.0",
        f"{_LOMIRI}/Picture_0B_by_freespace.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/Picture_1A_by_freespace.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/Wine_by_Jakkub_Mede.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/aitzgorri_by_Aitzol_Berasategi.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/free_by_Peter_Nerlich.jpg": "CC-BY-SA-4.0",
        f"{_LOMIRI}/friends_by_Aitzol_Berasategi.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/greentock_by_Peter_Nerlich.jpg": "CC-BY-SA-4.0",
        f"{_LOMIRI}/life_by_Aitzol_Berasategi.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/picosdeeuropa_by_Aitzol_Berasategi.jpg": "CC-BY-4.0",
        f"{_LOMIRI}/seeding_by_Clements_Engelhardt.jpg": "CC0-1.0",
        f"{_LOMIRI}/sunset_by_Aitzol_Berasategi.jpg": "CC-BY-4.0",
    },
    "lomiri-wallpapers-20.04": {
        f"{_LOMIRI}/Kleiber_by_Lukas_Baubkus.jpg": "CC-BY-SA-3.0",
    },
    "mate-backgrounds": {
        f"{_MATE}/{name}.jpg": "GPL-2+"
        for name in (
            "Aqua",
            "Blinds",
            "Dune",
            "Garden",
            "GreenMeadow",
            "LadyBird",
            "RainDrops",
            "Storm",
            "TwoWings",
            "Wood",
            "YellowFlower",
        )
    },
    "plasma-workspace-wallpapers": {
        _PLASMA.format(name): "GPL-2+ (package); LGPL-3 (the wallpaper's own metadata)"
        for name in (
            "BytheWater",
            "ColorfulCups",
            "EveningGlow",
            "FallenLeaf",
            "Kite",
            "OneStandsOut",
            "Path",
            "summer_1am",
        )
    },
}
"""Package -> path inside it -> licence.

Source: the packages' own debian/copyright and metadata.json files, Debian 12.
"""


def fetch_wallpapers(folder: Path, *, offline: bool = False) -> list[Path]:
    """Bring the photographs into a folder; those that are there already are kept.

    Args:
        folder: Created where it does not exist; use it as a source folder.
        offline: Use no network: return what the folder has.

    Returns:
        The photographs that are now in the folder. A package that cannot be had (another
        distribution, another release, no network) is left out with a warning.

    Raises:
        DatasetError: no photograph could be had at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package, photos in WALLPAPER_PHOTOS.items():
        missing = [path for path in photos if not (folder / _kept_name(path)).is_file()]
        if missing and not offline:
            try:
                _fetch_package(package, missing, folder)
            except (OSError, subprocess.CalledProcessError) as error:
                logger.warning("%s cannot be had and is left out: %s", package, _reason(error))
    present = [
        folder / _kept_name(path)
        for photos in WALLPAPER_PHOTOS.values()
        for path in photos
        if (folder / _kept_name(path)).is_file()
    ]
    if not present:
        raise DatasetError(
            f"no wallpaper package could be fetched into {folder}: this needs apt-get and dpkg "
            "(Debian or Ubuntu) and a network; any other folder of photographs will do as well"
        )
    return sorted(present)


def _fetch_package(package: str, paths: list[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="finevq-wallpapers-") as work:
        subprocess.run(
            ["apt-get", "download", package], cwd=work, check=True, capture_output=True, timeout=600
        )
        archive = next(Path(work).glob("*.deb"))
        unpacked = Path(work) / "unpacked"
        subprocess.run(
            ["dpkg", "-x", str(archive), str(unpacked)],
            check=True,
            capture_output=True,
            timeout=600,
        )
        for path in paths:
            if not (unpacked / path).is_file():
                logger.warning("%s no longer holds %s", package, path)
                continue
            partial = folder / f".{_kept_name(path)}.part"
            shutil.copyfile(unpacked / path, partial)
            partial.replace(folder / _kept_name(path))


def _kept_name(path: str) -> str:
    """Return a telling file name: Plasma names a picture by its folder."""
    parts = Path(path).parts
    return f"{parts[3]}.jpg" if parts[2] == "wallpapers" else parts[-1]


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        text = (error.stderr or b"").decode(errors="replace").strip()
        return text.splitlines()[-1] if text else str(error)
    return str(error)
