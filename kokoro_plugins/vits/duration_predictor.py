"""`StochasticDurationPredictor`: a distribution of durations (VITS, Kim et al., 2021, 2.2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.vits.duration_flows import Affine, DilatedConvs, SplineCoupling

LEAST_FRAMES = 1e-5
"""What is left at least of a duration from which a number between 0 and 1 is taken."""


@final
class StochasticDurationPredictor(DurationPredictor):
    """A flow from normal numbers to log durations, with a second number a phoneme beside.

    Whole frames are made continuous by variational dequantisation: a second flow, which sees the
    true duration, draws what is taken from it.

    Args:
        hidden_dim: Width of the hidden vectors and of the convolutions.
        kernel_size: Phonemes that each convolution sees, odd.
        num_layers: Layers of convolutions in each place.
        num_flows: Splines of each flow.
        bins: Bins of the splines.
        bound: The end of the interval in which they bend.
        dropout: Probability of dropout, not within the flows.
        stop_gradient: Whether the predictor teaches only itself.
    """

    rounding = "up"

    def __init__(
        self,
        *,
        hidden_dim: int,
        kernel_size: int = 3,
        num_layers: int = 3,
        num_flows: int = 4,
        bins: int = 10,
        bound: float = 5.0,
        dropout: float = 0.5,
        stop_gradient: bool = True,
    ) -> None:
        super().__init__()
        self._stop_gradient = stop_gradient

        def convs() -> DilatedConvs:
            return DilatedConvs(
                width=hidden_dim, kernel_size=kernel_size, num_layers=num_layers, dropout=dropout
            )

        def coupling() -> SplineCoupling:
            return SplineCoupling(
                width=hidden_dim,
                kernel_size=kernel_size,
                num_layers=num_layers,
                bins=bins,
                bound=bound,
            )

        self.hidden_in, self.hidden_out = (nn.Linear(hidden_dim, hidden_dim) for _ in range(2))
        self.hidden_convs = convs()
        self.flow = _flow(num_flows, coupling)
        self.duration_in = nn.Linear(1, hidden_dim)
        self.duration_out = nn.Linear(hidden_dim, hidden_dim)
        self.duration_convs = convs()
        self.posterior = _flow(num_flows, coupling)

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None = None,
        *,
        noise: RowNoise,
    ) -> DurationOutput:
        """Return a bound of the durations' negative log-likelihood, a phoneme's mean.

        Shape:
            hidden: (B, N, H). padding_mask: (B, N) bool. durations: (B, N) int64.

        Raises:
            ValueError: There are no durations.
        """
        if durations is None:
            raise ValueError("`durations` must be given: their likelihood is the loss, not None.")
        condition = self._condition(hidden, padding_mask)
        # (B, N) -> (B, N, 1)
        frames = durations.to(condition.dtype).unsqueeze(2)
        drawn, log_posterior = self._dequantise(frames, padding_mask, condition, noise)
        taken, beside = drawn.chunk(2, 2)
        rest = (frames - taken.sigmoid()).clamp_min(LEAST_FRAMES)
        log_rest = zero_padding(rest.log(), padding_mask)
        z, log_det = _through(self.flow, torch.cat([log_rest, beside], 2), padding_mask, condition)
        log_likelihood = _log_normal(z, padding_mask) + log_det - log_rest.sum((1, 2))
        bound = (log_posterior - log_likelihood).sum() / (~padding_mask).sum().clamp_min(1)
        return DurationOutput(None, {"likelihood": bound})

    def frames(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        *,
        noise: RowNoise,
        noise_scale_duration: float = 0.8,
    ) -> Tensor:
        """Return durations that are drawn, (B, N).

        Args:
            hidden: (B, N, H).
            padding_mask: (B, N) bool.
            noise: What is drawn from.
            noise_scale_duration: Standard deviation of the noise.
        """
        condition = self._condition(hidden, padding_mask)
        z = noise.normal(hidden.shape[1], 2, like=hidden) * noise_scale_duration
        # The first spline bends only what stands beside the durations, which nobody reads.
        for flow in (*reversed(self.flow[2:]), self.flow[0]):
            assert isinstance(flow, (Affine, SplineCoupling))
            z = flow.inverse(z.flip(2), padding_mask, condition)
        return zero_padding(z[..., 0].exp(), padding_mask)

    def _condition(self, hidden: Tensor, padding_mask: Tensor) -> Tensor:
        if self._stop_gradient:
            hidden = hidden.detach()
        hidden = zero_padding(hidden, padding_mask)
        inner = self.hidden_convs(self.hidden_in(hidden), padding_mask)
        return zero_padding(self.hidden_out(inner), padding_mask)

    def _dequantise(
        self, frames: Tensor, padding_mask: Tensor, condition: Tensor, noise: RowNoise
    ) -> tuple[Tensor, Tensor]:
        """Draw two numbers a phoneme (B, N, 2), and return their log-probability in each row.

        The first is what is taken from the frames, before the sigmoid.
        """
        seen = self.duration_convs(self.duration_in(frames), padding_mask)
        seen = zero_padding(self.duration_out(seen), padding_mask)
        start = zero_padding(noise.normal(frames.shape[1], 2, like=condition), padding_mask)
        drawn, log_det = _through(self.posterior, start, padding_mask, condition + seen)
        taken = drawn[..., :1]
        log_slope = zero_padding(F.logsigmoid(taken) + F.logsigmoid(-taken), padding_mask)
        return drawn, _log_normal(start, padding_mask) - log_det - log_slope.sum((1, 2))


def _flow(num_flows: int, coupling: Callable[[], SplineCoupling]) -> nn.ModuleList:
    return nn.ModuleList([Affine(), *(coupling() for _ in range(num_flows))])


def _through(
    flow: nn.ModuleList, x: Tensor, padding_mask: Tensor, condition: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what x becomes, and the log-determinant of each row.

    The two numbers are exchanged after each spline.
    """
    scale, *splines = flow
    x, total = scale(x, padding_mask, condition)
    for each in splines:
        x, log_det = each(x, padding_mask, condition)
        x, total = x.flip(2), total + log_det
    return x, total


def _log_normal(x: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the log-probability of each row under the standard normal distribution, (B,)."""
    each = -0.5 * (math.log(2 * math.pi) + x.square())
    return zero_padding(each, padding_mask).sum((1, 2))
