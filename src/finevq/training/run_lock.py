"""One run a folder: a lock that goes away with its process, however that ends."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from finevq.errors import ConfigError

LOCK_FILE = "run.lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder.

    Args:
        folder: Of the run; exists.

    Raises:
        ConfigError: another process trains into it.
    """
    try:
        import fcntl  # not on Windows, where folders are not guarded
    except ModuleNotFoundError:
        yield
        return
    with (folder / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another process trains into {folder}: wait for it or end it, or name another "
                "folder"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
