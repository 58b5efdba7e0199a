"""A sound aligner, with seams for mutants."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Aligner, AlignerOutput
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.durations import phoneme_of_frame
from tests.kokoro_core.testing.mutants.blocks import require, zeroed


class MassAligner(Aligner):
    """Attention of frames to phonemes; phonemes share the frames as they share its weights."""

    def __init__(self, *, sizes: Sizes) -> None:
        super().__init__()
        self.keys = nn.Linear(sizes.hidden_dim, 4, bias=False)
        self.queries = nn.Linear(sizes.mel_dim, 4)

    def forward(
        self, hidden: Tensor, padding_mask: Tensor, mel_specs: Tensor, mel_padding_mask: Tensor
    ) -> AlignerOutput:
        """Align."""
        require(hidden, padding_mask, 3, "hidden")
        require(mel_specs, mel_padding_mask, 3, "mel_specs")
        keys = self.keys(self.clean(hidden, padding_mask))
        queries = self.queries(self.clean(mel_specs, mel_padding_mask))
        # (B, T, C) · (B, C, N) -> (B, T, N)
        weights = self.weigh(queries @ keys.transpose(1, 2), padding_mask)
        durations = self.share(zeroed(weights.detach(), mel_padding_mask).sum(1), padding_mask)
        durations = self.spread(durations, padding_mask, mel_padding_mask)
        losses = {"nll": self.loss(weights, durations, mel_padding_mask)}
        return AlignerOutput(durations, losses, self.finish(weights, mel_padding_mask))

    def clean(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return what is compared."""
        return zeroed(x, padding_mask)

    def weigh(self, scores: Tensor, padding_mask: Tensor) -> Tensor:
        """Return probabilities (B, T, N) of scores; a row of padding alone keeps its scores."""
        unseen = padding_mask & ~padding_mask.all(1, keepdim=True)
        return scores.masked_fill(unseen.unsqueeze(1), -torch.inf).softmax(2)

    def share(self, mass: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the share of frames up to the end of each phoneme, (B, N)."""
        whole = zeroed(mass, padding_mask).double().cumsum(1)
        return whole / whole[:, -1:].clamp_min(1e-9)

    def spread(self, share: Tensor, padding_mask: Tensor, mel_padding_mask: Tensor) -> Tensor:
        """Return durations (B, N): a frame each, and the others by their share."""
        phonemes, frames = (~padding_mask).sum(1, keepdim=True), (~mel_padding_mask).sum(1)
        self.refuse(phonemes.squeeze(1), frames)
        ends = (share * (frames.unsqueeze(1) - phonemes) + 0.5).floor().long()
        return ends.diff(dim=1, prepend=torch.zeros_like(ends[:, :1])) + (~padding_mask).long()

    def refuse(self, phonemes: Tensor, frames: Tensor) -> None:
        """Refuse rows of fewer frames than phonemes.

        Raises:
            ValueError: There is one.
        """
        if bool((frames < phonemes).any()):
            raise ValueError("`mel_specs` must have a frame for each phoneme.")

    def loss(self, weights: Tensor, durations: Tensor, mel_padding_mask: Tensor) -> Tensor:
        """Return minus the log-probability of the phoneme of each frame."""
        index = phoneme_of_frame(durations, weights.shape[1]).unsqueeze(2)
        chosen = weights.gather(2, index).squeeze(2).masked_fill(mel_padding_mask, 1)
        return self.average(-chosen.log(), mel_padding_mask)

    def average(self, each: Tensor, mel_padding_mask: Tensor) -> Tensor:
        """Return the mean over frames."""
        return zeroed(each, mel_padding_mask).sum() / (~mel_padding_mask).sum().clamp_min(1)

    def finish(self, weights: Tensor, mel_padding_mask: Tensor) -> Tensor:
        """Return the probabilities."""
        return zeroed(weights, mel_padding_mask)
