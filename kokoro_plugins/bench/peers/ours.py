"""Ours: the spec ``default``, or one of another size."""

from __future__ import annotations

from typing import Any, cast, final

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import AutoregressiveDecoder, State
from kokoro_core.generation.precision import converted
from kokoro_core.model import TrainingBatch
from kokoro_plugins.bench.peers.contract import SPARE_FRAMES, FrameMaker, Trainer
from kokoro_plugins.bench.sizes import ModelSize


def our_model(size: ModelSize, **overrides: Any) -> KokoroModel:
    """Return the spec ``default`` in this size, without gradient checkpointing."""
    changes = {**size.overrides(), "gradient_checkpointing": None, **overrides}
    return KokoroModel.from_spec("default", overrides=changes)


@final
class OurFrames(FrameMaker):
    """The decoder's cached `step`.

    Args:
        model: Whose decoder it is.
        dtype: What it is in, as `generate` takes it.
    """

    def __init__(self, model: KokoroModel, dtype: torch.dtype = torch.float32) -> None:
        self.name = "ours" if dtype is torch.float32 else f"ours, {str(dtype).rpartition('.')[2]}"
        decoder = cast("AutoregressiveDecoder", model.acoustic.decoder).eval()
        self._decoder = decoder
        if dtype is not torch.float32:
            self._decoder = cast("AutoregressiveDecoder", converted(decoder, dtype))
        self._sizes = model.spec.sizes
        self._like = next(self._decoder.parameters())

    def begin(self, *, rows: int, frames: int) -> None:
        """Feed it `frames` frames in one go, then one, and keep the state.

        A cache that grows from time to time has done so then: whole utterances show what that
        costs; the few frames timed here would show it at some lengths and not at others.
        """
        memory = self._like.new_empty(rows, frames, self._sizes.hidden_dim).normal_()
        mask = torch.zeros(rows, frames, dtype=torch.bool, device=memory.device)
        self._filled: State = self._decoder.init_state(memory, mask, frames + 1 + SPARE_FRAMES)
        fed = self._like.new_zeros(rows, frames, self._sizes.mel_dim)
        mel, _ = self._decoder.step(fed, self._filled)
        mel, _ = self._decoder.step(mel[:, -1:], self._filled)
        self._last, self._rows = mel[:, -1:], torch.arange(rows, device=memory.device)
        self.rewind()

    def rewind(self) -> None:
        """Copy the state that `begin` has left."""
        self._state = self._filled.select(self._rows)
        self._mel = self._last

    def step(self) -> Tensor:
        """Make the next frame."""
        self._mel, _ = self._decoder.step(self._mel, self._state)
        return self._mel


@final
class OurTraining(Trainer):
    """The public model's `forward` and its own losses, the duration's among them."""

    def __init__(self, model: KokoroModel, name: str = "ours") -> None:
        self.name = name
        self.module = model.train()
        self._model = model

    def loss(self, batch: TrainingBatch) -> Tensor:
        """Return the model's loss."""
        loss: Tensor = self._model(batch).loss
        return loss
