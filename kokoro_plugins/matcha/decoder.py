"""`FlowMatchingDecoder`: a mel by conditional flow matching, all frames at once."""

from __future__ import annotations

from typing import final

from torch import Tensor

from kokoro_core.contracts import DecoderOutput, ParallelDecoder
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.matcha.unet import UNet


@final
class FlowMatchingDecoder(ParallelDecoder):
    """Follows learned velocities from noise to a mel (Lipman et al., 2023; Matcha-TTS).

    Args:
        estimator: Gives the velocities.
        mel_dim: Mel channels.
        condition: The encoder's part that the estimator sees; None: the memory.
        sigma_min: Standard deviation of the noise that is left at the end of the way.
        steps: Euler steps of the way where no option says otherwise.
    """

    def __init__(
        self,
        *,
        estimator: UNet,
        mel_dim: int,
        condition: str | None = None,
        sigma_min: float = 1e-4,
        steps: int = 10,
    ) -> None:
        super().__init__()
        self.estimator = estimator
        self.mel_dim = mel_dim
        self._condition = condition
        self.sigma_min = sigma_min
        self.steps = steps

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        noise: RowNoise,
        **parts: Tensor,
    ) -> DecoderOutput:
        """Return the loss at one time of each row's way, and the mel that is expected there.

        The loss is the mean squared error of the velocities over valid frames.

        Shape:
            memory: (B, T, H). memory_padding_mask: (B, T) bool. mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool. The condition, if it is a part: (B, T, C).

        Raises:
            ValueError: The memory has not one vector a frame.
        """
        if memory.shape[:2] != mel_specs.shape[:2] or mel_specs.dim() != 3:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and a mel "
                f"of shape {tuple(mel_specs.shape)}; a parallel decoder needs a regulator."
            )
        mel = zero_padding(mel_specs, mel_padding_mask)
        start = noise.normal(mel.shape[1], mel.shape[2], like=mel)
        times = noise.uniform(1, 1, like=mel)
        scaled = (1 - self.sigma_min) * start
        # not `lerp`: at time 1 a little of the noise is left
        between = start - times * scaled + times * mel
        condition = self._conditioned(memory, mel_padding_mask, parts)
        velocity = self.estimator(between, condition, times, mel_padding_mask)
        error = zero_padding((velocity - (mel - scaled)).square(), mel_padding_mask)
        loss = error.sum() / ((~mel_padding_mask).sum() * mel.shape[2])
        expected = zero_padding(velocity + scaled, mel_padding_mask)
        return DecoderOutput(expected, losses={"flow": loss})

    def infer(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        *,
        noise: RowNoise,
        temperature: float = 0.667,
        steps: int | None = None,
        **parts: Tensor,
    ) -> DecoderOutput:
        """Follow the velocities from noise to a mel (B, T, M) in Euler steps of one size.

        Args:
            memory: (B, T, H).
            memory_padding_mask: (B, T) bool.
            noise: Where the ways start.
            temperature: Standard deviation of that noise.
            steps: Euler steps; None: those of the settings.
            **parts: The condition (B, T, C), if it is a part.
        """
        condition = self._conditioned(memory, memory_padding_mask, parts)
        mel = temperature * noise.normal(memory.shape[1], self.mel_dim, like=condition)
        steps = steps or self.steps
        for step in range(steps):
            times = mel.new_full((mel.shape[0], 1, 1), step / steps)
            mel = mel + self.estimator(mel, condition, times, memory_padding_mask) / steps
        return DecoderOutput(zero_padding(mel, memory_padding_mask))

    def _conditioned(
        self, memory: Tensor, padding_mask: Tensor, parts: dict[str, Tensor]
    ) -> Tensor:
        condition = memory if self._condition is None else parts[self._condition]
        return zero_padding(condition, padding_mask)
