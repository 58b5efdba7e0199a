"""What every contender can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from kokoro_core.model import TrainingBatch
from kokoro_plugins.bench.sizes import FRAMES_PER_PHONEME, ModelSize
from kokoro_plugins.bench.timing import Contender

SPARE_FRAMES = 64
"""Frames of a cache's capacity beyond the length that is timed."""


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


def random_batch(
    size: ModelSize, *, rows: int, frames: int, device: str | torch.device = "cpu"
) -> TrainingBatch:
    """Draw a training batch without padding, the same one each time and for every contender."""
    generator = torch.Generator().manual_seed(0)
    phonemes = max(1, frames // FRAMES_PER_PHONEME)
    durations = torch.full((rows, phonemes), frames // phonemes)
    durations[:, : frames % phonemes] += 1
    drawn = torch.randint(1, size.vocab_size, (rows, phonemes), generator=generator)
    return TrainingBatch(
        phoneme_indices=drawn,
        padding_mask=torch.zeros_like(drawn, dtype=torch.bool),
        durations=durations,
        mel_specs=torch.randn(rows, frames, size.mel_dim, generator=generator),
        mel_padding_mask=torch.zeros(rows, frames, dtype=torch.bool),
    ).to(device)


class Trainer(ABC):
    """Computes the loss of a batch, for a forward and backward pass.

    Attributes:
        name: How tables call it.
        module: What is trained.
    """

    name: str
    module: torch.nn.Module

    @abstractmethod
    def loss(self, batch: TrainingBatch) -> Tensor:
        """Return the loss of a batch, the teacher's frames fed in."""


def frame_losses(mel: Tensor, stop_logits: Tensor, batch: TrainingBatch) -> Tensor:
    """Return the loss that the peers are trained with: L1 of the mel, cross-entropy of the stop.

    Shape:
        mel: (B, T, M). stop_logits: (B, T).
    """
    stops = torch.zeros_like(stop_logits)
    stops[:, -1] = 1
    stop_loss = torch.nn.functional.binary_cross_entropy_with_logits(stop_logits, stops)
    return torch.nn.functional.l1_loss(mel, batch.mel_specs) + stop_loss
