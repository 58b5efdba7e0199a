"""`TrainingModule`: a task as Lightning trains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal, final

import torch
from lightning import LightningModule
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from kokoro_core import KokoroModel
from kokoro_plugins.training.data.training_data import Batch
from kokoro_plugins.training.loop.averages import WeightAverage
from kokoro_plugins.training.loop.bad_steps import (
    BadStep,
    describe,
    first_bad_tensor,
    of_any_process,
    policy,
)
from kokoro_plugins.training.loop.figures import StepFigures, StepFiguresCollector
from kokoro_plugins.training.loop.optimizers import (
    make_optimizer,
    make_schedules,
    refuse_unknown_stages,
)
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.loop.stages import Stages, build_objective
from kokoro_plugins.training.loop.task import Task, as_task
from kokoro_plugins.training.loop.together import Together
from kokoro_plugins.training.processes.group import gathered
from kokoro_plugins.training.recipe.loss_schedule import factors
from kokoro_plugins.training.settings import EVERY_STAGE, TrainingSettings
from kokoro_plugins.training.signals import StopSignals

OBJECTIVE_PREFIX = "objective."
"""What the names of the objective's tensors begin with inside of the training module."""

STATE = "training_module"
"""Where the module's own progress stands in a checkpoint of Lightning."""


@final
class TrainingModule(LightningModule):
    """Gradient descent with an optimizer and a schedule of its learning rate.

    A step whose loss or gradient is not finite leaves the weights as they are; it ends the
    training or, as often in a row as allowed, is skipped.

    Args:
        model: What is trained, or the task of training it.
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
        task: What is trained, by which losses.
        model: The task's.
        objective: What the model is trained for; None: its own loss.
        stages: Those of the objective, or the one that there is.

    Raises:
        ValueError: A loss is scheduled that the model does not have, or a stage has an optimizer
            or a schedule that the objective does not have.
    """

    model: Any

    def __init__(
        self,
        *,
        model: KokoroModel | Task,
        budget: Budget,
        settings: TrainingSettings | None = None,
        signals: StopSignals | None = None,
    ) -> None:
        super().__init__()
        self.task = as_task(model)
        self.model = self.task.model
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
        self._average = WeightAverage(self.task.trained, average) if average else None
        self.objective = build_objective(self.settings, self.task.spec.sizes)
        self._staged = None if self.objective is None else Stages(self.objective, self.model)
        self.stages = (EVERY_STAGE,) if self._staged is None else (*self._staged.parameters,)
        refuse_unknown_stages(self.settings, self.stages)
        self._schedules = make_schedules(self.settings, self.stages)
        self.task.refuse_losses(self.settings.loss_schedule)

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
        """The learning rate of the model in the next step."""
        return self.rates[EVERY_STAGE if self._staged is None else self._staged.of_model]

    @property
    def rates(self) -> dict[str, float]:
        """The learning rate of each stage in the next step, of parts with another one left out."""
        optimizer = self.trainer.optimizers[0]
        by_stage = {EVERY_STAGE: optimizer}
        if self._staged is not None and isinstance(optimizer, Together):
            by_stage = optimizer.optimizers
        return {stage: float(each.param_groups[0]["lr"]) for stage, each in by_stage.items()}

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
            **({} if self._average is None else {"average": self._average.state_dict()}),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the checkpoint was."""
        state = checkpoint[STATE]
        self.step, self._bad_in_a_row = state["step"], state["bad_in_a_row"]
        self._seconds_before = state["seconds"]
        self.frames = state.get("frames", 0)  # older versions had no budget of frames
        if self._average is not None and "average" in state:
            self._average.load_state_dict(state["average"])

    def on_train_start(self) -> None:
        """Start the clock of the budget; end a training that was finished already."""
        self.budget.start(self._seconds_before)
        if not self.is_alone:
            self.budget.told(self._seconds_before)
        if self._average is not None:
            self._average.start()
        self.finished = self.progress >= 1
        if self.finished:
            self.stop()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Forget the figures of the step before."""
        self.figures = None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss."""
        output = self.model(batch)
        terms = self._share(_terms(output), batch)
        if self.batches_per_step > 1 or self.settings.loss_schedule:
            terms["loss"] = self.weigh(without_sum(terms), self.step)
        if self._staged is not None:
            output = replace(output, loss=terms["loss"])
            terms |= self._staged.losses(output, batch, self.step, self._share)
        self._collector.add(batch, terms)
        return terms["loss"]

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Compute the gradients of the loss, or of each stage's own."""
        if self._staged is None:
            super().backward(loss, *args, **kwargs)
        else:
            self._staged.backward(self.trainer.accumulate_grad_batches)

    def _share(self, losses: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        return self.task.by_share(losses, batch) if self.batches_per_step > 1 else dict(losses)

    def weigh(self, losses: Mapping[str, Tensor], done: int | None = None) -> Tensor:
        """Return the weighted sum of losses, ().

        Args:
            losses: By name, without the sum.
            done: Steps before the one whose factors of the schedule count; None: all factors are 1,
                so that sums of different steps can be compared.
        """
        scheduled = {} if done is None else factors(self.settings.loss_schedule, done)
        return self.task.weigh(losses, scheduled)

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

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Stop when the budget is used up; observers, which run before, may have extended it."""
        if self.finished:
            self.stop()

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
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
        moved = [[*self.parameters()]] if self._staged is None else self._staged.parameters.values()
        norms = [
            (each, get_total_norm([one.grad for one in each if one.grad is not None]))
            for each in moved
        ]
        norm = norms[0][1] if len(norms) == 1 else get_total_norm([each for _, each in norms])
        processes = self.trainer.world_size
        self.figures = self._collector.figures(
            norm,
            stop=self.asked_to_stop,
            processes=processes,
            add_up=self._add_up if processes > 1 else None,
            seconds=self.budget.seconds if self.global_rank == 0 else 0.0,
        )
        if processes > 1:
            self.budget.told(self.figures.seconds)
        self.bad = None if self.figures.finite else self._describe(self.figures)
        self._bad_in_a_row = self._bad_in_a_row + 1 if self.bad else 0
        if self.bad and self._bad_in_a_row > self.settings.skip_bad_steps:
            raise BadStep(f"{self.bad}; {policy(self.settings.skip_bad_steps, self._bad_in_a_row)}")
        if self.bad:
            optimizer.zero_grad(set_to_none=True)  # without gradients nothing is moved
        elif gradient_clip_val:
            for parameters, each in norms:
                clip_grads_with_norm_(parameters, gradient_clip_val, each)

    def _add_up(self, values: Tensor) -> Tensor:
        added = self.trainer.strategy.reduce(values, reduce_op="sum")
        assert isinstance(added, Tensor)
        return added

    def _describe(self, figures: StepFigures) -> str:
        first = first_bad_tensor(self.model, self._collector.batches)
        if first is None and self.objective is not None:
            first = first_bad_tensor(self.objective, ())
        return describe(self.step + 1, figures, of_any_process(gathered(first)))

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule, which moves each step."""
        optimizer, rates = self._optimizer_and_rates()
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates)
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

    def _optimizer_and_rates(self) -> tuple[Optimizer, Any]:
        if self._staged is None:
            made = make_optimizer(self, self.settings, trained=self.task.trained)
            return made, self._rate_factor
        by_stage = {
            stage: make_optimizer(self, self.settings, stage, moved, self.task.trained)
            for stage, moved in self._staged.parameters.items()
        }
        rates = [
            partial(self._rate_factor, stage=stage)
            for stage, each in by_stage.items()
            for _ in each.param_groups
        ]
        return Together(by_stage), rates

    def _rate_factor(self, step: int, stage: str = EVERY_STAGE) -> float:
        return self._schedules[stage].factor(step, self.budget.progress(step, self.frames))


def without_sum(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms of a loss without their weighted sum."""
    return {name: each for name, each in terms.items() if name != "loss"}


def _terms(output: Any) -> dict[str, Tensor]:
    return {"loss": output.loss, **output.losses}
