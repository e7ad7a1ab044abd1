"""Running averages of weights: what is validated and kept instead of the last step's."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, trained: nn.Module, decay: float) -> None:
    """Move an average towards the trained weights; decay 0 copies them, 1 ignores them."""
    for kept, new in zip(average.parameters(), trained.parameters(), strict=True):
        kept.lerp_(new, 1.0 - decay)


@contextmanager
def lent(lender: nn.Module, borrower: nn.Module) -> Iterator[None]:
    """Lend the weights of one module to another, in evaluation mode, for a while."""
    own = copy.deepcopy(borrower.state_dict())
    borrower.load_state_dict(lender.state_dict())
    borrower.eval()
    try:
        yield
    finally:
        borrower.load_state_dict(own)
