"""`Adversarial`: a model against discriminators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import Objective
from kokoro_plugins.adversarial.discriminator import Discriminator, Opinion
from kokoro_plugins.adversarial.losses import (
    Kind,
    convincing_loss,
    feature_loss,
    made_loss,
    real_loss,
)

DISCRIMINATOR, GENERATOR = "discriminator", "generator"


@final
class Adversarial(Objective):
    """Discriminators learn to tell apart, and the model learns to convince them.

    Both stages are of one pass of the discriminators: the trainer keeps the gradients apart.

    Args:
        discriminators: Each with what it judges: ``mel`` or ``wave``.
        loss: Of the scores.
        weight: Of what the discriminators say of the model's output.
        feature_weight: Of feature matching.
        start: For so many steps the discriminators wait.
    """

    def __init__(
        self,
        *,
        discriminators: Sequence[tuple[str, Discriminator]],
        loss: Kind = "least_squares",
        weight: float = 1.0,
        feature_weight: float = 2.0,
        start: int = 0,
    ) -> None:
        super().__init__()
        self._judges = tuple(judges for judges, _ in discriminators)
        self.discriminators = nn.ModuleList(each for _, each in discriminators)
        self._kind: Kind = loss
        self._weight = weight
        self._feature_weight = feature_weight
        self._start = start
        self._opinions: tuple[Any, list[Opinion], list[Opinion]] | None = None

    def stages(self) -> tuple[str, ...]:
        """Return both stages."""
        return DISCRIMINATOR, GENERATOR

    def parameters_of(self, stage: str, model: nn.Module) -> Iterable[nn.Parameter]:
        """Return the discriminators' parameters, or the model's."""
        return self.parameters() if stage == DISCRIMINATOR else model.parameters()

    def loss(self, stage: str, output: Any, batch: Any) -> dict[str, Tensor]:
        """Return the terms of a stage; before the start those of the model alone."""
        own = {} if stage == DISCRIMINATOR else {"own": output.loss}
        if self.done < self._start:
            return own
        real, made = self._judge(output, batch)
        if stage == DISCRIMINATOR:
            return {"real": real_loss(self._kind, real), "made": made_loss(self._kind, made)}
        self._opinions = None  # the graph is not kept beyond the step
        terms = {**own, "adversarial": self._weight * convincing_loss(self._kind, made)}
        if self._feature_weight:
            terms["features"] = self._feature_weight * feature_loss(real, made)
        return terms

    def _judge(self, output: Any, batch: Any) -> tuple[list[Opinion], list[Opinion]]:
        """Return the opinions on recordings and on what was made, computed once for both stages."""
        if self._opinions is None or self._opinions[0] is not output:
            pairs = [signals(judges, output, batch) for judges in self._judges]
            real: list[Opinion] = []
            made: list[Opinion] = []
            for discriminator, (recorded, by_model, mask) in zip(
                self.discriminators, pairs, strict=True
            ):
                real += discriminator(recorded, mask)
                made += discriminator(by_model, mask)
            self._opinions = output, real, made
        return self._opinions[1:]


def signals(judges: str, output: Any, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return what was recorded, what the model made of it, and where both are padding.

    A training of vocoders has `wave` and `wave_padding_mask` in its batches, and `wave` in its
    outputs; a model whose decoder gives samples has them by frames, as those that it learns from.

    Shape:
        Returns: (B, T, M) mels and (B, T) bool, or (B, S) samples and (B, S) bool.

    Raises:
        ValueError: The model makes no such thing.
    """
    if judges == "mel":
        return batch.mel_specs, output.mel, batch.mel_padding_mask
    if getattr(output, "wave", None) is not None:
        return batch.wave, output.wave, batch.wave_padding_mask
    recorded = getattr(batch, "extras", {}).get("wave")
    if recorded is None or recorded.shape != output.mel.shape:
        raise ValueError(
            "A discriminator judges `wave`, which the model does not make; `patch` judges mels."
        )
    # (B, T, hop_length) -> (B, T · hop_length)
    made, mask = output.mel.flatten(1), batch.mel_padding_mask
    return recorded.flatten(1), made, mask.repeat_interleave(recorded.shape[2], 1)
