"""What PATH may be: a file, a folder, a glob, a text list `@list.txt`; all become a list of files.

Names stay as the caller wrote them, since they are what the results are called. A name that leads
nowhere becomes a `Failure` in its place; only when nothing at all is found is it an error.

An existing file wins over every other reading of its name, so `clip[1].mp4` is a file, not a
pattern. Folders are searched for videos only: the pictures beside videos are mostly posters and
thumbnails; name pictures, or give a glob (`'shots/*.jpg'`), to have them assessed.
"""

import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from finevq.errors import FineVQError, InvalidInputError, NoVideosFoundError
from finevq.records import Failure

VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("3g2", "3gp", "asf", "avi", "dv", "f4v", "flv", "gif", "h264", "h265", "hevc", "ivf"),
        *("m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf"),
        *("obu", "ogm", "ogv", "qt", "rm", "rmvb", "ts", "vob", "webm", "wmv", "y4m"),
    )
)
"""Endings that a folder is searched for, in lower case."""

PICTURE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".heic", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)
"""Endings of still pictures: assessed where named or matched by a glob."""

_WILDCARDS = re.compile(r"[*?\[]")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundVideos:
    """What a call names, in order."""

    entries: tuple[str | Failure, ...]
    """Files to assess; in the place of a name that leads nowhere, why."""
    notes: tuple[str, ...] = ()
    """What the caller should know, one sentence each."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files alone."""
        return tuple(entry for entry in self.entries if isinstance(entry, str))


def find_videos(arguments: Sequence[str]) -> FoundVideos:
    """Return the files that the arguments name; each file once, folders in natural order.

    Args:
        arguments: Files, folders, glob patterns, `@` lists, as a user types them.

    Raises:
        NoVideosFoundError: nothing at all is found; the message says why for each argument.
        InvalidInputError: the only arguments are ones that can never name a video, such as `-`.
    """
    entries: list[str | Failure] = []
    seen: set[str] = set()
    num_duplicates = 0
    first_error: FineVQError | None = None
    for entry in _expand_all(arguments):
        if isinstance(entry, _Missing):
            first_error = first_error or entry.error
            entries.append(Failure(entry.name, type(entry.error).__name__, str(entry.error)))
            continue
        identity = os.path.realpath(entry)
        if identity in seen:
            num_duplicates += 1
            continue
        seen.add(identity)
        entries.append(entry)
    if not seen:
        raise _nothing_found(entries, first_error)
    notes = (_duplicates_note(num_duplicates),) if num_duplicates else ()
    return FoundVideos(tuple(entries), notes)


def find_one_video(argument: str) -> str:
    """Return the one file that an argument names.

    Raises:
        NoVideosFoundError: it names none.
        InvalidInputError: it names several.
    """
    paths = find_videos([argument]).paths
    if len(paths) > 1:
        raise InvalidInputError(
            f"{argument!r} names {len(paths)} videos, and one is wanted, such as {paths[0]!r}"
        )
    return paths[0]


def natural_key(path: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key that puts numbers in their numerical order, without regard to case.

    >>> sorted(["clip10.mp4", "Clip9.mp4", "a/b.mp4"], key=natural_key)
    ['a/b.mp4', 'Clip9.mp4', 'clip10.mp4']
    """
    parts = re.split(r"([0-9]+)", path.casefold())
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)


def nearest_names(path: str, *, most: int = 3) -> tuple[str, ...]:
    """Return names beside `path` that look like it, most alike first; empty where none does."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return ()
    # Endings are left out of the comparison: '.mp4' alone makes any two names look alike.
    wanted = _stem(name)
    ratios = {other: SequenceMatcher(None, _stem(other), wanted).ratio() for other in names}
    close = sorted((o for o in names if ratios[o] >= 0.6), key=lambda o: (-ratios[o], o))
    return tuple(os.path.join(folder, other) for other in close[:most])


def is_url(path: str) -> bool:
    """Tell whether a name is a URL and not a file's path.

    >>> is_url("https://example.org/a.mp4"), is_url("C:/a.mp4"), is_url("a.mp4")
    (True, False, False)
    """
    return _URL.match(path) is not None


@dataclass(frozen=True, slots=True)
class _Missing:
    name: str
    error: FineVQError


def _expand_all(arguments: Iterable[str]) -> Iterator[str | _Missing]:
    for argument in arguments:
        expand = _expand_list if argument.startswith("@") else _expand_one
        yield from _or_missing(expand, argument)


def _or_missing(
    expand: Callable[[str], Iterator[str | _Missing]], name: str
) -> Iterator[str | _Missing]:
    try:
        yield from expand(name)
    except FineVQError as error:
        yield _Missing(name, error)


def _expand_one(name: str) -> Iterator[str]:
    """Yield the files that a file, folder or glob names."""
    if name == "-":
        raise InvalidInputError(
            "'-': a video cannot be read from standard input, since finevq has to seek in it; "
            "save it to a file first"
        )
    if is_url(name):
        raise InvalidInputError(
            f"{name!r} is a URL, and this version reads local files only; "
            f"download it first, for example with: curl -LO {name}"
        )
    path = os.path.expanduser(name)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        if _WILDCARDS.search(path):
            yield from _search_glob(name, path)
            return
        raise _missing_file(name, path, error) from None
    if stat.S_ISDIR(mode):
        yield from _search_folder(name, path)
    elif stat.S_ISREG(mode):
        yield path
    else:
        raise InvalidInputError(
            f"{name!r} is a pipe, socket or device; finevq has to seek, so give it a regular file"
        )


def _expand_list(name: str) -> Iterator[str | _Missing]:
    """Yield what the lines of `@list` name; relative names count from the list's folder."""
    path = os.path.expanduser(name[1:])
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise _missing_file(name, path, error, kind="list") from None
    if b"\0" in content[:4096]:
        raise InvalidInputError(
            f"{name!r} is not a text list; write one path a line, or leave out the '@' to "
            f"assess the file itself"
        )
    folder = os.path.dirname(path)
    lines = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise NoVideosFoundError(f"the list {path!r} names nothing; write one path a line")
    for line in names:
        yield from _or_missing(_expand_one, _beside(folder, line))


def _beside(folder: str, name: str) -> str:
    if is_url(name) or name.startswith("~"):
        return name
    return os.path.join(folder, name)


def _search_folder(name: str, path: str) -> Iterator[str]:
    """Yield the videos below a folder; hidden names are left out, links to folders not followed."""
    videos: list[str] = []
    num_pictures = 0
    unreadable: list[str] = []
    for folder, folders, files in os.walk(path, onerror=lambda e: unreadable.append(str(e))):
        folders[:] = [child for child in folders if not child.startswith(".")]
        for file in files:
            suffix = os.path.splitext(file)[1].lower()
            if file.startswith("."):
                continue
            if suffix in VIDEO_SUFFIXES and _is_video(os.path.join(folder, file), suffix):
                videos.append(os.path.normpath(os.path.join(folder, file)))
            num_pictures += suffix in PICTURE_SUFFIXES
    if not videos:
        raise NoVideosFoundError(_empty_folder(name, num_pictures, unreadable))
    yield from sorted(videos, key=natural_key)


def _is_video(path: str, suffix: str) -> bool:
    """Tell a video from a folder or broken link of that name, and MPEG-TS from TypeScript."""
    if not os.path.isfile(path):
        return False
    if suffix != ".ts":
        return True
    try:
        with open(path, "rb") as file:
            return file.read(1) == b"\x47"  # the sync byte; Source: ISO/IEC 13818-1, 2.4.3.2
    except OSError:
        return True  # the decoder says why it cannot be read


def _search_glob(name: str, path: str) -> Iterator[str]:
    """Yield what a pattern matches: media files, and whatever its own ending asks for."""
    matches = sorted(glob.glob(path, recursive=True), key=natural_key)
    wanted = os.path.splitext(path)[1].lower()
    is_exact_suffix = len(wanted) > 1 and not _WILDCARDS.search(wanted)
    media = VIDEO_SUFFIXES | PICTURE_SUFFIXES
    num_found = 0
    for match in matches:
        if os.path.isdir(match):
            # `**` matches each folder below by itself, so only a plain pattern searches folders.
            found = [] if "**" in path else list(_videos_or_none(match))
        elif is_exact_suffix or os.path.splitext(match)[1].lower() in media:
            found = [match]
        else:
            found = []
        num_found += len(found)
        yield from found
    if not num_found:
        seen = f"; it matches {len(matches)} names, none of them a video" if matches else ""
        raise NoVideosFoundError(
            f"the pattern {name!r} matches no video{seen}. "
            f"Allowed are *, ?, [abc] and ** for folders at any depth"
        )


def _videos_or_none(folder: str) -> Iterator[str]:
    try:
        yield from _search_folder(folder, folder)
    except NoVideosFoundError:
        return


def _missing_file(
    name: str, path: str, error: OSError | ValueError, *, kind: str = "file"
) -> FineVQError:
    if isinstance(error, PermissionError):
        return InvalidInputError(f"{name!r} may not be read: permission denied")
    if isinstance(error, IsADirectoryError):
        return InvalidInputError(f"{name!r} is a folder, not a list; leave out the '@'")
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        return NoVideosFoundError(
            f"there is no folder {folder!r}{_did_you_mean(nearest_names(folder))}"
        )
    return NoVideosFoundError(f"there is no {kind} {path!r}{_did_you_mean(nearest_names(path))}")


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()


def _did_you_mean(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(map(repr, names))}?" if names else ""


def _empty_folder(name: str, num_pictures: int, unreadable: Sequence[str]) -> str:
    message = f"the folder {name!r} and those below it hold no video"
    if num_pictures:
        example = os.path.join(name, "*.jpg")
        message += (
            f" ({num_pictures} pictures; name them, for example {example!r}, to have them assessed)"
        )
    else:
        message += f" (looked for {', '.join(sorted(VIDEO_SUFFIXES)[:6])}, ...)"
    if unreadable:
        message += f"; not readable: {unreadable[0]}"
    return message


def _nothing_found(entries: Sequence[str | Failure], first: FineVQError | None) -> FineVQError:
    if first is not None and len(entries) == 1:
        return first
    reasons = [entry.message for entry in entries if isinstance(entry, Failure)]
    shown = "\n".join(f"  {reason}" for reason in reasons[:5])
    more = f"\n  ... and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    return NoVideosFoundError(f"no video found:\n{shown}{more}" if reasons else "no video is named")


def _duplicates_note(number: int) -> str:
    if number == 1:
        return "1 file is named twice; it is assessed once"
    return f"{number} files are named more than once; each is assessed once"
