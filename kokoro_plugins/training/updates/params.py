"""Settings of optimizers and schedules; this file imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from kokoro_core.slots import OptimizerParams, ScheduleParams

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from kokoro_core.contracts import Schedule

Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Beta, Beta], Field(strict=False)]
Decay = Annotated[float, Field(ge=0)]


class AdamWParams(OptimizerParams):
    """AdamW (Loshchilov and Hutter, 2019), all weights moved by one kernel.

    Attributes:
        betas: How much stays of the means of gradients and of their squares.
        weight_decay: How much of a weight goes in a step, times the rate.
        eps: Added to the root of the mean square.
    """

    type: Literal["adamw"] = "adamw"
    betas: Betas = (0.9, 0.98)
    weight_decay: Decay = 0.01
    eps: float = Field(default=1e-8, gt=0)

    def build(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> Optimizer:
        """Return the optimizer."""
        from torch.optim import AdamW

        return AdamW(
            parameters,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )


class MuonParams(OptimizerParams):
    """Orthogonal steps for the matrices of linear layers (Jordan et al., 2024), AdamW's for others.

    Attributes:
        momentum: How much of a matrix's momentum stays.
        betas: Of AdamW.
        weight_decay: Of AdamW.
    """

    type: Literal["muon"] = "muon"
    momentum: Beta = 0.95
    betas: Betas = (0.9, 0.98)
    weight_decay: Decay = 0.01

    def build(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> Optimizer:
        """Return the optimizer."""
        from kokoro_plugins.training.updates.muon import Muon

        return Muon(
            module,
            parameters=parameters,
            lr=self.lr,
            momentum=self.momentum,
            betas=self.betas,
            weight_decay=self.weight_decay,
        )


class SoapParams(OptimizerParams):
    """Adam in the eigenbasis of Shampoo (Vyas et al., 2024); of the package pytorch-optimizer.

    Attributes:
        betas: How much stays of the means of gradients and of their squares.
        weight_decay: How much of a weight goes in a step, times the rate.
    """

    type: Literal["soap"] = "soap"
    betas: Betas = (0.95, 0.95)
    weight_decay: Decay = 0.01

    def build(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> Optimizer:
        """Return the optimizer."""
        made: Optimizer = _package(self.type).SOAP(
            parameters, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay
        )
        return made


class ScheduleFreeParams(OptimizerParams):
    """AdamW that averages its weights in place of a schedule (Defazio et al., 2024).

    It is of the package pytorch-optimizer. Saved steps hold the weights that training goes on with,
    not their average.

    Attributes:
        betas: How much stays of the means of gradients and of their squares.
        weight_decay: How much of a weight goes in a step, times the rate.
        warmup_steps: Steps until the peak of the rate.
    """

    scheduled: ClassVar[bool] = False

    type: Literal["schedule-free"] = "schedule-free"
    betas: Betas = (0.9, 0.98)
    weight_decay: Decay = 0.0
    warmup_steps: int = Field(default=100, ge=0)

    def build(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> Optimizer:
        """Return the optimizer."""
        made: Optimizer = _package(self.type).ScheduleFreeAdamW(
            parameters,
            lr=self.lr,
            betas=self.betas,
            weight_decay=self.weight_decay,
            warmup_steps=self.warmup_steps,
        )
        return made


class WarmupCosineParams(ScheduleParams):
    """Up in a line, then down along half a cosine to the end of the training.

    The warm-up counts steps and the cosine the whole training (Loshchilov and Hutter, 2017), so a
    training that ends by the clock also ends at the lowest rate.

    Attributes:
        warmup_steps: Steps until the peak.
    """

    to_the_end: ClassVar[bool] = True

    type: Literal["warmup_cosine"] = "warmup_cosine"
    warmup_steps: int = Field(default=100, ge=0)

    def build(self) -> Schedule:
        """Return the schedule."""
        from kokoro_plugins.training.updates.schedules import WarmupCosine

        return WarmupCosine(warmup_steps=self.warmup_steps)


class NoamParams(ScheduleParams):
    """Up in a line, then down as the root of the steps rises (Vaswani et al., 2017).

    Attributes:
        warmup_steps: Steps until the peak.
    """

    type: Literal["noam"] = "noam"
    warmup_steps: int = Field(default=4000, ge=1)

    def build(self) -> Schedule:
        """Return the schedule."""
        from kokoro_plugins.training.updates.schedules import Noam

        return Noam(warmup_steps=self.warmup_steps)


class ExponentialParams(ScheduleParams):
    """Multiplied by a factor every so many steps, as vocoders and VITS are trained.

    Attributes:
        factor: What it is multiplied by.
        every: Steps after which it is; their epochs are of about a thousand.
        warmup_steps: Steps until the peak.
    """

    type: Literal["exponential"] = "exponential"
    factor: float = Field(default=0.999, gt=0, le=1)
    every: int = Field(default=1000, ge=1)
    warmup_steps: int = Field(default=0, ge=0)

    def build(self) -> Schedule:
        """Return the schedule."""
        from kokoro_plugins.training.updates.schedules import Exponential

        return Exponential(factor=self.factor, every=self.every, warmup_steps=self.warmup_steps)


class ConstantParams(ScheduleParams):
    """Always at its peak after the warm-up.

    Attributes:
        warmup_steps: Steps until the peak.
    """

    type: Literal["constant"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)

    def build(self) -> Schedule:
        """Return the schedule."""
        from kokoro_plugins.training.updates.schedules import Constant

        return Constant(warmup_steps=self.warmup_steps)


def _package(name: str) -> Any:
    try:
        import pytorch_optimizer
    except ImportError:
        raise ValueError(
            f"The optimizer `{name}` is one of the package pytorch-optimizer, which is not "
            f"installed; `pip install 'kokoro-core[optimizers]'` brings it, and `adamw` needs none."
        ) from None
    return pytorch_optimizer
