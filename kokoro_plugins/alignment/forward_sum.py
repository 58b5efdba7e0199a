"""`ForwardSum`: learned alignment (One TTS Alignment To Rule Them All, Badlani et al., 2021)."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import Aligner, AlignerOutput
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.durations import phoneme_of_frame
from kokoro_core.tensors.masks import lengths_from_padding_mask, zero_padding
from kokoro_plugins.alignment.beta_binomial import log_prior
from kokoro_plugins.alignment.feature import MARK
from kokoro_plugins.alignment.marks import Sounds
from kokoro_plugins.alignment.search import search

BLANK = -1.0
"""The log-score of no phoneme at all, as in the authors' code."""


@final
class ForwardSum(Aligner):
    """Compares frames and phonemes by their distance, and sums over all monotonic alignments.

    Args:
        hidden_dim: Width of the hidden vectors.
        mel_dim: Mel channels.
        channels: Width in which they are compared.
        temperature: Multiplies squared distances.
        use_prior: Whether alignments near the diagonal are preferred.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        mel_dim: int,
        channels: int = 80,
        temperature: float = 0.01,
        use_prior: bool = True,
    ) -> None:
        super().__init__()
        self._temperature = temperature
        self._use_prior = use_prior
        self.keys = nn.ModuleList(
            [
                MaskedConv1d(hidden_dim, 2 * hidden_dim, kernel_size=3),
                MaskedConv1d(2 * hidden_dim, channels, kernel_size=1),
            ]
        )
        self.queries = nn.ModuleList(
            [
                MaskedConv1d(mel_dim, 2 * mel_dim, kernel_size=3),
                MaskedConv1d(2 * mel_dim, mel_dim, kernel_size=1),
                MaskedConv1d(mel_dim, channels, kernel_size=1),
            ]
        )

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        **side_inputs: Any,
    ) -> AlignerOutput:
        """Return the durations of the likeliest path, and the losses that sharpen the alignment.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. mel_specs: (B, T, M). mel_padding_mask:
            (B, T) bool. mark, if it is given: (B, N).
        """
        sounds = Sounds.of(padding_mask, side_inputs.get(MARK))
        phonemes = lengths_from_padding_mask(sounds.padding_mask)
        frames = lengths_from_padding_mask(mel_padding_mask)
        scores = sounds.only(self._scores(hidden, padding_mask, mel_specs, mel_padding_mask), 2)
        scores = self._with_prior(scores, sounds.padding_mask, phonemes, frames)
        log_soft = scores.log_softmax(2)
        with torch.no_grad():
            durations = search(log_soft.transpose(1, 2), phonemes, frames)
        losses = {
            "forward_sum": forward_sum_loss(scores, phonemes, frames),
            "binarise": binarisation_loss(log_soft, durations, mel_padding_mask),
        }
        soft = zero_padding(sounds.back(log_soft.exp(), 2), mel_padding_mask).to(hidden.dtype)
        return AlignerOutput(sounds.durations(durations), losses, soft)

    def _with_prior(
        self, scores: Tensor, padding_mask: Tensor, phonemes: Tensor, frames: Tensor
    ) -> Tensor:
        """Return scores (B, T, N) with the prior, if there is one, and -inf at padding."""
        # A row that is all padding keeps its scores: a softmax over nothing is NaN.
        unseen = (padding_mask & ~padding_mask.all(1, keepdim=True)).unsqueeze(1)
        scores = scores.masked_fill(unseen, -torch.inf)
        if self._use_prior:
            shape = (scores.shape[1], scores.shape[2])
            scores = scores.log_softmax(2) + log_prior(phonemes, frames, shape, scores)
        return scores.masked_fill(unseen, -torch.inf)

    def _scores(
        self, hidden: Tensor, padding_mask: Tensor, mel_specs: Tensor, mel_padding_mask: Tensor
    ) -> Tensor:
        """Return minus the scaled squared distance of each frame from each phoneme, (B, T, N)."""
        keys = _encoded(self.keys, hidden, padding_mask)
        queries = _encoded(self.queries, mel_specs, mel_padding_mask)
        # cdist and the loss know no half precision
        wide = torch.promote_types(queries.dtype, torch.float32)
        pairs = queries.to(wide), keys.to(wide)
        distances = torch.cdist(*pairs, compute_mode="donot_use_mm_for_euclid_dist").square()
        return -self._temperature * distances


def _encoded(layers: nn.ModuleList, x: Tensor, padding_mask: Tensor) -> Tensor:
    for index, layer in enumerate(layers):
        x = layer(x if index == 0 else x.relu(), padding_mask)
    return x


def forward_sum_loss(scores: Tensor, phonemes: Tensor, frames: Tensor) -> Tensor:
    """Return minus the log-probability of all monotonic alignments together, a phoneme's mean.

    It is the loss of CTC with each phoneme as a class of its own, and a blank that is hardly used.

    Shape:
        scores: (B, T, N), -inf at padded phonemes. phonemes, frames: (B,) int64. Returns: ().
    """
    log_probs = F.pad(scores, (1, 0), value=BLANK).log_softmax(2)
    if scores.is_meta:  # where the cost of a model is counted; torch's loss reads its lengths
        return log_probs.sum()
    # A finite floor: the gradient of CTC at -inf is NaN, though no path leads there.
    log_probs = log_probs.clamp_min(torch.finfo(log_probs.dtype).min / 1e4)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device).expand(len(scores), -1)
    each = F.ctc_loss(
        log_probs.transpose(0, 1), targets, frames, phonemes, blank=0, reduction="none"
    )
    return (each / phonemes.clamp_min(1)).sum() / (phonemes > 0).sum().clamp_min(1)


def binarisation_loss(log_soft: Tensor, durations: Tensor, mel_padding_mask: Tensor) -> Tensor:
    """Return minus the log-probability of the chosen phonemes, a frame's mean.

    Shape:
        log_soft: (B, T, N). durations: (B, N) int64. mel_padding_mask: (B, T) bool. Returns: ().
    """
    index = phoneme_of_frame(durations, log_soft.shape[1])
    chosen = log_soft.gather(2, index.unsqueeze(2)).squeeze(2)
    return -zero_padding(chosen, mel_padding_mask).sum() / (~mel_padding_mask).sum().clamp_min(1)
