"""Masked losses: means over what is not padding, of the whole batch at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from kokoro_core.model.acoustic import Prediction
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.spec.tree.model_spec import LossWeights
from kokoro_core.tensors.durations import log_durations
from kokoro_core.tensors.masks import zero_padding

TOTAL = "loss"
"""What the weighted sum is called, so that no term may be."""

OF_THE_MEL = ("mel_l1", "mel_mse")
WEIGHED = frozenset({*OF_THE_MEL, "duration", "stop"})
"""Losses that have a weight in the section ``loss`` of a spec."""

COARSE = "_coarse"


def masked_mean(values: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the mean over valid places (and all channels).

    Shape:
        values: (B, T) or (B, T, C). padding_mask: (B, T) bool. Returns: ().
    """
    channels = values.shape[-1] if values.dim() > padding_mask.dim() else 1
    count = (~padding_mask).sum() * channels
    return zero_padding(values, padding_mask).sum() / count


def mel_l1(mel: Tensor, target: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the mean absolute error.

    Shape:
        mel, target: (B, T, M). padding_mask: (B, T) bool.
    """
    return masked_mean((mel - zero_padding(target, padding_mask)).abs(), padding_mask)


def mel_mse(mel: Tensor, target: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the mean squared error.

    Shape:
        mel, target: (B, T, M). padding_mask: (B, T) bool.
    """
    return masked_mean((mel - zero_padding(target, padding_mask)).square(), padding_mask)


def duration_loss(duration_pred: Tensor, durations: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the mean squared error of the natural log of (frames + 1).

    Shape:
        duration_pred: (B, N). durations: (B, N) int64. padding_mask: (B, N) bool.
    """
    target = log_durations(durations.masked_fill(padding_mask, 0), duration_pred.dtype)
    return masked_mean((duration_pred - target).square(), padding_mask)


def stop_targets(padding_mask: Tensor) -> Tensor:
    """Return 1 at the last frame of each row and 0 elsewhere.

    Shape:
        padding_mask: (B, T) bool. Returns: (B, T) float.
    """
    last = (~padding_mask).sum(1, keepdim=True) - 1
    positions = torch.arange(padding_mask.shape[1], device=padding_mask.device)
    return (positions == last).to(torch.get_default_dtype())


def stop_loss(
    stop_logits: Tensor, targets: Tensor, padding_mask: Tensor, *, positive_weight: float
) -> Tensor:
    """Return the mean binary cross-entropy, frames that end a row weighted.

    Shape:
        stop_logits, targets: (B, T). padding_mask: (B, T) bool.
    """
    wanted = zero_padding(targets, padding_mask).to(stop_logits.dtype)
    weight = stop_logits.new_tensor(positive_weight)
    each = F.binary_cross_entropy_with_logits(
        stop_logits, wanted, pos_weight=weight, reduction="none"
    )
    return masked_mean(each, padding_mask)


def training_losses(
    prediction: Prediction, batch: TrainingBatch, weights: LossWeights
) -> dict[str, Tensor]:
    """Return every term of the training loss, not weighted; terms of weight 0 are left out.

    The parts' own losses stand for those of the framework's that they replace.

    Raises:
        ValueError: Two losses have one name, something to learn from is missing, or there is
            nothing to learn.
    """
    own = _own_losses(prediction)
    losses: dict[str, Tensor] = {}
    if "mel" not in prediction.replaced:
        losses |= _mel_losses(prediction, batch, weights)
    if prediction.duration_pred is not None and "duration" not in prediction.replaced:
        if prediction.durations is None:
            raise ValueError(
                "`phoneme_durations` is missing; the duration predictor learns from it."
            )
        losses["duration"] = duration_loss(
            prediction.duration_pred, prediction.durations, batch.padding_mask
        )
    if prediction.stop_logits is not None and "stop" not in prediction.replaced:
        losses["stop"] = _stop_loss(prediction.stop_logits, batch, weights)
    for name in own.keys() & {*losses, TOTAL}:
        raise ValueError(
            f"`{name}` is a loss of the {own[name][0]}'s own and one that the model makes; give "
            f"the own one another name, such as `{own[name][0]}_{name}`."
        )
    kept = {name: loss for name, (_, loss) in own.items() if _weight_of(name, weights) > 0}
    losses = kept | losses
    if not losses:
        raise ValueError(
            "`loss` leaves nothing to learn from: every weight is 0 and no part has a loss of its "
            "own; give `loss.mel_l1` or another one a weight above 0."
        )
    return losses


def _own_losses(prediction: Prediction) -> dict[str, tuple[str, Tensor]]:
    """Return the losses of the parts' own by name, each with its place.

    Raises:
        ValueError: Two parts have a loss of one name, of which one would be lost.
    """
    own: dict[str, tuple[str, Tensor]] = {}
    for place, losses in prediction.losses.items():
        for name, loss in losses.items():
            if name in own:
                first = own[name][0]
                raise ValueError(
                    f"`{first}` and `{place}` both return a loss `{name}`; each needs a "
                    f"name of its own, such as `{first}_{name}` and `{place}_{name}`."
                )
            own[name] = (place, loss)
    return own


def _stop_loss(stop_logits: Tensor, batch: TrainingBatch, weights: LossWeights) -> Tensor:
    mask, targets = batch.mel_padding_mask, batch.stop_token_targets
    targets = stop_targets(mask) if targets is None else targets
    return stop_loss(stop_logits, targets, mask, positive_weight=weights.stop_positive_weight)


def _mel_losses(
    prediction: Prediction, batch: TrainingBatch, weights: LossWeights
) -> dict[str, Tensor]:
    """Return the losses of the mel, and under a postnet those of the coarse mel too."""
    losses = {}
    for suffix, mel in (("", prediction.mel), (COARSE, prediction.mel_coarse)):
        for name, function in (("mel_l1", mel_l1), ("mel_mse", mel_mse)):
            if mel is not None and getattr(weights, name) > 0:
                losses[name + suffix] = function(mel, batch.mel_specs, batch.mel_padding_mask)
    return losses


def weigh(
    losses: Mapping[str, Tensor], weights: LossWeights, factors: Mapping[str, float] | None = None
) -> Tensor:
    """Return the weighted sum; a part's own loss that nobody weighs counts once.

    Args:
        losses: By name.
        weights: Those of the spec.
        factors: What further multiplies losses by name, such as a schedule's.

    Shape:
        Returns: ().
    """
    factors = factors or {}
    terms = [
        loss * (_weight_of(name, weights) * factors.get(name, 1.0)) for name, loss in losses.items()
    ]
    return torch.stack(terms).sum()


def _weight_of(name: str, weights: LossWeights) -> float:
    # Among the declared ones alone: the settings have other attributes, such as `copy`.
    field = name.removesuffix(COARSE) if name.removesuffix(COARSE) in OF_THE_MEL else name
    if field in WEIGHED:
        weight: float = getattr(weights, field)
        return weight
    return weights.of_parts.get(name, 1.0)
