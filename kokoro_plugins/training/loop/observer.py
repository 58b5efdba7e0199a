"""`Observer`: follows a training step by step, without a word of Lightning."""

from __future__ import annotations

from typing import Any, final

from lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.module import TrainingModule


class Observer(Callback):
    """Follows a training: is handed the module and the figures of each step.

    Its `state_dict` is part of every saved step, under the name of its class.
    """

    def on_start(self, module: TrainingModule) -> None:
        """Run before the first step, once a saved state has been restored."""

    def on_gradients(self, module: TrainingModule) -> None:
        """Run when a step's gradients are whole, before they are clipped."""

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Run after each step, bad ones included."""

    def on_end(self, module: TrainingModule) -> None:
        """Run at the end, whether training finished or an error ended it."""

    @final
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Pass the start on."""
        self.on_start(_checked(pl_module))

    @final
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Pass whole gradients on."""
        self.on_gradients(_checked(pl_module))

    @final
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Pass the end of a step on; with accumulation only the last batch of several ends one."""
        module = _checked(pl_module)
        if module.figures is not None:
            self.on_step(module, module.figures)

    @final
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Pass the end on."""
        self.on_end(_checked(pl_module))

    @final
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Pass the end by an error on."""
        self.on_end(_checked(pl_module))


def _checked(module: LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module
