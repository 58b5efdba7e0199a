"""`TrainingModule`: a `KokoroModel` as Lightning trains it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, final

import torch
from lightning import LightningModule
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from kokoro_core import KokoroModel
from kokoro_core.model import ModelOutput, TrainingBatch
from kokoro_core.model.losses import weigh
from kokoro_plugins.training.data.shares import by_share
from kokoro_plugins.training.loop.averages import WeightAverage
from kokoro_plugins.training.loop.bad_steps import WEIGHT_ADVICE, BadStep, first_bad_tensor
from kokoro_plugins.training.loop.figures import StepFigures, StepFiguresCollector
from kokoro_plugins.training.loop.optimizers import make_optimizer
from kokoro_plugins.training.loop.schedule import Budget, rate_factor
from kokoro_plugins.training.settings import TrainingSettings
from kokoro_plugins.training.signals import StopSignals

STATE = "training_module"
"""Where the module's own progress stands in a checkpoint of Lightning."""


@final
class TrainingModule(LightningModule):
    """Teacher forcing with an optimizer (AdamW, Loshchilov and Hutter, 2019), warm-up and cosine.

    A step whose loss or gradient is not finite leaves the weights as they are; it ends the
    training or, as often in a row as allowed, is skipped.

    Args:
        model: What is trained; its spec weighs the losses.
        budget: Says how far the training has come.
        settings: How to train.
        signals: What asks this process to stop.

    Attributes:
        budget: As above.
        settings: As above.
        signals: As above.
        step: Steps done; a checkpoint goes on counting.
        frames: Frames of those steps, padding not counted.
        figures: Of the step that has just ended; None within a step.
        bad: In words what was wrong with that step, or None.
        finished: Whether the budget is spent.
    """

    def __init__(
        self,
        *,
        model: KokoroModel,
        budget: Budget,
        settings: TrainingSettings | None = None,
        signals: StopSignals | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.budget = budget
        self.settings = settings or TrainingSettings()
        self.signals = signals or StopSignals()
        self.step = 0
        self.frames = 0
        self.figures: StepFigures | None = None
        self.bad: str | None = None
        self.finished = False
        self._bad_in_a_row = 0
        self._seconds_before = 0.0
        self._collector = StepFiguresCollector()
        average = self.settings.average
        self._average = WeightAverage(model, average) if average else None

    @property
    def batches_per_step(self) -> int:
        """Batches whose gradients make up a step, over all processes."""
        return int(self.trainer.accumulate_grad_batches * self.trainer.world_size)

    @property
    def is_alone(self) -> bool:
        """Whether one process trains; several may act on the step's figures alone."""
        return bool(self.trainer.world_size == 1)

    @property
    def asked_to_stop(self) -> bool:
        """Whether a signal asked this process to stop."""
        return self.signals.received is not None

    @property
    def progress(self) -> float:
        """The share of the budget that is spent, from 0 to 1."""
        return self.budget.progress(self.step, self.frames)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def stop(self) -> None:
        """End the training after this step."""
        self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add how far the training has come; Lightning's own counts restart with each process."""
        checkpoint[STATE] = {
            "step": self.step,
            "frames": self.frames,
            "bad_in_a_row": self._bad_in_a_row,
            "seconds": self.budget.seconds,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the checkpoint was."""
        state = checkpoint[STATE]
        self.step, self._bad_in_a_row = state["step"], state["bad_in_a_row"]
        self._seconds_before = state["seconds"]
        self.frames = state.get("frames", 0)  # older versions had no budget of frames

    def on_train_start(self) -> None:
        """Start the clock of the budget; end a training that was finished already."""
        self.budget.start(self._seconds_before)
        self.finished = self.progress >= 1
        if self.finished:
            self.stop()

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        """Forget the figures of the step before."""
        self.figures = None

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """Return the loss."""
        terms = _terms(self.model(batch))
        if self.batches_per_step > 1:
            shares = by_share(terms, batch)
            shares["loss"] = weigh(without_sum(shares), self.model.spec.loss)
            terms = shares
        self._collector.add(batch, terms)
        return terms["loss"]

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        """Compute the gradients, look at them, and move the weights."""
        optimizer.step(closure=optimizer_closure)
        self._collector.clear()
        if self._average is not None:
            self._average.update()
        self.step += 1
        self.frames += self.figures.frames if self.figures is not None else 0
        self.finished = self.progress >= 1

    def on_train_batch_end(self, outputs: Any, batch: TrainingBatch, batch_idx: int) -> None:
        """Stop when the budget is used up; observers, which run before, may have extended it."""
        if self.finished:
            self.stop()

    def validation_step(self, batch: TrainingBatch, batch_idx: int) -> dict[str, Tensor]:
        """Return the loss and its terms."""
        return _terms(self.model(batch))

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradients, or drop gradients that are not finite.

        Lightning refuses to clip for a fused optimizer, since in float16 its gradients are still
        scaled; here they are not, as nothing is trained in float16.

        Raises:
            BadStep: The loss or the gradient is not finite, once too often in a row.
        """
        parameters = [each for each in self.parameters() if each.grad is not None]
        norm = get_total_norm([each.grad for each in parameters if each.grad is not None])
        processes = self.trainer.world_size
        self.figures = self._collector.figures(
            norm,
            stop=self.asked_to_stop,
            processes=processes,
            add_up=self._add_up if processes > 1 else None,
        )
        self.bad = None if self.figures.finite else self._describe(self.figures)
        self._bad_in_a_row = self._bad_in_a_row + 1 if self.bad else 0
        if self.bad and self._bad_in_a_row > self.settings.skip_bad_steps:
            raise BadStep(f"{self.bad}; {self._policy()}")
        if self.bad:
            optimizer.zero_grad(set_to_none=True)  # without gradients nothing is moved
        elif gradient_clip_val:
            clip_grads_with_norm_(parameters, gradient_clip_val, norm)

    def _add_up(self, values: Tensor) -> Tensor:
        added = self.trainer.strategy.reduce(values, reduce_op="sum")
        assert isinstance(added, Tensor)
        return added

    def _describe(self, figures: StepFigures) -> str:
        loss = figures.losses["loss"]
        what = f"norm of the gradient is {figures.gradient_norm}"
        if not math.isfinite(loss):
            what = f"loss is {loss}"
        first = first_bad_tensor(self.model, self._collector.batches)
        where = f"the first bad tensor is the {first}" if first else "no single tensor is bad here"
        return f"The {what} at step {self.step + 1}; {where}"

    def _policy(self) -> str:
        if self.settings.skip_bad_steps:
            return (
                f"it is bad step {self._bad_in_a_row} in a row, so training ends; {WEIGHT_ADVICE}."
            )
        return (
            f"training ends, and {WEIGHT_ADVICE}, or `train` with `--on-bad-step skip:3` to "
            f"pass over a few such steps."
        )

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule, which moves each step."""
        optimizer = make_optimizer(self, self.settings)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Have the model as it speaks: in evaluation mode, with averaged weights if there are."""
        self.eval()
        self._switch("eval")
        yield
        self._switch("train")
        self.train()

    def on_train_end(self) -> None:
        """Leave averaged weights in the model if there are."""
        self._switch("eval")

    def _switch(self, mode: Literal["eval", "train"]) -> None:
        if self._average is not None:
            self._average.swap()
        for optimizer in self.trainer.optimizers:
            getattr(optimizer, mode, lambda: None)()

    def _rate_factor(self, step: int) -> float:
        if self.settings.optimizer == "schedule-free":
            return 1.0
        progress = self.budget.progress(step, self.frames)
        return rate_factor(step, progress, warmup_steps=self.settings.warmup_steps)


def without_sum(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms of a loss without their weighted sum."""
    return {name: each for name, each in terms.items() if name != "loss"}


def _terms(output: ModelOutput) -> dict[str, Tensor]:
    return {"loss": output.loss, **output.losses}
