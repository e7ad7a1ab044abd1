"""Where to start decoding, how far to go, and what to jump over.

To show one frame, everything from the last clean entry point before it has to be decoded. Frames
that are wanted close together share a run; between runs nothing is decoded. The plan depends on
the packet table alone, so the same file is always read in the same way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finevq.video.packets import PacketTable

RESTART_PACKETS = 8
"""A jump empties and refills the decoder's threads; it has to save more packets than this."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of packets to decode without a break."""

    start: int
    """First packet: 0 or a clean entry point."""
    stop: int
    """One past the last wanted packet."""
    wanted: frozenset[int]
    """Packets whose frames are asked for (or frames, where they have to be counted)."""


def plan_runs(packets: PacketTable, wanted: NDArray[np.int64]) -> list[Run]:
    """Return the runs that decode the wanted frames, in the order of the file.

    Args:
        packets: The file's packets.
        wanted: Indices of shown frames, any order.
    """
    if len(wanted) == 0:
        return []
    if not packets.is_matched:
        # Frames are counted as they come out: only reading from the start tells which is which.
        return [Run(0, len(packets), frozenset(wanted.tolist()))]
    targets = np.unique(packets.shown[wanted])
    runs: list[Run] = []
    start, stop, members = 0, 0, list[int]()
    entries = np.flatnonzero(packets.is_entry)
    for target in targets.tolist():
        entry = _entry_for(packets, entries, target)
        if not members:
            start = entry
        elif entry > stop + RESTART_PACKETS:
            runs.append(Run(start, stop, frozenset(members)))
            start, members = entry, []
        stop = target + 1
        members.append(target)
    runs.append(Run(start, stop, frozenset(members)))
    return runs


def _entry_for(packets: PacketTable, entries: NDArray[np.int64], target: int) -> int:
    """Return the last entry from which the target comes out whole; 0 where there is none."""
    for position in range(int(np.searchsorted(entries, target, side="right")) - 1, -1, -1):
        entry = int(entries[position])
        # Frames shown before the entry but coded after it lean on the stretch before.
        if packets.pts[entry] <= packets.pts[target]:
            return entry
    return 0
