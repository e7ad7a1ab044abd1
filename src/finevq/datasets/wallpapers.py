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

_LANDSCAPES = "usr/share/games/endless-sky/plugins/endless-sky-high-dpi/images/land/{}@2x.jpg"
_LANDSCAPES_BY_LICENCE: Mapping[str, str] = {
    "public-domain": """
        badlands0 badlands1 badlands2 badlands3 badlands4 badlands5 badlands6 badlands7 badlands8
        beach0 beach1 beach2 beach3 beach4 beach5 canyon0 canyon1 canyon2 canyon3 canyon5 canyon6
        canyon7 canyon8 canyon9 city0 city1 city10 city11 city2 city3 city4 city5 city7 city8 city9
        desert1 desert5 desert6 desert7 dune0 dune1 dune3 dune4 dune5 fields0 fields1 fields2
        fields3 fields5 fields6 fields7 fields8 fields9 fog0 fog1 fog2 fog3 fog4 fog6 fog7 forest0
        forest1 forest2 forest3 forest4 forest5 hills0 hills1 hills2 lava0 lava2 lava3 lava4 lava6
        loc0 loc1 loc2 mountain0 mountain1 mountain3 mountain4 mountain5 mountain6 mountain7
        mountain8 mountain9 nasa0 nasa1 nasa3 nasa4 nasa5 nasa6 sea0 sea1 sea2 sea3 sea4 sea5 sea6
        sea7 sea8 sea9 sky0 sky1 sky2 sky4 sky5 sky7 sky8 sky9 snow0 snow1 snow2 snow3 snow4 snow5
        snow6 snow7 snow8 snow9 space0 space1 space2 space3 space4 space5 space7 station0 station1
        station3 station4 valley0 valley1 valley2 valley3 valley4 valley5 valley6 valley8 valley9
        water0 water1 water2 water3 water4 water5 water7 water8
    """,
    "CC-BY-SA-4.0": """
        badlands9-harro beach10-sfiera beach11-harro beach12-harro beach7-sfiera beach8-sfiera
        beach9-sfiera canyon10-harro city13-sfiera city14-sfiera city15-sfiera city16-sfiera
        city17-sfiera desert10-harro desert8-sfiera desert9-sfiera dune6-harro fields10-sfiera
        fields11-sfiera fields12-sfiera fields13-sfiera hills5-sfiera hills6-sfiera hills7-harro
        lava5 lava7-sfiera mountain10-sfiera mountain11-sfiera mountain12-sfiera mountain13-sfiera
        mountain14-sfiera mountain15-sfiera mountain16-striker mountain17-harro mountain18-harro
        mountain19-harro mountain20-harro mountain21-harro mountain22-spfld sea10-sfiera
        sea11-sfiera sea12-sfiera sea13-sfiera sea14-sfiera sea15-harro sea16-harro sea17-harro
        snow10-sfiera valley10-sfiera valley11-harro valley12-harro valley13-harro valley14-harro
        valley15-harro water10-harro water11-harro
    """,
    "CC-BY-SA-3.0": """
        bwerner0 bwerner1 bwerner2 bwerner3 bwerner4 bwerner5 bwerner6 bwerner7 bwerner8 dmottl0
        dmottl1 dmottl2 dmottl3 dmottl4 dmottl5 mfield0 mfield1 mfield2 mfield3 mfield4 mfield5
        myrabella0 myrabella1 myrabella2 myrabella3 myrabella4 myrabella5 myrabella6 myrabella7
        myrabella8
    """,
}
"""Licence -> names; left out of the package: what was recoloured, and skies of other worlds."""

WALLPAPER_PHOTOS: Mapping[str, Mapping[str, str]] = {
    "endless-sky-high-dpi": {
        _LANDSCAPES.format(name): licence
        for licence, names in _LANDSCAPES_BY_LICENCE.items()
        for name in names.split()
    },
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
