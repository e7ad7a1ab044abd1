"""Opening and replacing output files: what cannot work is said before the work begins."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from finevq.errors import InvalidInputError


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn a failure of the file system into an error that names the file.

    Raises:
        InvalidInputError: an OSError came out of the block.
    """
    try:
        yield
    except OSError as error:
        raise InvalidInputError(f"cannot write {path!r}: {_reason(path, error)}") from None


def open_output(path: str, mode: str) -> BinaryIO:
    """Open a file for writing ("wb", "ab").

    Raises:
        InvalidInputError: it cannot be written, and why.
    """
    with writing(path):
        return open(path, mode)  # type: ignore[return-value] # binary by contract


def begin_output(path: str, header: bytes) -> BinaryIO:
    """Open a file for writing, and write its first bytes.

    Raises:
        InvalidInputError: it cannot be written, and why.
    """
    file = open_output(path, "wb")
    try:
        with writing(path):
            file.write(header)
            file.flush()
    except InvalidInputError:
        with suppress(OSError):
            file.close()
        raise
    return file


def check_output(path: str) -> None:
    """Find out whether a file can be written, without changing it.

    Raises:
        InvalidInputError: it cannot be written, and why.
    """
    is_new = not os.path.lexists(path)
    open_output(path, "ab").close()
    if is_new:
        os.unlink(path)


def replace_file(path: str, content: bytes) -> None:
    """Write a file at once: whoever reads it sees the old content or the new, never a part.

    Raises:
        InvalidInputError: it cannot be written, and why.
    """
    target = os.path.realpath(path)
    with writing(path):
        if os.path.exists(target) and not os.path.isfile(target):  # a device: /dev/stdout
            with open(target, "wb") as device:
                device.write(content)
            return
        unfinished = f"{target}.{os.getpid()}.tmp"
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
            if os.path.exists(target):
                os.chmod(unfinished, os.stat(target).st_mode & 0o777)
            os.replace(unfinished, target)
        except BaseException:
            if os.path.exists(unfinished):
                os.unlink(unfinished)
            raise


def _reason(path: str, error: OSError) -> str:
    folder = os.path.dirname(path)
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {folder!r}; create it first, or name another file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name a file in it"
    return f"{error.strerror or error}; rows of finished videos that are in the file stay there"
