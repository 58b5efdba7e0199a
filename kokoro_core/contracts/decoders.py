"""Decoders: autoregressive and parallel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from kokoro_core.contracts.component import Component
from kokoro_core.contracts.values import DecoderOutput, State


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
    """A decoder that predicts each group of frames from the groups before it.

    Attributes:
        reduction_factor: Frames per step (r).
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
        """Return the state before the first frame, with capacity for `max_frames` frames.

        Raises:
            ValueError: `max_frames` exceeds the decoder's positions.
        """

    @abstractmethod
    def step(self, frames: Tensor, state: Any) -> tuple[Tensor, Tensor]:
        """Predict the next K groups of frames, each from the group before it.

        The state is consumed: it may be written in place.

        Shape:
            frames: (B, K·r, M), the group before each predicted one; zero frames before the first.
            Returns: mel (B, K·r, M) and stop_logits (B, K·r).
        """


class ParallelDecoder(Decoder):
    """A decoder that predicts all frames at once."""

    entry_points: ClassVar[tuple[str, ...]] = ("forward", "infer")

    @abstractmethod
    def infer(
        self, memory: Tensor, memory_padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> DecoderOutput:
        """Predict the mel without a target; a decoder that samples needs ``noise``.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool.
        """
