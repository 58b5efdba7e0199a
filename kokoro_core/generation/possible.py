"""What a caller may ask for depends on the parts that the model has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, ParallelDecoder
from kokoro_core.generation.options import GenerationOptions
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.tensors.compiled import original

NEVER = 1.0
"""The stop threshold that no frame is above."""


def refuse_impossible(
    model: AcousticModel,
    options: GenerationOptions,
    defaults: GenerationOptions,
    durations: Tensor | None,
) -> None:
    """Refuse what the model would pass over: options of parts that it has not.

    An option that has its default asks for nothing. A seed is fine for a model that draws nothing,
    a `length_ratio` above 1 and a threshold of 1 for a decoder that never stops: they hold. Nor
    does `chunk_frames` change what is spoken.

    Raises:
        ValueError: The error names the options, and what the model lacks.
        TypeError: The decoder is neither autoregressive nor parallel.
    """
    decoder = original(model.decoder)
    if not isinstance(decoder, (AutoregressiveDecoder, ParallelDecoder)):
        raise TypeError(
            f"`{type(decoder).__name__}` must be an `AutoregressiveDecoder` or a "
            f"`ParallelDecoder` to generate."
        )
    asked = _asked(options, defaults)
    paces = [name for name in ("speed", "min_frames") if name in asked]
    if model.regulator is None:
        given = [] if durations is None else ["durations"]
        _refuse([*given, *paces], "this model has no regulator and plans no durations")
    elif durations is not None and paces:
        raise ValueError(
            f"`{paces[0]}` changes predicted durations, so it cannot be given with `durations`; "
            f"change the durations instead."
        )
    elif durations is None and model.duration_predictor is None:
        raise ValueError("`durations` must be given, since this model has no duration predictor.")
    if isinstance(decoder, ParallelDecoder):
        may_end = ("stop_threshold", "max_seconds")
        ends = [name for name in may_end if name in asked]
        if options.stop_threshold == NEVER:
            ends = [name for name in ends if name != "stop_threshold"]
        name = type(decoder).__name__
        _refuse(ends, f"the decoder `{name}` makes all frames at once, and nothing ends it sooner")


def _asked(options: GenerationOptions, defaults: GenerationOptions) -> list[str]:
    """Return the names of the options that have another value than their default."""
    return [
        each.name
        for each in fields(options)
        if _differs(getattr(options, each.name), getattr(defaults, each.name))
    ]


def _differs(value: Any, default: Any) -> bool:
    return isinstance(value, Tensor) or value != default


def _refuse(names: Sequence[str], why: str) -> None:
    if names:
        listed = " and ".join(f"`{name}`" for name in names)
        raise ValueError(f"{listed} cannot be given: {why}.")
