"""Which items make up which step, and which process reads which of them.

Pure: the order follows from seed and epoch alone, so a run that goes on in the middle of an epoch
reads what it would have read, and two processes read together what one reads alone.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import Sampler


def steps_of_epoch(num_items: int, batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Return the items of each step of an epoch: every item once, the last step may be short.

    >>> steps_of_epoch(5, 2, seed=0, epoch=0) == steps_of_epoch(5, 2, seed=0, epoch=0)
    True
    >>> sorted(sum(steps_of_epoch(5, 2, seed=0, epoch=3), []))
    [0, 1, 2, 3, 4]
    """
    order = list(range(num_items))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [order[start : start + batch_size] for start in range(0, num_items, batch_size)]


def micro_batches(
    items: Sequence[int], micro_batch_size: int, *, rank: int, num_processes: int
) -> list[list[int]]:
    """Return what one process reads of a step, pass by pass.

    All processes get equally many passes, as they wait for each other in each; one that finds
    nothing left gets an empty pass.

    Args:
        items: Of the step.
        micro_batch_size: Most items of a pass; 0: the whole share of a process.
        rank: Which process.
        num_processes: Of how many.

    >>> [micro_batches([7, 8, 9, 6, 5], 2, rank=rank, num_processes=2) for rank in (0, 1)]
    [[[7, 8], [5]], [[9, 6], []]]
    """
    size = micro_batch_size or max(1, math.ceil(len(items) / num_processes))
    width = size * num_processes
    return [
        list(items[start + rank * size : start + (rank + 1) * size])
        for start in range(0, len(items), width)
    ]


@dataclass
class StepSampler(Sampler[list[int]]):
    """Passes of one process, epoch after epoch; a loader's workers read ahead along it."""

    num_items: int
    batch_size: int
    micro_batch_size: int
    seed: int
    rank: int
    num_processes: int
    epoch: int = 0
    first_step: int = 0
    """Step of the epoch to begin with."""

    def steps(self) -> list[list[list[int]]]:
        """Return the passes of each step that is left of the epoch."""
        steps = steps_of_epoch(self.num_items, self.batch_size, seed=self.seed, epoch=self.epoch)
        return [
            micro_batches(
                items, self.micro_batch_size, rank=self.rank, num_processes=self.num_processes
            )
            for items in steps[self.first_step :]
        ]

    def __iter__(self) -> Iterator[list[int]]:
        """Yield pass after pass."""
        for passes in self.steps():
            yield from passes

    def __len__(self) -> int:
        return sum(len(passes) for passes in self.steps())


@dataclass
class ShareSampler(Sampler[list[int]]):
    """Passes of one process over all items, each item in exactly one process.

    Processes get equally many passes; the last ones may be empty.
    """

    num_items: int
    size: int
    rank: int
    num_processes: int

    def __iter__(self) -> Iterator[list[int]]:
        """Yield pass after pass."""
        yield from micro_batches(
            range(self.num_items), self.size, rank=self.rank, num_processes=self.num_processes
        )

    def __len__(self) -> int:
        return math.ceil(self.num_items / (self.size * self.num_processes))


def learning_rate_at(
    step: int, num_steps: int, *, peak: float, final: float, warmup_share: float
) -> float:
    """Return the learning rate of a step: up in a line, then down as half a cosine.

    The first step after the warm-up has the peak, the last step the final rate.

    >>> [round(learning_rate_at(s, 5, peak=1, final=0, warmup_share=0), 3) for s in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    warmup = math.ceil(warmup_share * num_steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    left = max(num_steps - 1 - warmup, 1)
    progress = min((step - warmup) / left, 1.0)
    return final + (peak - final) * 0.5 * (1.0 + math.cos(math.pi * progress))
