"""What training frees it needs again at once: it keeps it instead of giving it back."""

import ctypes
import sys

# The names and numbers of malloc.h. Source: mallopt(3), The GNU C Library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = -1
_STEP = 256 << 20
"""Bytes by which the heap grows."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, where its C library is glibc.

    glibc gives every large block back to the kernel when it is freed, and the kernel clears it page
    by page when it is asked for again: with tensors of 150 MB that was a third of a step of the
    image encoder on two cores (dev/LOG.md). Memory stays at the highest that was needed.

    Returns:
        Whether it had an effect: not on macOS, Windows, musl or under another allocator.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    choices = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _STEP))
    return all([mallopt(name, value) == 1 for name, value in choices])
