"""What is measured: the sizes of the models and of what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FRAMES_PER_PHONEME = 6
"""Read speech has about as many at 86 frames a second."""


@dataclass(frozen=True)
class ModelSize:
    """The size that all models have in common; the values are those of the spec ``default``.

    Attributes:
        vocab_size: Phoneme indices, padding included.
        mel_dim: Mel channels (M).
        hidden_dim: Width (H).
        num_layers: Layers of the encoder, and of the decoder.
        num_heads: Attention heads.
        ff_dim: Width of the feed-forward blocks.
        prenet_units: Width of the prenet of the peers that have one.
        max_len: Longest sequence.
    """

    vocab_size: int = 63
    mel_dim: int = 80
    hidden_dim: int = 512
    num_layers: int = 6
    num_heads: int = 8
    ff_dim: int = 2048
    prenet_units: int = 256
    max_len: int = 5000

    def overrides(self) -> dict[str, Any]:
        """Return the changes that give the spec ``default`` this size."""
        changes: dict[str, Any] = {
            "vocab_size": self.vocab_size,
            "mel_dim": self.mel_dim,
            "hidden_dim": self.hidden_dim,
            "audio": None,
            "frontend": None,
            "vocoder": None,
        }
        for stack in ("encoder", "decoder"):
            changes[f"{stack}.num_layers"] = self.num_layers
            changes[f"{stack}.num_heads"] = self.num_heads
            changes[f"{stack}.ff_dim"] = self.ff_dim
            changes[f"{stack}.positional_encoding.max_len"] = self.max_len
        return changes

    def step_matrices(self) -> list[tuple[int, int]]:
        """Return the matrices (out, in) that a decoder with a cache reads for one frame.

        The cross-attention's keys and values are projected once an utterance and are not among
        them.
        """
        width, ff_dim = self.hidden_dim, self.ff_dim
        own = [(3 * width, width), (width, width)]
        crossed = [(width, width), (width, width)]
        layer = [*own, *crossed, (ff_dim, width), (width, ff_dim)]
        return [(width, self.mel_dim), *layer * self.num_layers, (self.mel_dim + 1, width)]

    def weight_numbers(self) -> int:
        """Return how many numbers those matrices have."""
        return sum(rows * columns for rows, columns in self.step_matrices())

    def cache_numbers(self, frames: int, memory: int) -> int:
        """Return how many numbers the caches of one row have after `frames` frames."""
        return 2 * self.num_layers * self.hidden_dim * (frames + memory)


@dataclass(frozen=True)
class Serving:
    """What is asked of a server.

    Attributes:
        spec: The named spec of what makes frame after frame.
        changes: Of its settings.
        voice: What makes all frames of a sentence at once.
        clients: How many ask at once, the most at last.
        seconds: For how long.
    """

    spec: str = "quick"
    changes: Mapping[str, Any] = field(default_factory=lambda: {"vocoder.iterations": 8})
    voice: str = "heart"
    clients: tuple[int, ...] = (1, 8, 50)
    seconds: float = 30.0


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        model: The size of the models.
        lengths: Frames after which the next frame is timed.
        frame: The length that the bars of one frame are for.
        batches: Rows that are made at once.
        utterance: Frames of an utterance that is made whole.
        training: Rows and frames of a training batch.
        memory: Rows and frames of a batch for gradient checkpointing.
        ragged: Rows and phonemes of a batch for the regulator.
        segments: Segments of gradient checkpointing; None: off.
        serving: What is asked of a server.
        device: Where the models are that speak; training is measured on the CPU.
        rounds: How often the contenders take turns.
        block_seconds: How long a contender is timed at a time, at least one call.
    """

    model: ModelSize = field(default_factory=ModelSize)
    lengths: tuple[int, ...] = (100, 200, 400, 800, 1600)
    frame: int = 400
    batches: tuple[int, ...] = (1, 8, 32)
    utterance: int = 100
    training: tuple[int, int] = (4, 420)
    memory: tuple[int, int] = (2, 420)
    ragged: tuple[int, int] = (32, 200)
    segments: tuple[int | None, ...] = (None, 1, 2, 3, 4, 5, 6)
    serving: Serving = field(default_factory=Serving)
    device: str = "cpu"
    rounds: int = 5
    block_seconds: float = 0.2

    @classmethod
    def quick(cls) -> Scale:
        """Return a scale for about a minute; the model has its full size."""
        return cls(
            lengths=(100, 400, 1600),
            batches=(1, 8),
            utterance=25,
            segments=(None, 4, 6),
            serving=Serving(seconds=5.0),
            rounds=3,
            block_seconds=0.05,
        )
