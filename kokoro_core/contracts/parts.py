"""Encoder, duration predictor, regulator and postnet."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from kokoro_core.contracts.component import Component
from kokoro_core.contracts.values import DurationOutput, Plan
from kokoro_core.tensors.durations import frames_from_log


class Encoder(Component):
    """Turns phoneme indices into hidden vectors."""

    @abstractmethod
    def forward(
        self, phoneme_indices: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> Tensor:
        """Encode phonemes.

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
        """Predict durations in training.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. durations: (B, N) int64, the true ones.
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
    """Expands tensors from one vector per phoneme to one vector per frame."""

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
            num_frames: T of the plan; None: that of the longest row, which waits for the device.
            **side_inputs: Those listed in the params' ``needs``.
        """

    @abstractmethod
    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Expand a tensor from phonemes to frames; one plan serves several tensors.

        Shape:
            x: (B, N, C). Returns: (B, T, C).
        """


class Postnet(Component):
    """Refines a coarse mel.

    Attributes:
        context: Frames on each side that a refined frame depends on; None: all of them.
    """

    context: int | None = None

    @abstractmethod
    def forward(self, mel: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any) -> Tensor:
        """Return the refined mel.

        Shape:
            mel: (B, T, M). padding_mask: (B, T) bool. Returns: (B, T, M).
        """
