"""Memory that training frees: the kernel's own count of pages tells whether it is kept."""

import subprocess
import sys

import pytest

_PROBE = """
import resource
import numpy as np
from finevq.training.freed_memory import keep_freed_memory

if {keeps}:
    print("kept", keep_freed_memory())

def fill():
    for _ in range(3):
        np.ones(64 << 20, np.uint8)  # above the size up to which glibc keeps blocks by itself

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill()
print("faults", resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def probe(*, keeps: bool) -> dict[str, str]:
    run = subprocess.run(
        [sys.executable, "-c", _PROBE.format(keeps=keeps)],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in run.stdout.splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has such a choice")
def test_freed_blocks_are_used_again_without_the_kernel():
    by_itself, kept = probe(keeps=False), probe(keeps=True)
    if kept["kept"] == "False":
        pytest.skip("this C library is not glibc")
    assert int(kept["faults"]) < 0.1 * int(by_itself["faults"])


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch):
    from finevq.training import freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert freed_memory.keep_freed_memory() is False
