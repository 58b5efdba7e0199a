"""`AttentionAligner`."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Aligner, AlignerOutput
from kokoro_core.tensors.durations import phoneme_of_frame
from kokoro_core.tensors.masks import lengths_from_padding_mask, zero_padding


@final
class AttentionAligner(Aligner):
    """Compares frames and phonemes in one space.

    Args:
        hidden_dim: Width of the hidden vectors (H).
        mel_dim: Mel channels (M).
        channels: Width of the space (C).
        diagonal: How much an even pace is preferred.
    """

    def __init__(self, *, hidden_dim: int, mel_dim: int, channels: int, diagonal: float) -> None:
        super().__init__()
        self._diagonal = diagonal
        self.phonemes = nn.Linear(hidden_dim, channels)
        self.frames = nn.Linear(mel_dim, channels)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *args: Any,
        **side_inputs: Any,
    ) -> AlignerOutput:
        """Return the durations of the likeliest path, and its negative log-likelihood a frame.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. mel_specs: (B, T, M). mel_padding_mask:
            (B, T) bool.
        """
        keys = self.phonemes(zero_padding(hidden, padding_mask))
        queries = self.frames(zero_padding(mel_specs, mel_padding_mask))
        # (B, T, C), (B, C, N) -> (B, T, N)
        scores = queries @ keys.transpose(1, 2) / math.sqrt(keys.shape[2])
        scores = scores - self._diagonal * _off_pace(padding_mask, mel_padding_mask).to(scores)
        lowest = torch.finfo(scores.dtype).min
        chances = scores.masked_fill(padding_mask.unsqueeze(1), lowest).log_softmax(2)
        durations = _paths(chances, padding_mask, mel_padding_mask)
        index = phoneme_of_frame(durations, scores.shape[1]).unsqueeze(2)
        taken = zero_padding(chances.gather(2, index).squeeze(2), mel_padding_mask)
        loss = -taken.sum() / (~mel_padding_mask).sum().clamp_min(1)
        padded = padding_mask.unsqueeze(1) | mel_padding_mask.unsqueeze(2)
        return AlignerOutput(durations, {"path": loss}, chances.exp().masked_fill(padded, 0))


def _off_pace(padding_mask: Tensor, mel_padding_mask: Tensor) -> Tensor:
    """Return how far each pair is from an even pace, (B, T, N), squared: 0 to 1."""
    shares = []
    for mask in (mel_padding_mask, padding_mask):
        lengths = lengths_from_padding_mask(mask).clamp_min(1).unsqueeze(1)
        shares.append((torch.arange(mask.shape[1], device=mask.device) + 0.5) / lengths)
    return (shares[0].unsqueeze(2) - shares[1].unsqueeze(1)).clamp(-1, 1).square()


@torch.no_grad()
def _paths(chances: Tensor, padding_mask: Tensor, mel_padding_mask: Tensor) -> Tensor:
    """Return the durations (B, N) of each row's likeliest path, 0 at padding."""
    durations = torch.zeros_like(padding_mask, dtype=torch.int64)
    if chances.is_meta:  # where the cost of a model is counted, there is nothing to find
        return durations
    frames = lengths_from_padding_mask(mel_padding_mask).tolist()
    phonemes = lengths_from_padding_mask(padding_mask).tolist()
    for row, (length, num) in enumerate(zip(frames, phonemes, strict=True)):
        durations[row, :num] = likeliest(chances[row, :length, :num].double().cpu())
    return durations


def likeliest(chances: Tensor) -> Tensor:
    """Return for how many frames each phoneme lasts on the likeliest path through all of them.

    Shape:
        chances: (T, N) log-probabilities. Returns: (N,) int64, at least 1 each.

    Raises:
        ValueError: There are fewer frames than phonemes.
    """
    length, num = chances.shape
    if length < num:
        raise ValueError(
            f"`chances` must have a frame for each phoneme, but there are {length} frames and "
            f"{num} phonemes; leave such an utterance out."
        )
    best = torch.full((num,), -torch.inf, dtype=chances.dtype)
    moved = torch.zeros(length, num, dtype=torch.bool)
    for frame, chance in enumerate(chances):
        if frame == 0:
            best[:1] = chance[:1]
            continue
        before = torch.cat([best.new_full((1,), -torch.inf), best[:-1]])
        moved[frame] = before > best
        best = torch.maximum(before, best) + chance
    durations, phoneme = torch.zeros(num, dtype=torch.int64), num - 1
    for steps in reversed(moved.tolist()):
        durations[phoneme] += 1
        phoneme -= steps[phoneme]
    return durations
