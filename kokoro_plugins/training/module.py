"""`TrainingModule`: a `KokoroModel` as Lightning trains it."""

from __future__ import annotations

from typing import Any, final

import torch
from lightning import LightningModule
from torch import Tensor

from kokoro_core.api import KokoroModel, ModelOutput
from kokoro_plugins.training.data import Batch
from kokoro_plugins.training.schedule import Budget, rate_factor


@final
class TrainingModule(LightningModule):
    """Teacher forcing with AdamW (Loshchilov and Hutter, 2019), warm-up and cosine.

    Args:
        model: What is trained; its spec weighs the losses.
        budget: Says how far the training has come.
        lr: Peak of the learning rate.
        warmup_steps: Steps until the peak.
    """

    def __init__(
        self, *, model: KokoroModel, budget: Budget, lr: float = 1e-3, warmup_steps: int = 100
    ) -> None:
        super().__init__()
        self.model = model
        self._budget = budget
        self._lr = lr
        self._warmup_steps = warmup_steps

    def on_train_start(self) -> None:
        """Start the clock of the budget."""
        self._budget.start()

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Return the loss and its terms."""
        output = self._predict(batch)
        terms = {f"train/{name}": loss.detach() for name, loss in _terms(output).items()}
        self.log_dict(terms, batch_size=len(batch))
        return {"loss": output.loss, "terms": terms}

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Stop when the budget is used up."""
        if self._budget.progress(self.global_step) >= 1:
            self.trainer.should_stop = True

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the terms of the loss, weighted by frames."""
        terms = {f"val/{name}": loss for name, loss in _terms(self._predict(batch)).items()}
        self.log_dict(terms, batch_size=int(batch.lengths.sum()))

    def _predict(self, batch: Batch) -> ModelOutput:
        output: ModelOutput = self.model(
            batch.phoneme_indices,
            batch.mel_specs,
            batch.durations,
            padding_mask=batch.padding_mask,
            mel_padding_mask=batch.mel_padding_mask,
        )
        return output

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradients.

        Lightning refuses to clip for a fused optimizer, since in float16 its gradients are still
        scaled; here they are not, as nothing is trained in float16.
        """
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> Any:
        """Return AdamW and its schedule, which moves each step."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self._lr, betas=(0.9, 0.98), fused=True)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _rate_factor(self, step: int) -> float:
        progress = self._budget.progress(step)
        return rate_factor(step, progress, warmup_steps=self._warmup_steps)


def _terms(output: ModelOutput) -> dict[str, Tensor]:
    return {"loss": output.loss, **output.losses}
