"""Encoders that are broken where they are recomputed, compiled or exported."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from kokoro_core.nn.stack import CheckpointedStack
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import AttentionEncoderParams
from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder

mutant = mutants_of(AttentionEncoderParams)


class OwnStack(AttentionEncoder):
    """An encoder with another checkpointed stack."""

    stack_type = CheckpointedStack

    def stack(self, layers):
        return self.stack_type(layers)


@mutant("the recomputed part is cut off from what is before it", killed_by="checkpointing")
class CheckpointDetaches(OwnStack):
    class stack_type(CheckpointedStack):  # type: ignore[misc]  # noqa: N801
        def forward(self, x, *args):
            return super().forward(x.detach() if self.segments else x, *args)


@mutant("recomputing draws another dropout", killed_by="checkpointing")
class CheckpointFreshDropout(OwnStack):
    class stack_type(CheckpointedStack):  # type: ignore[misc]  # noqa: N801
        def forward(self, x, *args):
            if not self.segments:
                return super().forward(x, *args)
            return checkpoint(
                self._run, 0, len(self), x, *args, use_reentrant=False, preserve_rng_state=False
            )


@mutant("reentrant recomputing forgets gradients behind a frozen start", killed_by="checkpointing")
class CheckpointReentrant(OwnStack):
    class stack_type(CheckpointedStack):  # type: ignore[misc]  # noqa: N801
        def forward(self, x, *args):
            if not self.segments:
                return super().forward(x, *args)
            return checkpoint(self._run, 0, len(self), x, *args, use_reentrant=True)


@mutant("as many segments as layers leave the last layer out", killed_by="checkpointing")
class CheckpointDropsLast(OwnStack):
    class stack_type(CheckpointedStack):  # type: ignore[misc]  # noqa: N801
        def bounds(self):
            return super().bounds()[: 1 if self.segments and self.segments >= len(self) else None]


@mutant("dropout is off when a stack is recomputed", killed_by="checkpointing")
class CheckpointWithoutDropout(OwnStack):
    class stack_type(CheckpointedStack):  # type: ignore[misc]  # noqa: N801
        def forward(self, x, *args):
            if not self.segments:
                return super().forward(x, *args)
            return self.eval()._run(0, len(self), x, *args)


@mutant("recomputing moves a running statistic again", killed_by="checkpointing")
class CheckpointMovesStatistics(OwnStack):
    class stack_type(CheckpointedStack):  # type: ignore[misc]  # noqa: N801
        running: Tensor

        def __init__(self, layers):
            super().__init__(layers)
            self.register_buffer("running", torch.zeros(()))

        def forward(self, x, *args):
            if not (self.segments and self.training):
                return self.tracked(x, *args)
            return checkpoint(self.tracked, x, *args, use_reentrant=False)

        def tracked(self, x, *args):
            if self.training:
                self.running.lerp_(x.detach().mean(), 0.1)
            return self._run(0, len(self), x, *args)


@mutant("a number is read from the device in each call", killed_by="compile")
class ReadsNumber(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if phoneme_indices.max().item() > 10**6:
            raise ValueError("There is no such phoneme.")
        return super().embed(phoneme_indices, padding_mask)


@mutant("even and odd widths take different ways", killed_by="compile")
class BranchesOnWidth(AttentionEncoder):
    def finish(self, x, padding_mask):
        x = x + 0.0 if x.shape[1] % 2 else x * 1.0 if x.shape[1] % 3 else x - 0.0
        return super().finish(x, padding_mask)


@mutant("it goes through numpy", killed_by="export")
class ThroughNumpy(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        rows = torch.from_numpy(phoneme_indices.numpy().copy())
        return super().embed(rows, padding_mask)


@mutant("an export holds the numbers that it was made with", killed_by="export")
class ExportsNumbers(AttentionEncoder):
    def embed(self, phoneme_indices, padding_mask):
        if torch.compiler.is_exporting():
            phoneme_indices = torch.ones_like(phoneme_indices)
        return super().embed(phoneme_indices, padding_mask)


@mutant(
    "an export knows the number of phonemes of its example alone", killed_by="export-any-length"
)
class ExportsLength(AttentionEncoder):
    def finish(self, x, padding_mask):
        scale = torch.ones(int(x.shape[1]), dtype=x.dtype).unsqueeze(1)
        return super().finish(x * scale, padding_mask)


@mutant("a number that is read says which way to take", killed_by="export-any-length")
class BranchesOnNumber(AttentionEncoder):
    def finish(self, x, padding_mask):
        x = x * 1.0 if bool((x.abs().max() > 1).item()) else x + 0.0
        return super().finish(x, padding_mask)


@mutant("rows of more than sixteen phonemes take another way", killed_by="export-any-length")
class BranchesOnLength(AttentionEncoder):
    def finish(self, x, padding_mask):
        return super().finish(x * 1.0 if x.shape[1] > 16 else x + 0.0, padding_mask)


@mutant("an export has the number of phonemes of the call before it", killed_by="export-any-length")
class ExportsLastLength(AttentionEncoder):
    last = 18

    def finish(self, x, padding_mask):
        if not torch.compiler.is_exporting():
            self.last = x.shape[1]
        return super().finish(x * (self.last / x.shape[1]), padding_mask)
