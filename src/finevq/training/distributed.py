"""Several processes under torchrun, or one: the same code for both.

Accelerate starts the processes' group and carries their exchanges (gloo on CPUs, NCCL on GPUs).
DDP and FSDP wrap the model through torch itself: Accelerate keeps FSDP from CPUs, where it can be
tested without a GPU.
"""

import atexit
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from finevq.errors import ConfigError
from finevq.training.network import TrainingNetwork

Item = TypeVar("Item")


class Processes:
    """This process among its fellows.

    Args:
        device: auto, cpu or cuda.
        mode: How a model is shared when there are several processes.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """

    def __init__(self, device: str = "auto", mode: Literal["ddp", "fsdp"] = "ddp") -> None:
        if device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"distributed.device = {device!r}; allowed: auto, cpu, cuda")
        if device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "distributed.device = 'cuda', but torch sees no CUDA device; use cpu or auto"
            )
        self._state: Any = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
        self._mode = mode
        if self.count > 1:
            # Left to the end of the interpreter, its threads may outlive what they use: SIGABRT.
            atexit.unregister(_leave)
            atexit.register(_leave)

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return int(self._state.process_index)

    @property
    def count(self) -> int:
        """Number of processes."""
        return int(self._state.num_processes)

    @property
    def device(self) -> torch.device:
        """Of this process."""
        return torch.device(self._state.device)

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def wrap(self, network: TrainingNetwork) -> nn.Module:
        """Move a network to its device and share it among the processes.

        Parameters of the result are those to optimize: FSDP puts its own in place of the model's.
        """
        network.to(self.device)
        if self.count == 1:
            return network
        if self._mode == "ddp":
            return DistributedDataParallel(network, broadcast_buffers=False)
        _shard(network, init_device_mesh(self.device.type, (self.count,)))
        return network

    def without_exchange(self, network: nn.Module) -> AbstractContextManager[object]:
        """Keep gradients of a pass in this process; the step's last pass exchanges them all."""
        if isinstance(network, DistributedDataParallel):
            return network.no_sync()
        if isinstance(network, FSDPModule):
            return _no_reduction(network)
        return nullcontext()

    def sum(self, values: Iterable[float]) -> list[float]:
        """Add up numbers over the processes, in double precision."""
        total = torch.tensor(list(values), dtype=torch.float64)
        if self.count > 1:
            total = total.to(self.device)
            torch.distributed.all_reduce(total)
        return [float(value) for value in total.cpu()]

    def gather(self, items: list[Item]) -> list[Item]:
        """Join lists of all processes, in the order of their ranks; everybody gets the whole."""
        gathered: list[Item] = gather_object(items) if self.count > 1 else items
        return gathered

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._state.wait_for_everyone()


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def full(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor on the CPU; all processes must ask together."""
    whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return whole.detach().cpu().clone()


def like(tensor: Tensor, reference: Tensor) -> Tensor:
    """Return a whole tensor as its reference lies: on the same device, shared in the same way."""
    moved = tensor.to(device=reference.device, dtype=reference.dtype)
    if isinstance(reference, DTensor):
        return distribute_tensor(moved, reference.device_mesh, reference.placements)
    return moved


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale gradients down to a norm; return the norm that they had."""
    norm = nn.utils.clip_grad_norm_(parameters, limit)
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)


@contextmanager
def _no_reduction(network: FSDPModule) -> Iterator[None]:
    network.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        network.set_requires_gradient_sync(True)


def _shard(network: TrainingNetwork, mesh: DeviceMesh) -> None:
    """Share every transformer layer, and then all the rest, among the processes.

    Weights are gathered as they are stored; autocast decides in which numbers layers compute.
    """
    model = network.model
    owners = [model.language_model.model.layers]
    tower = getattr(model.image_encoder, "tower", None)
    if tower is not None:
        owners.append(tower.encoder.layer)
    for layers in owners:
        for layer in layers:
            fully_shard(layer, mesh=mesh)
    fully_shard(network, mesh=mesh)
