"""One training step and one generation on random input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.model import TrainingBatch
from kokoro_core.model.example_features import example_features
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.profiler.gpu_profiler import GpuProfiler
from registry import Plugins

MAX_FRAMES_PER_PHONEME = 11
"""Durations are drawn from 1 to this; their mean of 6 is about that of read speech."""


def random_batch(sizes: Sizes, *, rows: int, phonemes: int, with_durations: bool) -> TrainingBatch:
    """Draw a batch; the same one each time."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, sizes.vocab_size - 1, (rows, phonemes), generator=generator)
    durations = torch.randint(1, MAX_FRAMES_PER_PHONEME + 1, (rows, phonemes), generator=generator)
    lengths = durations.sum(1)
    frames = int(lengths.max())
    lengths = lengths if with_durations else lengths.fill_(frames)
    return TrainingBatch(
        phoneme_indices=drawn + (drawn >= sizes.pad_id),  # every index but the padding's
        padding_mask=torch.zeros_like(drawn, dtype=torch.bool),
        durations=durations if with_durations else None,
        mel_specs=torch.randn(rows, frames, sizes.mel_dim, generator=generator),
        mel_padding_mask=padding_mask_from_lengths(lengths, frames),
    )


@dataclass(frozen=True)
class Trial:
    """A model with random weights and a batch to try it on."""

    model: KokoroModel
    batch: TrainingBatch

    def run(self, profiler: GpuProfiler, *, backward: bool) -> None:
        """Train a step and speak, once to warm up and once watched by the profiler."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        warm_up = GpuProfiler()
        for each in (warm_up, profiler):
            with each.attach(self.model):
                self._train(each, optimizer if backward else None)
                self._speak()

    def _train(self, profiler: GpuProfiler, optimizer: torch.optim.Optimizer | None) -> None:
        self.model.train()
        with torch.set_grad_enabled(optimizer is not None):
            output = self.model(self.batch)
        if optimizer is not None:
            with profiler.measure("training", "backward"):
                output.loss.backward()
            with profiler.measure("training", "optimizer"):
                optimizer.step()
                optimizer.zero_grad()

    def _speak(self) -> None:
        """Speak as many frames as the batch has: random weights do not know when to stop."""
        self.model.eval().generate(
            self.batch.phoneme_indices,
            durations=self.batch.durations,
            max_mel_len=self.batch.mel_specs.shape[1],
            stop_threshold=1.0,
            **examples(self.model, self.batch, training=False),
        )

    def report(self) -> dict[str, Any]:
        """Return what was tried, as values that JSON has."""
        rows, phonemes = self.batch.phoneme_indices.shape
        return {
            "spec": self.model.spec.name,
            "parameters": sum(each.numel() for each in self.model.parameters()),
            "rows": rows,
            "phonemes": phonemes,
            "frames": self.batch.mel_specs.shape[1],
        }

    def __str__(self) -> str:
        return (
            "`{spec}`, {parameters:,} parameters: {rows} rows of {phonemes} phonemes "
            "and up to {frames} frames."
        ).format(**self.report())


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise as `ValueError` that memory is used up.

    Raises:
        ValueError: It is.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        used_up = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not used_up and "can't allocate memory" not in str(error):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"The memory of the device is used up: {said} A smaller `--batch` or fewer "
            f"`--phonemes` need less."
        ) from error


def build_trial(
    spec: ModelSpec, plugins: Plugins, *, rows: int, phonemes: int, device: str
) -> Trial:
    """Build the model with random weights and draw a batch for it.

    Raises:
        ValueError: The model needs side inputs, which cannot be made up.
    """
    model = KokoroModel.from_spec(spec, plugins=plugins).to(device)
    made = random_batch(
        spec.sizes, rows=rows, phonemes=phonemes, with_durations=spec.regulator is not None
    ).to(device)
    try:
        return Trial(model, replace(made, extras=examples(model, made, training=True)))
    except LookupError as error:
        raise ValueError(
            f"`{spec.name}` needs the side inputs {error}, which `profile` cannot make up; attach "
            f"a `GpuProfiler` in Python, where you have them."
        ) from error


def examples(model: KokoroModel, batch: TrainingBatch, *, training: bool) -> dict[str, Any]:
    """Return features of the right form for a batch.

    Raises:
        LookupError: The form of one is not declared; it names all of them.
    """
    (rows, phonemes), frames = batch.phoneme_indices.shape, batch.mel_specs.shape[1]
    steps = {"row": rows, "phoneme": phonemes, "frame": frames, "mel": model.spec.mel_dim}
    device = str(batch.mel_specs.device)
    found = example_features(model.acoustic.wiring, steps, training=training, device=device)
    return dict(found)
