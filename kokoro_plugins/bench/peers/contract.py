"""What every contender can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from kokoro_plugins.bench.sizes import FRAMES_PER_PHONEME, ModelSize
from kokoro_plugins.bench.timing import Contender

ROOM = 64
"""Frames that a cache has room for beyond the length that is timed."""


class FrameMaker(ABC):
    """Makes frame after frame.

    Attributes:
        name: How tables call it.
    """

    name: str

    @abstractmethod
    def begin(self, *, rows: int, frames: int) -> None:
        """Get ready for the frame after `frames` frames, the memory as long as those."""

    @abstractmethod
    def rewind(self) -> None:
        """Go back to where `begin` left it."""

    @abstractmethod
    def step(self) -> Tensor:
        """Make the next frame.

        Shape:
            Returns: (B, 1, M).
        """

    def contender(self, *, rows: int, frames: int) -> Contender:
        """Return what times a frame after so many, in inference mode, as `generate` makes it."""
        with torch.inference_mode():
            self.begin(rows=rows, frames=frames)
        return Contender(torch.inference_mode()(self.step), torch.inference_mode()(self.rewind))


@dataclass(frozen=True)
class Batch:
    """A training batch, the same for every contender.

    Attributes:
        phoneme_indices: (B, N) int64, without padding.
        durations: (B, N) int64 frames.
        mel_specs: (B, T, M).
    """

    phoneme_indices: Tensor
    durations: Tensor
    mel_specs: Tensor

    @classmethod
    def random(
        cls, size: ModelSize, *, rows: int, frames: int, device: str | torch.device = "cpu"
    ) -> Batch:
        """Draw a batch; the same one each time."""
        generator = torch.Generator().manual_seed(0)
        phonemes = max(1, frames // FRAMES_PER_PHONEME)
        durations = torch.full((rows, phonemes), frames // phonemes)
        durations[:, : frames % phonemes] += 1
        drawn = torch.randint(1, size.vocab_size, (rows, phonemes), generator=generator)
        mels = torch.randn(rows, frames, size.mel_dim, generator=generator)
        return cls(drawn.to(device), durations.to(device), mels.to(device))

    @property
    def frames(self) -> int:
        """All frames of all rows."""
        return self.mel_specs.shape[0] * self.mel_specs.shape[1]


class Trainer(ABC):
    """Passes a batch forwards and backwards.

    Attributes:
        name: How tables call it.
        module: What is trained.
    """

    name: str
    module: torch.nn.Module

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, the teacher's frames fed in."""


def frame_losses(mel: Tensor, stop_logits: Tensor, batch: Batch) -> Tensor:
    """Return the loss that the peers are trained with: L1 of the mel, cross-entropy of the stop.

    Shape:
        mel: (B, T, M). stop_logits: (B, T).
    """
    stops = torch.zeros_like(stop_logits)
    stops[:, -1] = 1
    stop_loss = torch.nn.functional.binary_cross_entropy_with_logits(stop_logits, stops)
    return torch.nn.functional.l1_loss(mel, batch.mel_specs) + stop_loss
