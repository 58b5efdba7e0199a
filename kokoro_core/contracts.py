"""What each component of a model promises.

Shapes: B batch, N phonemes, T frames, H hidden, M mel channels. A ``padding_mask`` is bool and True
means padding. Padding is at the end of a row. What a component returns at padding is exactly 0, and
a row's valid output does not depend on the other rows or on how far the row is padded.

A component whose params name side inputs in ``needs`` gets exactly those by keyword, in each of its
entry points; in the abstract signatures they are ``**side_inputs``.

This file is the one place where components inherit: a contract is abstract and has no state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Self, TypeVar

from torch import Tensor, nn

from kokoro_core.durations import frames_from_log
from kokoro_core.pytree import register_pytree

Tree = TypeVar("Tree")


@register_pytree
@dataclass(frozen=True)
class DurationOutput:
    """What a duration predictor returns in training.

    Attributes:
        duration_pred: (B, N) natural log of (frames + 1), or None.
        losses: Losses of its own by name; if there are any they replace the duration loss.
    """

    duration_pred: Tensor | None
    losses: dict[str, Tensor] = field(default_factory=dict)


@register_pytree
@dataclass(frozen=True)
class Plan:
    """How phonemes become frames; a regulator may add fields in a class of its own.

    Attributes:
        lengths: (B,) int64, frames of each row.
        padding_mask: (B, T) bool, True = padding.
        durations: (B, N) int64, frames of each phoneme, 0 at padding.
    """

    lengths: Tensor
    padding_mask: Tensor
    durations: Tensor


@register_pytree
@dataclass(frozen=True)
class DecoderOutput:
    """What a decoder returns.

    Attributes:
        mel: (B, T, M).
        stop_logits: (B, T), or None for a decoder without a stop head.
        losses: Losses of its own by name; if there are any they replace the mel loss.
    """

    mel: Tensor
    stop_logits: Tensor | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class State:
    """What an autoregressive decoder remembers between steps.

    Fields are tensors with the batch first, plain ints that all rows share, and dataclasses, tuples
    or lists of these.
    """

    def select(self, rows: Tensor) -> Self:
        """Return a copy with these rows (int64 indices): fork, reorder or drop."""
        return map_tensors(lambda leaf: leaf.index_select(0, rows), self)


def map_tensors(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """Apply a function to every tensor in nested dataclasses, tuples and lists."""
    result: Any = tree
    if isinstance(tree, Tensor):
        result = function(tree)
    elif is_dataclass(tree) and not isinstance(tree, type):
        changed = {
            each.name: map_tensors(function, getattr(tree, each.name)) for each in fields(tree)
        }
        result = replace(tree, **changed)
    elif isinstance(tree, (list, tuple)):
        result = type(tree)(map_tensors(function, each) for each in tree)
    return result  # type: ignore[no-any-return]


class Component(nn.Module, ABC):
    """The base of the contracts.

    Attributes:
        entry_points: The methods that the model calls, for tools that watch from outside.
        couples_rows: True for a component whose rows depend on each other in training by design.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("forward",)
    couples_rows: ClassVar[bool] = False


class Encoder(Component):
    """Turns phoneme indices into hidden vectors."""

    @abstractmethod
    def forward(
        self, phoneme_indices: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> Tensor:
        """Encode.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H).
        """


class DurationPredictor(Component):
    """Predicts for how many frames each phoneme lasts."""

    entry_points: ClassVar[tuple[str, ...]] = ("forward", "frames")

    @abstractmethod
    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None = None,
        *args: Any,
        **side_inputs: Any,
    ) -> DurationOutput:
        """Predict for training.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. durations: (B, N) int64, the truth.
        """

    def frames(
        self, hidden: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> Tensor:
        """Return the frames of each phoneme, not negative and not rounded, 0 at padding.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. Returns: (B, N) float.
        """
        output: DurationOutput = self(hidden, padding_mask, **side_inputs)
        if output.duration_pred is None:
            raise NotImplementedError(
                f"`{type(self).__name__}` returns no `duration_pred`, "
                f"so it must implement `frames`."
            )
        return frames_from_log(output.duration_pred, padding_mask)


class Regulator(Component):
    """Expands what there is once a phoneme to what there is once a frame."""

    entry_points: ClassVar[tuple[str, ...]] = ("plan", "expand")

    @abstractmethod
    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
        *args: Any,
        **side_inputs: Any,
    ) -> Plan:
        """Decide which phonemes make up which frame.

        Args:
            hidden: (B, N, H).
            durations: (B, N) int64, 0 at padding.
            padding_mask: (B, N) bool.
            num_frames: T of the plan; None: the longest row's, which waits for the device.
            **side_inputs: What the params' ``needs`` name.
        """

    @abstractmethod
    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Carry a tensor from phonemes to frames; one plan serves several tensors.

        Shape:
            x: (B, N, C). Returns: (B, T, C).
        """


class Decoder(Component):
    """Turns memory into a mel spectrogram."""

    @abstractmethod
    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *args: Any,
        **side_inputs: Any,
    ) -> DecoderOutput:
        """Predict the mel in training.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M), the target,
            not shifted. mel_padding_mask: (B, T) bool.
        """


class AutoregressiveDecoder(Decoder):
    """A decoder that makes each group of frames from the groups before it.

    Attributes:
        reduction_factor: Frames that one step makes (r).
    """

    entry_points: ClassVar[tuple[str, ...]] = ("forward", "init_state", "step")
    reduction_factor: int = 1

    @abstractmethod
    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
        *args: Any,
        **side_inputs: Any,
    ) -> State:
        """Return the state before the first frame, with room for `max_frames` frames.

        Raises:
            ValueError: `max_frames` is more than the decoder's positions reach.
        """

    @abstractmethod
    def step(self, frames: Tensor, state: Any) -> tuple[Tensor, Tensor]:
        """Make the next K groups of frames from the K groups before each of them.

        The state is consumed: it may be written in place.

        Shape:
            frames: (B, K·r, M), the frames up to each group; zero frames before the first.
            Returns: mel (B, K·r, M) and stop_logits (B, K·r).
        """


class ParallelDecoder(Decoder):
    """A decoder that makes all frames at once."""

    entry_points: ClassVar[tuple[str, ...]] = ("forward", "infer")

    @abstractmethod
    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> DecoderOutput:
        """Make the mel without a target; a decoder that samples needs ``noise``.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.
        """


class Postnet(Component):
    """Refines a coarse mel.

    Attributes:
        context: Frames at each side that a refined frame depends on; None: all of them.
    """

    context: int | None = None

    @abstractmethod
    def forward(self, mel: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any) -> Tensor:
        """Return the refined mel.

        Shape:
            mel: (B, T, M). padding_mask: (B, T) bool. Returns: (B, T, M).
        """


class PositionalEncoding(Component):
    """Tells attention where vectors stand; every method is neutral unless it is overridden.

    Positions are int64, (T,) shared by all rows or (B, T).

    Attributes:
        max_len: Number of positions it knows, or None for any number.
        uses_weights: True if `values` returns something, which no fused attention can do.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("add", "rotate", "bias", "content_bias", "values")
    max_len: int | None = None
    uses_weights: ClassVar[bool] = False

    def check_length(self, length: int) -> None:
        """Refuse a sequence that is longer than the positions it knows.

        Raises:
            ValueError: `length` is more than `max_len`.
        """
        if self.max_len is not None and length > self.max_len:
            raise ValueError(
                f"`{type(self).__name__}` knows {self.max_len} positions but the sequence has "
                f"{length}; raise `max_len` in the spec or shorten the input."
            )

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x (B, T, H) with what is added to the input of a stack."""
        return x

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys, each (B, heads, T, H/heads), turned by their positions."""
        return q, k

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to the scores of every layer, (…, Tq, Tk); asked once a stack."""
        return None

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to one layer's scores, (B, heads, Tq, Tk), from its queries."""
        return None

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to one layer's result, (B, heads, Tq, H/heads), from its weights."""
        return None
