"""What callers hand in, completed and checked before any part sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from kokoro_core.model.batch import TrainingBatch
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.durations import check_durations
from kokoro_core.tensors.masks import (
    can_look_inside,
    check_padding_mask,
    padding_mask_from_lengths,
)
from kokoro_core.tensors.pytree import named_tensors

_DISAGREE = "`durations` and `mel_specs` must agree, but"


def check_tensors(inputs: Mapping[str, Any]) -> None:
    """Refuse lists, arrays and whatever else is no tensor; None is nothing given.

    Raises:
        TypeError: One is none.
    """
    for name, value in inputs.items():
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"`{name}` must be a tensor, not a `{type(value).__name__}`; "
                f"`torch.as_tensor({name})` makes one."
            )


def check_given(name: str, value: Any) -> None:
    """Refuse an input that every caller must give and that is None, or no dense tensor.

    Raises:
        TypeError: It is.
    """
    check_tensors({name: value})
    if value is None:
        raise TypeError(f"`{name}` must be a tensor, not None.")
    if value.layout is not torch.strided or value.is_nested:
        raise TypeError(
            f"`{name}` must be a dense tensor, not {value.layout}; `.to_dense()` makes one, and "
            f"`torch.nested.to_padded_tensor` of a nested one."
        )


def check_devices(model: nn.Module, inputs: Mapping[str, Any]) -> None:
    """Refuse inputs that lie on another device than a model's weights.

    A model on several devices, or on none yet, sees to that itself.

    Args:
        model: Whose weights.
        inputs: By name; tensors also within dataclasses, tuples, lists and mappings.

    Raises:
        ValueError: One lies elsewhere; the error says what moves it.
    """
    first = next(model.parameters(), None)
    if first is None or torch.compiler.is_compiling():
        return
    for name, value in inputs.items():
        for path, tensor in named_tensors(name, value):
            if tensor.device != first.device and _agree(model, "device") and not first.is_meta:
                raise ValueError(
                    f"`{path}` is on {tensor.device} and the model on {first.device}; "
                    f"`.to('{first.device}')` moves it."
                )


def check_dtypes(model: nn.Module, inputs: Mapping[str, Any]) -> None:
    """Refuse inputs of another floating type than a model's weights, but under autocast.

    A model of several types sees to that itself.

    Raises:
        ValueError: One is of another; the error says what converts it.
    """
    first = next((each for each in model.parameters() if each.is_floating_point()), None)
    if first is None or torch.compiler.is_compiling():
        return
    for name, value in inputs.items():
        for path, tensor in named_tensors(name, value):
            if not tensor.is_floating_point() or tensor.dtype is first.dtype:
                continue
            if not torch.is_autocast_enabled(tensor.device.type) and _agree(model, "dtype"):
                raise ValueError(
                    f"`{path}` is {tensor.dtype} and the model's weights are {first.dtype}; "
                    f"`.to({first.dtype})` converts it, `model.to({tensor.dtype})` the model."
                )


def _agree(model: nn.Module, attribute: str) -> bool:
    """Return whether all weights are of one device or type; only asked where an input is not."""
    weights = [each for each in model.parameters() if each.is_floating_point()]
    return len({getattr(each, attribute) for each in weights}) == 1


def phoneme_padding_mask(
    phoneme_indices: Tensor, padding_mask: Tensor | None, sizes: Sizes
) -> Tensor:
    """Return the padding mask of phonemes: the one given, else where the padding index stands.

    Raises:
        TypeError: Something is no tensor.
        ValueError: The indices are not (B, N) int64, one is out of range, a row is empty, or
            padding stands before the end of a row.
    """
    check_given("phoneme_indices", phoneme_indices)
    check_tensors({"padding_mask": padding_mask})
    if phoneme_indices.dim() != 2 or phoneme_indices.dtype is not torch.int64:
        raise ValueError(
            f"`phoneme_indices` must be int64 of shape (B, N), "
            f"not {phoneme_indices.dtype} of shape {tuple(phoneme_indices.shape)}."
        )
    shape = (phoneme_indices.shape[0], phoneme_indices.shape[1])
    if 0 in shape:
        raise ValueError(f"`phoneme_indices` must hold at least one phoneme, not shape {shape}.")
    mask = phoneme_indices == sizes.pad_id if padding_mask is None else padding_mask
    name = "padding_mask" if padding_mask is not None else f"phoneme_indices == {sizes.pad_id}"
    check_padding_mask(name, mask, shape)
    if can_look_inside(phoneme_indices):
        _check_range(phoneme_indices.masked_fill(mask, sizes.pad_id), sizes.vocab_size)
    return mask


def _check_range(phoneme_indices: Tensor, vocab_size: int) -> None:
    low, high = int(phoneme_indices.min()), int(phoneme_indices.max())
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"`phoneme_indices` must be from 0 to {vocab_size - 1}, "
            f"but {low if low < 0 else high} is among them."
        )


def refuse_beside_batch(others: Mapping[str, Any]) -> None:
    """Refuse what is given beside a batch that has a field for it.

    Raises:
        TypeError: Something is.
    """
    for name, value in others.items():
        if value is not None:
            raise TypeError(
                f"`{name}` cannot be given beside a `TrainingBatch`; `dataclasses.replace` puts "
                f"it in."
            )


def training_batch(
    phoneme_indices: Tensor,
    *,
    mel_specs: Tensor | None,
    phoneme_durations: Tensor | None,
    stop_token_targets: Tensor | None,
    padding_mask: Tensor | None,
    mel_padding_mask: Tensor | None,
    extras: Mapping[str, Any],
    sizes: Sizes,
) -> TrainingBatch:
    """Return a batch of what is given, with the masks that are not.

    Without `padding_mask` padding is where the padding index stands, without `mel_padding_mask` the
    lengths of the mels are the sums of the durations.

    Raises:
        TypeError: Something is no tensor.
        ValueError: A mask cannot be made, since what it is made of does not fit together.
    """
    mask = phoneme_padding_mask(phoneme_indices, padding_mask, sizes)
    mel_specs = _checked_mels(mel_specs, len(mask), sizes)
    check_tensors(
        {
            "phoneme_durations": phoneme_durations,
            "stop_token_targets": stop_token_targets,
            "mel_padding_mask": mel_padding_mask,
        }
    )
    if mel_padding_mask is None:
        mel_padding_mask = _mask_from_durations(phoneme_durations, mask, mel_specs)
    return TrainingBatch(
        phoneme_indices=phoneme_indices,
        padding_mask=mask,
        durations=phoneme_durations,
        mel_specs=mel_specs,
        mel_padding_mask=mel_padding_mask,
        stop_token_targets=stop_token_targets,
        extras=extras,
    )


def checked_batch(batch: TrainingBatch, sizes: Sizes, *, needs_durations: bool) -> TrainingBatch:
    """Return a batch that fits a model, with durations of 0 at padding; nothing is cut or padded.

    Raises:
        ValueError: Shapes, types, masks or lengths do not fit together.
    """
    phoneme_padding_mask(batch.phoneme_indices, batch.padding_mask, sizes)
    mel_specs = _checked_mels(batch.mel_specs, len(batch), sizes)
    check_tensors({"mel_padding_mask": batch.mel_padding_mask})
    shape = len(batch), mel_specs.shape[1]
    check_padding_mask("mel_padding_mask", batch.mel_padding_mask, shape)
    if batch.durations is not None:
        durations = valid_durations(batch.durations, batch.padding_mask)
        check_frames(durations, batch.lengths, _DISAGREE)
        batch = replace(batch, durations=durations)
    elif needs_durations:
        raise ValueError("`phoneme_durations` is missing; this model is trained with durations.")
    if batch.stop_token_targets is not None:
        _check_stop_targets(batch.stop_token_targets, batch.mel_padding_mask)
    _check_finite(batch.mel_specs, batch.mel_padding_mask)
    return batch


def _checked_mels(mel_specs: Tensor | None, rows: int, sizes: Sizes) -> Tensor:
    check_given("mel_specs", mel_specs)
    assert mel_specs is not None
    if mel_specs.dim() != 3 or (mel_specs.shape[0], mel_specs.shape[2]) != (rows, sizes.mel_dim):
        raise ValueError(
            f"`mel_specs` must be of shape ({rows}, T, {sizes.mel_dim}), "
            f"not {tuple(mel_specs.shape)}."
        )
    if not mel_specs.dtype.is_floating_point:
        raise ValueError(f"`mel_specs` must be floating point, not {mel_specs.dtype}.")
    return mel_specs


def _check_finite(mel_specs: Tensor, mel_padding_mask: Tensor) -> None:
    """Refuse a NaN or an infinity in what is no padding; one would spoil every weight."""
    if not can_look_inside(mel_specs):
        return
    wrong = ~mel_specs.isfinite().all(-1) & ~mel_padding_mask
    for row, frame in wrong.nonzero().tolist():
        raise ValueError(f"`mel_specs` must be finite, but frame {frame} of row {row} is not.")


def _check_stop_targets(targets: Tensor, mel_padding_mask: Tensor) -> None:
    check_tensors({"stop_token_targets": targets})
    if targets.shape != mel_padding_mask.shape:
        raise ValueError(
            f"`stop_token_targets` must be of shape {tuple(mel_padding_mask.shape)}, "
            f"not {tuple(targets.shape)}."
        )
    if can_look_inside(targets):
        valid = targets[~mel_padding_mask]
        if not bool(((valid >= 0) & (valid <= 1)).all()):
            raise ValueError("`stop_token_targets` must be from 0 to 1 at every frame.")


def valid_durations(durations: Tensor, padding_mask: Tensor) -> Tensor:
    """Return durations that are 0 at padding, refusing what are no durations.

    Raises:
        ValueError: They are not int64 of the phonemes' shape, one is negative, or a row is empty.
    """
    check_tensors({"durations": durations})
    check_durations(durations, padding_mask)
    durations = durations.masked_fill(padding_mask, 0)
    if can_look_inside(durations):
        for row in (durations < 0).any(1).nonzero().flatten().tolist():
            least = int(durations[row].min())
            raise ValueError(f"`durations` must be 0 or more, but row {row} has {least}.")
        for row in (durations.sum(1) == 0).nonzero().flatten().tolist():
            raise ValueError(f"`durations` must have a frame in each row, but row {row} has none.")
    return durations


def _mask_from_durations(
    durations: Tensor | None, padding_mask: Tensor, mel_specs: Tensor
) -> Tensor:
    rows, frames = mel_specs.shape[:2]
    if durations is None:
        return torch.zeros(rows, frames, dtype=torch.bool, device=mel_specs.device)
    lengths = valid_durations(durations, padding_mask).sum(1)
    if can_look_inside(lengths) and int(lengths.max()) != frames:
        row = int(lengths.argmax())
        raise ValueError(
            f"`durations` and `mel_specs` must agree, but the longest row, row {row}, has "
            f"durations for {int(lengths.max())} frames and the mel has {frames}; rows that are "
            f"padded further need a `mel_padding_mask`."
        )
    return padding_mask_from_lengths(lengths, frames)


def check_frames(durations: Tensor, lengths: Tensor, subject: str) -> None:
    """Refuse durations that do not fill the mel of their row, where looking costs nothing.

    Args:
        durations: (B, N) int64, 0 at padding.
        lengths: (B,) int64, the frames of each row.
        subject: Begins the message, such as "`durations` and `mel_specs` must agree, but".

    Raises:
        ValueError: They do not; the message names the row and both numbers.
    """
    if not can_look_inside(durations):
        return
    planned = durations.sum(1)
    for row in (planned != lengths).nonzero().flatten().tolist():
        raise ValueError(
            f"{subject} row {row} has durations for {int(planned[row])} frames and a mel of "
            f"{int(lengths[row])}."
        )
