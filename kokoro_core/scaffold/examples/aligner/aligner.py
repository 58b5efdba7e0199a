"""`ExampleAligner`."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Aligner, AlignerOutput
from kokoro_core.tensors.durations import phoneme_of_frame
from kokoro_core.tensors.masks import lengths_from_padding_mask, zero_padding


@final
class ExampleAligner(Aligner):
    """Compares each frame with the typical frame of each phoneme, and searches the best path.

    Args:
        hidden_dim: Width of the hidden vectors (H).
        mel_dim: Mel channels (M).
    """

    def __init__(self, *, hidden_dim: int, mel_dim: int) -> None:
        super().__init__()
        self.typical = nn.Linear(hidden_dim, mel_dim)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *args: Any,
        **side_inputs: Any,
    ) -> AlignerOutput:
        """Return the durations of the best path, and how far its frames are from the typical ones.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. mel_specs: (B, T, M). mel_padding_mask:
            (B, T) bool.
        """
        typical = self.typical(zero_padding(hidden, padding_mask))
        mel = zero_padding(mel_specs, mel_padding_mask)
        durations = _search(typical, padding_mask, mel, mel_padding_mask)
        # (B, T) -> (B, T, M)
        index = phoneme_of_frame(durations, mel.shape[1]).unsqueeze(2).expand_as(mel)
        error = zero_padding((mel - typical.gather(1, index)).square(), mel_padding_mask)
        values = (~mel_padding_mask).sum() * mel.shape[2]
        return AlignerOutput(durations, {"distance": error.sum() / values})


@torch.no_grad()
def _search(typical: Tensor, padding_mask: Tensor, mel: Tensor, mel_padding_mask: Tensor) -> Tensor:
    """Return the durations (B, N) of each row's best path, 0 at padding."""
    durations = torch.zeros_like(padding_mask, dtype=torch.int64)
    if mel.is_meta:  # where the cost of a model is counted, there is nothing to find
        return durations
    phonemes = lengths_from_padding_mask(padding_mask).tolist()
    frames = lengths_from_padding_mask(mel_padding_mask).tolist()
    for row, (num, length) in enumerate(zip(phonemes, frames, strict=True)):
        ends = typical[row, :num].double(), mel[row, :length].double()
        durations[row, :num] = best_path(torch.cdist(*ends).square())
    return durations


def best_path(costs: Tensor) -> Tensor:
    """Return for how many frames each phoneme lasts where the sum of the costs is least.

    Every phoneme gets a frame, and none comes back once the next one has begun.

    Shape:
        costs: (N, T). Returns: (N,) int64, with the sum T.

    Raises:
        ValueError: There are fewer frames than phonemes.
    """
    num, length = costs.shape
    if num == 0:
        return torch.zeros(0, dtype=torch.int64)
    if length < num:
        raise ValueError(
            f"`costs` must have a frame for each phoneme, but there are {num} phonemes and "
            f"{length} frames; leave such an utterance out."
        )
    costs = costs.cpu()
    total = torch.full((num,), torch.inf, dtype=costs.dtype)
    total[0] = costs[0, 0]
    moved = torch.zeros(length, num, dtype=torch.bool)
    for frame in range(1, length):
        before = torch.cat([total.new_tensor([torch.inf]), total[:-1]])
        moved[frame] = before < total
        total = torch.minimum(before, total) + costs[:, frame]
    durations, phoneme = [0] * num, num - 1
    for steps in reversed(moved.tolist()):
        durations[phoneme] += 1
        phoneme -= steps[phoneme]
    return torch.tensor(durations)
