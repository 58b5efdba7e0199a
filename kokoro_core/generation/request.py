"""Everything before the decoder: encode, decide durations, expand, set each row's limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

from kokoro_core.generation.options import GenerationOptions
from kokoro_core.generation.possible import refuse_impossible
from kokoro_core.model.acoustic import AcousticModel, Memory
from kokoro_core.model.inputs import (
    check_devices,
    check_dtypes,
    phoneme_padding_mask,
    valid_durations,
)
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.durations import round_durations
from kokoro_core.tensors.masks import lengths_from_padding_mask
from kokoro_core.tensors.noise import row_noise

Model = TypeVar("Model")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

FRAMES_PER_PHONEME = 20.0
"""Limit where a decoder reads phonemes and no length is planned (as SpeechT5's)."""


_NO_TENSORS = {"options": None, "defaults": None, "extras": None}


@dataclass(frozen=True)
class Utterances:
    """What is to be spoken, everything before the decoder done.

    Attributes:
        memory: What the decoder reads.
        durations: (B, N) int64, or None without a plan.
        limits: (B,) int64, the most frames of each row.
        cut_short: (B,) bool, True where `limits` is less than the row's own limit.
        available: All side inputs.
        options: How to speak.
        frame_dim: Mel channels (M), or a frame's samples.
        deadline: When it must end, in seconds of ``time.monotonic``, or None.
    """

    memory: Memory
    durations: Tensor | None
    limits: Tensor
    cut_short: Tensor
    available: dict[str, Any]
    options: GenerationOptions
    frame_dim: int
    deadline: float | None = None

    def time_is_over(self) -> bool:
        """Return whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline


@dataclass(frozen=True)
class GenerationRequest:
    """What a caller asks for.

    Attributes:
        phoneme_indices: (B, N) int64.
        padding_mask: (B, N) bool, or None: where the padding index stands.
        durations: (B, N) int64 frames instead of the predicted ones, or None.
        seed: Of every row, or one a row; None: drawn from torch's.
        options: How to speak.
        defaults: How the model speaks where the caller does not say otherwise.
        extras: The side inputs that the model's parts need.
    """

    phoneme_indices: Tensor
    padding_mask: Tensor | None
    durations: Tensor | None
    seed: int | Sequence[int] | None
    options: GenerationOptions
    defaults: GenerationOptions
    extras: Mapping[str, Any]


def with_arguments_of(
    prepare: Callable[Concatenate[Model, Arguments], GenerationRequest],
) -> Callable[
    [Callable[[Model, GenerationRequest], Result]], Callable[Concatenate[Model, Arguments], Result]
]:
    """Let a method that takes a request be called with what the request is made of.

    Type checkers, editors and `help` see those arguments, which so are listed once.

    Args:
        prepare: The method that makes the request.
    """

    def decorate(
        method: Callable[[Model, GenerationRequest], Result],
    ) -> Callable[Concatenate[Model, Arguments], Result]:
        @wraps(method)
        def call(self: Model, /, *args: Arguments.args, **keywords: Arguments.kwargs) -> Result:
            return method(self, prepare(self, *args, **keywords))

        returned = signature(method).return_annotation
        call.__signature__ = signature(prepare).replace(  # type: ignore[attr-defined]
            return_annotation=returned
        )
        return call

    return decorate


def read_request(model: AcousticModel, request: GenerationRequest, sizes: Sizes) -> Utterances:
    """Run everything before the decoder: encode, decide durations, expand, set each row's limit.

    Raises:
        ValueError: The phonemes or the durations are not what they should be, or the model cannot
            do what is asked for.
        TypeError: A side input is unknown or missing.
    """
    started = time.monotonic()
    options, durations = request.options, request.durations
    given = {**vars(request), **_NO_TENSORS, "speed": options.speed}
    check_devices(model, {**given, **request.extras})
    check_dtypes(model, request.extras)
    phoneme_indices = request.phoneme_indices
    padding_mask = phoneme_padding_mask(phoneme_indices, request.padding_mask, sizes)
    noise = row_noise(request.seed, len(phoneme_indices))
    refuse_impossible(model, options, request.defaults, durations)
    available = model.side_inputs(
        request.extras, padding_mask, training=False, noise=noise, options=options.of_parts
    )
    hidden = model.encode(phoneme_indices, padding_mask, available).hidden
    durations = _plan_durations(model, hidden, padding_mask, durations, options, available)
    frames = None
    if durations is not None:
        # Nothing is made for frames that the caller does not want.
        frames = min(int(durations.sum(1).max()), options.max_mel_len)
    hidden = model.adapt_tokens(hidden, durations, padding_mask, available)
    memory = model.build_memory(hidden, durations, padding_mask, frames, available)
    wanted = _own_limits(memory, options)
    limits = wanted.clamp_max(options.max_mel_len)
    deadline = None if options.max_seconds is None else started + options.max_seconds
    return Utterances(
        memory=memory,
        durations=durations,
        limits=limits,
        cut_short=wanted > limits,
        available=available,
        options=options,
        frame_dim=model.wiring.samples or sizes.mel_dim,
        deadline=deadline,
    )


def _plan_durations(
    model: AcousticModel,
    hidden: Tensor,
    padding_mask: Tensor,
    durations: Tensor | None,
    options: GenerationOptions,
    available: Mapping[str, Any],
) -> Tensor | None:
    """Return the durations given, else the predicted ones, rounded once."""
    if durations is not None:
        return valid_durations(durations, padding_mask)
    frames = model.predict_frames(hidden, padding_mask, available)
    if frames is None:
        return None
    assert model.duration_predictor is not None
    planned = round_durations(
        frames,
        padding_mask,
        speed=options.speed,
        min_frames=options.min_frames,
        rounding=original(model.duration_predictor).rounding,
    )
    return valid_durations(planned, padding_mask)


def _own_limits(memory: Memory, options: GenerationOptions) -> Tensor:
    """Return the most frames that each row may get for its length.

    Shape:
        Returns: (B,) int64.
    """
    default = FRAMES_PER_PHONEME if memory.plan is None else 1.0
    ratio = default if options.length_ratio is None else options.length_ratio
    return torch.floor(planned_lengths(memory) * ratio + 0.5).to(torch.int64).clamp_min(1)


def planned_lengths(memory: Memory) -> Tensor:
    """Return the frames of each row's plan, whatever the limits; its phonemes where there is none.

    Shape:
        Returns: (B,) int64.
    """
    plan = memory.plan
    return lengths_from_padding_mask(memory.padding_mask) if plan is None else plan.lengths
