"""Peak memory of a training step, counted operation by operation.

The step runs on the meta device, so that the largest model takes no memory and no time, and the
result is the same on every machine. A storage counts from the operation that allocates it
until nothing refers to it any more, as an allocator without waste would see it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.losses import training_losses, weigh
from kokoro_core.spec.tree.model_spec import LossWeights


@dataclass(frozen=True)
class Activations:
    """Bytes of a training step besides batch, parameters and their gradients.

    Attributes:
        kept: What is held between forward and backward: all that the backward pass needs.
        peak: The most that is held at once: what is kept, a segment that is recomputed, and the
            temporaries of a single operation.
    """

    kept: int
    peak: int


def activations(model: AcousticModel, batch: TrainingBatch, loss: LossWeights) -> Activations:
    """Run the forward and backward pass of a training step and count what it holds.

    Args:
        model: On any device; on ``meta`` nothing is computed. Left in the mode that it is in, its
            gradients are dropped.
        batch: On the same device.
        loss: Weights of the losses.
    """
    was_training = model.training
    model.train()
    try:
        with _gradients(model), LiveBytes() as live:
            prediction = model(batch)
            total = weigh(training_losses(prediction, batch, loss), loss)
            del prediction
            kept = live.now
            total.backward()  # type: ignore[no-untyped-call]
    finally:
        model.train(was_training)
    return Activations(kept=kept, peak=live.peak)


@contextmanager
def _gradients(model: nn.Module) -> Iterator[None]:
    """Let each trained parameter have a gradient already, so that none counts as new."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most bytes that tensors made by the work take at once."""
    with LiveBytes() as live:
        work()
    return int(live.peak)


@final
class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all storages that operations within the context have made.

    Attributes:
        now: Bytes that something still refers to.
        peak: The most that there were.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and count what is new in its result."""
        given = {_key(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor) and _key(each) not in given:
                self._count(_key(each), each.untyped_storage())
        return result

    def _count(self, key: int, storage: torch.UntypedStorage) -> None:
        if key in self._alive:
            return
        size = storage.nbytes()
        self._alive.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
