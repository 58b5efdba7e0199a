"""Decoders: autoregressive and parallel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from kokoro_core.contracts.component import Component
from kokoro_core.contracts.values import DecoderOutput, Latents, State


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

    def latents(
        self, mel_specs: Tensor, mel_padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> Latents:
        """Map the true mel to latents in training, if the params say so in ``gives_latents``.

        They are there before the aligner, so it gets those of the decoder's side inputs by keyword
        that are there before the encoder. Who needs ``latents`` is given what it returns, the
        decoder itself too; in speaking that is None.

        Shape:
            mel_specs: (B, T, M). mel_padding_mask: (B, T) bool.
        """
        raise NotImplementedError(
            f"`{type(self).__name__}` has no latents, so its params must not say that it gives "
            f"them, or it must implement `latents`."
        )


class AutoregressiveDecoder(Decoder):
    """A decoder that predicts each group of frames from the groups before it.

    Attributes:
        reduction_factor: Frames per step (r).
        draws_in_step: Whether `step` takes the noise of the rows as a third argument.
        replaces_rows: Whether rows that ended can make place for others by `replace_rows`.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("forward", "init_state", "step")
    reduction_factor: int = 1
    draws_in_step: bool = False
    replaces_rows: bool = False

    @abstractmethod
    def init_state(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        max_frames: int,
        *args: Any,
        **side_inputs: Any,
    ) -> State:
        """Return the state before the first frame, with capacity for `max_frames` frames.

        Raises:
            ValueError: `max_frames` exceeds the decoder's positions.
        """

    def ends(self, stop_logits: Tensor, threshold: float) -> Tensor:
        """Return which frames are the last of their row.

        Args:
            stop_logits: (B, k), of whole groups of frames.
            threshold: The caller's `stop_threshold`.

        Returns:
            (B, k) bool.
        """
        return stop_logits.float().sigmoid() > threshold

    @abstractmethod
    def step(self, frames: Tensor, state: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Predict the next K groups of frames, each from the group before it.

        The state is consumed: it may be written in place.

        Shape:
            frames: (B, K·r, M), the group before each predicted one; zero frames before the first.
            With `draws_in_step` a third argument is the `RowNoise` of the B rows.
            Returns: mel (B, K·r, M) and stop_logits (B, K·r).
        """

    def replace_rows(self, state: Any, rows: Tensor, begun: Any) -> State:
        """Put the rows of another state in the place of some, if `replaces_rows` says that it can.

        Each row goes on from where it is: those of `begun` are mostly before their first frame, the
        others anywhere. It has the room that it was begun with, and no row is asked for more.

        Args:
            state: Of B rows; it is consumed.
            rows: (b,) int64, each once.
            begun: Of b rows, from `init_state` or after steps; it is consumed.

        Returns:
            A state of B rows.

        Raises:
            ValueError: What all rows share differs between the states.
        """
        raise NotImplementedError(
            f"`{type(self).__name__}` cannot replace rows, so it must not say so in "
            f"`replaces_rows`, or it must implement `replace_rows`."
        )


class ParallelDecoder(Decoder):
    """A decoder that predicts all frames at once."""

    entry_points: ClassVar[tuple[str, ...]] = ("forward", "infer")

    @abstractmethod
    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> DecoderOutput:
        """Predict the mel without a target; a decoder that samples needs ``noise``.

        It makes one frame for each vector of the memory; without a regulator as many as it decides,
        which it says in ``lengths``.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.
        """
