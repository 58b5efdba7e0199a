"""`TrainingData`: what the loop asks of data; `Batch`: what it asks of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sized
from typing import Any, Protocol, Self

import torch
from lightning import LightningDataModule
from torch import Tensor

from kokoro_plugins.training.data.batching import Order, Position


class Batch(Protocol):
    """What every batch has, whatever is trained on it."""

    @property
    def mel_specs(self) -> Tensor:
        """The mels, (B, T, M)."""

    @property
    def lengths(self) -> Tensor:
        """Frames of each row, (B,) int64."""

    def __len__(self) -> int: ...

    def to(self, device: torch.device | str, **options: Any) -> Self:
        """Return the batch on a device."""


class TrainingData(LightningDataModule, ABC):
    """A corpus in two parts, what is trained on and what is held out, with a place in its order.

    Attributes:
        seed: Decides the order of training.
        settings: What decides which batches there are.
        fingerprint: SHA-256 of all that is trained on and held out.
        training: What is trained on.
        held_out: What is not.
        position: Where training begins in the order, and then where it was last saved.
    """

    seed: int
    settings: Mapping[str, Any]
    fingerprint: str
    position: Position

    @property
    @abstractmethod
    def training(self) -> Sized:
        """What is trained on."""

    @property
    @abstractmethod
    def held_out(self) -> Sized:
        """What is held out."""

    @property
    @abstractmethod
    def order(self) -> Order[Any]:
        """In which order batches come."""

    @abstractmethod
    def endless(self, *, accumulate: int) -> None:
        """Give batches without end from now on, from `position` on.

        Args:
            accumulate: As many batches of each process make a step.
        """

    @abstractmethod
    def val_dataloader(self) -> Iterable[Any]:
        """Return the batches of what is held out, the same each time."""

    @abstractmethod
    def val_share(self, rank: int, processes: int) -> Iterable[Any]:
        """Return those batches of `val_dataloader` that one of several processes looks at.

        Args:
            rank: Which process it is.
            processes: How many there are.
        """

    def move_on(self, batches: int) -> None:
        """Note that batches were trained on since `position`, those of all processes counted."""
        self.position = self.order.moved(self.position, batches)

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        return {"epoch": self.position.epoch, "batch": self.position.batch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Begin at a position."""
        self.position = Position(state_dict["epoch"], state_dict["batch"])
