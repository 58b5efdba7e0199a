"""`CouplingFlowDecoder`: the mel's likelihood, and mels that are drawn (Glow-TTS; VITS)."""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import DecoderOutput, Latents, ParallelDecoder
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.vits.coupling_flow import CouplingFlow


@final
class CouplingFlowDecoder(ParallelDecoder):
    """Maps the mel to latents, which are normal around what the phonemes say, and back again.

    Args:
        hidden_dim: Width of the memory.
        mel_dim: Mel channels, and those of the latents.
        flow: From mels to latents.
        mean: The encoder's part with the means; None: a linear layer makes them of the memory.
        log_scale: The encoder's part with the log deviations; None: they are 0, as in Glow-TTS.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("latents", "forward", "infer")

    def __init__(
        self,
        *,
        hidden_dim: int,
        mel_dim: int,
        flow: CouplingFlow,
        mean: str | None = "mu",
        log_scale: str | None = "log_sigma",
    ) -> None:
        super().__init__()
        self._names = mean, log_scale
        self.mean = nn.Linear(hidden_dim, mel_dim) if mean is None else None
        self.flow = flow

    def latents(
        self, mel_specs: Tensor, mel_padding_mask: Tensor, *, noise: RowNoise | None = None
    ) -> Latents:
        """Map the mel to latents.

        Shape:
            mel_specs: (B, T, M). mel_padding_mask: (B, T) bool. `noise` is for speaking.
        """
        return Latents(*self.flow(mel_specs, mel_padding_mask))

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        latents: Latents | None = None,
        **side_inputs: Any,
    ) -> DecoderOutput:
        """Return the mel's negative log-likelihood, and the mel of the means.

        Args:
            memory: (B, T, H).
            memory_padding_mask: (B, T) bool.
            mel_specs: (B, T, M).
            mel_padding_mask: (B, T) bool.
            latents: Those of the mel, if they are there already.
            **side_inputs: The prior's parts (B, T, M), and ``noise``, which training does not use.

        Raises:
            ValueError: The memory has not one vector a frame.
        """
        if memory.shape[:2] != mel_specs.shape[:2]:
            raise ValueError(
                f"`memory` must have one vector a frame, but there are {memory.shape[1]} and "
                f"{mel_specs.shape[1]} frames; use a regulator."
            )
        latents = latents or self.latents(mel_specs, mel_padding_mask)
        mean, log_scale = self._of_prior(memory, memory_padding_mask, side_inputs)
        loss = negative_log_likelihood(latents, mean, log_scale, mel_padding_mask)
        mel = self.flow.inverse(zero_padding(mean, mel_padding_mask), mel_padding_mask)
        return DecoderOutput(mel, losses={"likelihood": loss})

    def infer(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        *,
        noise: RowNoise,
        temperature: float = 0.667,
        **side_inputs: Any,
    ) -> DecoderOutput:
        """Draw a mel.

        Args:
            memory: (B, T, H).
            memory_padding_mask: (B, T) bool.
            noise: What is drawn from.
            temperature: What the standard deviations are multiplied by.
            **side_inputs: The prior's parts, (B, T, M), and ``latents``, which are None.
        """
        mean, log_scale = self._of_prior(memory, memory_padding_mask, side_inputs)
        drawn = noise.normal(mean.shape[1], mean.shape[2], like=mean)
        z = zero_padding(mean + drawn * log_scale.exp() * temperature, memory_padding_mask)
        return DecoderOutput(self.flow.inverse(z, memory_padding_mask))

    def _of_prior(
        self, memory: Tensor, padding_mask: Tensor, side_inputs: dict[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """Return means and log deviations of the latents, (B, T, M) each, as the memory is."""
        name, log_scale = self._names
        given = memory if self.mean is not None else side_inputs[str(name)]
        mean = zero_padding(given, padding_mask)
        mean = mean if self.mean is None else self.mean(mean)
        if log_scale is None:
            return mean, torch.zeros_like(mean)
        return mean, zero_padding(side_inputs[log_scale], padding_mask)


def negative_log_likelihood(
    latents: Latents, mean: Tensor, log_scale: Tensor, padding_mask: Tensor
) -> Tensor:
    """Return what a number of the mel has on average, by the change of variables.

    Shape:
        mean, log_scale: (B, T, M). padding_mask: (B, T) bool. Returns: ().
    """
    error = (latents.z - mean) * (-log_scale).exp()
    each = 0.5 * (math.log(2 * math.pi) + error.square()) + log_scale
    summed = zero_padding(each, padding_mask).sum() - latents.log_determinant.sum()
    return summed / ((~padding_mask).sum().clamp_min(1) * mean.shape[2])
