"""Encoder, duration predictor, regulator and postnet, and the parts that a model may do without."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from torch import Tensor

from kokoro_core.contracts.component import Component
from kokoro_core.contracts.values import (
    AdaptorOutput,
    AlignerOutput,
    DurationOutput,
    EncoderOutput,
    Plan,
)
from kokoro_core.tensors.durations import frames_from_log


class Encoder(Component):
    """Turns phoneme indices into hidden vectors."""

    @abstractmethod
    def forward(
        self, phoneme_indices: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> Tensor | EncoderOutput:
        """Encode phonemes.

        Shape:
            phoneme_indices: (B, N) int64. padding_mask: (B, N) bool. Returns: (B, N, H), alone or
            with the parts that the params declare.
        """


class Conditioner(Component):
    """Makes one vector an utterance of features such as a speaker or a recording."""

    @abstractmethod
    def forward(self, *args: Any, **features: Any) -> Tensor:
        """Return the embedding.

        Shape:
            Returns: (B, C).
        """


class Aligner(Component):
    """Finds in training which frames belong to which phoneme; speaking needs it not."""

    @abstractmethod
    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *args: Any,
        **side_inputs: Any,
    ) -> AlignerOutput:
        """Align phonemes and frames.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. mel_specs: (B, T, M). mel_padding_mask:
            (B, T) bool.
        """


class Adaptor(Component):
    """Adds to the vectors of phonemes or of frames what it predicts, such as pitch.

    It takes two keywords beside its side inputs, `target` and `control`.
    """

    @abstractmethod
    def forward(
        self, x: Tensor, padding_mask: Tensor, *args: Any, **side_inputs: Any
    ) -> AdaptorOutput:
        """Adapt vectors.

        Args:
            x: (B, L, H).
            padding_mask: (B, L) bool.
            *args: None.
            **side_inputs: ``target``, (B, L) or (B, L, C): the true values, given in training; None
                for its own prediction. ``control``: what a prediction is multiplied by, 1.0 unless
                the caller says otherwise. And those listed in the params' ``needs``.
        """


class DurationPredictor(Component):
    """Predicts for how many frames each phoneme lasts.

    Attributes:
        rounding: Which whole number of frames its predictions mean: the nearest, or the next above.
    """

    rounding: Literal["nearest", "up"] = "nearest"
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
