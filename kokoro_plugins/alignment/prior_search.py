"""`PriorSearch`: alignment search under a Gaussian prior (Glow-TTS, Kim et al., 2020)."""

from __future__ import annotations

import math
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Aligner, AlignerOutput
from kokoro_core.tensors.durations import phoneme_of_frame
from kokoro_core.tensors.masks import lengths_from_padding_mask, zero_padding
from kokoro_plugins.alignment.beta_binomial import log_prior
from kokoro_plugins.alignment.feature import MARK
from kokoro_plugins.alignment.marks import Sounds
from kokoro_plugins.alignment.search import search


@final
class PriorSearch(Aligner):
    """Takes frames to be normal around a mean of their phoneme, and searches the best path.

    Args:
        hidden_dim: Width of the hidden vectors.
        mel_dim: Mel channels.
        prior: The encoder's part with the means; None: a linear layer makes them of the hidden
            vectors.
        log_scale: The encoder's part with the log deviations; None: they are 0.
        reads: Whether the frames are the mel's, or the latents that the decoder maps it to, whose
            likelihood is the decoder's loss.
        diagonal: Weight in the search of a beta-binomial prior along the diagonal. A layer of its
            own then starts at 0, so that the search begins with an even split.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        mel_dim: int,
        prior: str | None = None,
        log_scale: str | None = None,
        reads: Literal["mel", "latents"] = "mel",
        diagonal: float = 0.0,
    ) -> None:
        super().__init__()
        self._prior, self._log_scale, self._reads = prior, log_scale, reads
        self._diagonal = diagonal
        self.mean = nn.Linear(hidden_dim, mel_dim) if prior is None else None
        if self.mean is not None and diagonal:
            nn.init.zeros_(self.mean.weight)
            nn.init.zeros_(self.mean.bias)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        **side_inputs: Any,
    ) -> AlignerOutput:
        """Return the durations of the likeliest path, and the mel's negative log-likelihood.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. mel_specs: (B, T, M). mel_padding_mask:
            (B, T) bool. The prior and the log deviations, if they are given: (B, N, M). mark, if it
            is given: (B, N).
        """
        mean, log_scale = self._of_phonemes(hidden, padding_mask, side_inputs)
        of_mel = self._reads == "mel"
        frames = zero_padding(mel_specs if of_mel else side_inputs["latents"].z, mel_padding_mask)
        with torch.no_grad():
            score = _log_likelihood(mean, log_scale, frames)
            sounds = Sounds.of(padding_mask, side_inputs.get(MARK))
            durations = self._search(score, sounds, mel_padding_mask)
        if not of_mel:
            return AlignerOutput(durations)
        prior = mean, log_scale
        loss = _negative_log_likelihood(*prior, frames, durations, mel_padding_mask)
        return AlignerOutput(durations, {"prior": loss})

    def _search(self, score: Tensor, sounds: Sounds, mel_padding_mask: Tensor) -> Tensor:
        """Return the durations of the path that score (B, N, T) and diagonal favour."""
        score = sounds.only(score, 1)
        phonemes = lengths_from_padding_mask(sounds.padding_mask)
        frames = lengths_from_padding_mask(mel_padding_mask)
        if self._diagonal and not score.is_meta:
            prior = log_prior(phonemes, frames, (score.shape[2], score.shape[1]), score)
            score = score + self._diagonal * prior.transpose(1, 2)
        return sounds.durations(search(score, phonemes, frames))

    def _of_phonemes(
        self, hidden: Tensor, padding_mask: Tensor, side_inputs: dict[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """Return the mean and the log deviation of each phoneme's frames, (B, N, M)."""
        given = zero_padding(side_inputs.get(str(self._prior), hidden), padding_mask)
        mean = given if self.mean is None else self.mean(given)
        if self._log_scale is None:
            return mean, torch.zeros_like(mean)
        return mean, zero_padding(side_inputs[self._log_scale], padding_mask)


def _log_likelihood(mean: Tensor, log_scale: Tensor, frames: Tensor) -> Tensor:
    """Return the log-likelihood of each frame under each phoneme, without what all have alike.

    Shape:
        mean, log_scale: (B, N, M). frames: (B, T, M). Returns: (B, N, T).
    """
    precision = (-2 * log_scale).exp()
    crossed = (mean * precision) @ frames.transpose(1, 2)
    crossed = crossed - 0.5 * precision @ frames.square().transpose(1, 2)
    return crossed - (0.5 * mean.square() * precision + log_scale).sum(2, keepdim=True)


def _negative_log_likelihood(
    mean: Tensor, log_scale: Tensor, mel: Tensor, durations: Tensor, mel_padding_mask: Tensor
) -> Tensor:
    """Return the mean over frames and channels, with deviations of 1 the prior loss of Matcha."""
    # (B, T) -> (B, T, M)
    index = phoneme_of_frame(durations, mel.shape[1]).unsqueeze(2).expand_as(mel)
    error = (mel - mean.gather(1, index)) * (-log_scale.gather(1, index)).exp()
    each = 0.5 * (error.square() + math.log(2 * math.pi)) + log_scale.gather(1, index)
    valid = (~mel_padding_mask).sum().clamp_min(1) * mel.shape[2]
    return zero_padding(each, mel_padding_mask).sum() / valid
