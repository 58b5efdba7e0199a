"""`MaskedBatchNorm`: batch normalisation whose statistics leave padding out."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.tensors.masks import zero_padding


@final
class MaskedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy, 2015) over the valid steps of a batch.

    On the valid steps it is what `torch.nn.BatchNorm1d` is on the same steps in one long row, and
    its state has the same names. Rows depend on each other in training, but not on how far they are
    padded. The sums are masked, not indexed, so nothing waits for the device.

    A batch with a single valid step has no unbiased variance; it leaves the running one alone. One
    without any leaves all statistics alone.

    Args:
        num_features: Channels.
        eps: Added to the variance.
        momentum: Share of a batch in the running statistics.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.int64))

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Normalise; padding comes out as 0.

        Shape:
            x: (B, T, C). padding_mask: (B, T) bool. Returns: (B, T, C).
        """
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.training:
            mean, var = self._observe(wide, padding_mask)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(var + self.eps)
        normal = (wide - mean) * scale + self.bias
        return zero_padding(normal.to(x.dtype), padding_mask)

    def _observe(self, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and biased variance of the valid steps, and track them."""
        count = (~padding_mask).sum()
        divisor = count.clamp_min(1)  # of a sum over nothing, which is 0
        mean = zero_padding(x, padding_mask).sum((0, 1)) / divisor
        var = zero_padding(x - mean, padding_mask).square().sum((0, 1)) / divisor
        self._track(mean.detach(), var.detach(), count)
        return mean, var

    def _track(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        """Move the running statistics towards these, the variance unbiased as torch has it."""
        unbiased = (var * count / (count - 1)).to(self.running_var.dtype)
        unbiased = torch.where(count > 1, unbiased, self.running_var)
        mean = torch.where(count > 0, mean.to(self.running_mean.dtype), self.running_mean)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked.add_(count > 0)
