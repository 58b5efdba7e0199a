"""How to speak, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal

import torch
from torch import Tensor

from kokoro_core.notebook.mels import mels_html
from kokoro_core.spec.rules.names import checked_options
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.tensors.pytree import register_pytree

StopReason = Literal[
    "stop_token", "planned_length", "max_mel_len", "time", "not_finite", "complete"
]
"""Why a row ended: its stop token; as many frames as planned; the caller's limit of frames or of
time; a frame or stop logit that is NaN or infinite; a parallel decoder that made all frames."""

MAX_FRAMES = 100_000
"""Most frames that `max_mel_len` may ask for: no row of any model gets more."""

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int8)
"""What a decoder may be in; of int8, and on a CPU of float16, are the weights alone."""

MAY_BE_NONE = frozenset({"chunk_frames", "length_ratio", "max_seconds"})
"""Numbers that need not be given."""


@dataclass(frozen=True)
class GenerationOptions:
    """How to speak.

    Attributes:
        speed: Above 1 is faster; a number, (B, 1) or (B, N).
        min_frames: The least that a predicted phoneme lasts.
        max_mel_len: No row gets more frames.
        stop_threshold: A frame whose stop probability is above it is the last.
        length_ratio: No row gets more than this multiple of its planned length; None: 1, or
            20 frames a phoneme where no length is planned.
        chunk_frames: Frames made between two looks at which rows have ended, and streamed at a
            time, rounded down to whole steps of the decoder; None: 1 on the CPU, 16 where looking
            waits for the device.
        max_seconds: After so long, looked at after each chunk, every row ends; None: no limit.
        dtype: What the decoder computes in; ``torch.int8``, and ``torch.float16`` on a CPU: float32
            around weights rounded to that; None: what the model is in. A copy of the decoder is
            made once and kept as long as the weights stay the same.
        of_parts: Numbers with which the parts speak, by full name such as ``decoder.temperature``.
    """

    speed: float | Tensor = 1.0
    min_frames: int = 1
    max_mel_len: int = 1000
    stop_threshold: float = 0.5
    length_ratio: float | None = None
    chunk_frames: int | None = None
    max_seconds: float | None = None
    dtype: torch.dtype | None = None
    of_parts: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("min_frames", "max_mel_len", "chunk_frames"):
            _check_number(name, getattr(self, name), Integral, "a whole number")
        for name in ("stop_threshold", "length_ratio", "max_seconds"):
            _check_number(name, getattr(self, name), Real, "a number")
        for name in ("max_mel_len", "chunk_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be 1 or more, not {value}.")
        if self.max_mel_len > MAX_FRAMES:
            raise ValueError(
                f"`max_mel_len` must be {MAX_FRAMES} or less, not {self.max_mel_len}; speak a "
                f"longer text in parts."
            )
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError(f"`max_seconds` must be above 0 or None, not {self.max_seconds}.")
        if self.dtype is not None and self.dtype not in DTYPES:
            names = ", ".join(f"`{dtype}`" for dtype in DTYPES)
            raise ValueError(f"`dtype` must be one of {names} or None, not `{self.dtype}`.")
        if not 0 <= self.stop_threshold <= 1:
            raise ValueError(
                f"`stop_threshold` must be from 0 to 1, not {self.stop_threshold}; 1 never stops."
            )
        if self.length_ratio is not None and not 0 < self.length_ratio < math.inf:
            raise ValueError(f"`length_ratio` must be above 0, not {self.length_ratio}.")

    def chunk(self, device: torch.device) -> int:
        """Return the frames of a chunk on a device."""
        return self.chunk_frames or (1 if device.type == "cpu" else 16)


def defaults_of(spec: ModelSpec) -> GenerationOptions:
    """Return how the model of a spec speaks where the caller does not say otherwise."""
    said = spec.generation
    return GenerationOptions(
        speed=said.speed,
        min_frames=said.min_frames,
        max_mel_len=said.max_mel_len,
        stop_threshold=said.stop_threshold,
        length_ratio=said.length_ratio,
        of_parts=checked_options(spec, {}),
    )


def _check_number(name: str, value: Any, kind: type, words: str) -> None:
    if value is None and name in MAY_BE_NONE:
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be {words}, not {value!r}.")


@register_pytree
@dataclass(frozen=True)
class Generation:
    """What was spoken.

    Attributes:
        mel: (B, T, M), 0 past each row's length; (B, T, hop_length) samples of a decoder that gives
            a waveform.
        lengths: (B,) int64.
        durations: (B, N) int64 frames planned for each phoneme, or None without a plan.
        stop_reasons: For each row why it ended.
    """

    mel: Tensor
    lengths: Tensor
    durations: Tensor | None
    stop_reasons: list[StopReason] = field(default_factory=list)

    def _repr_html_(self) -> str:
        return mels_html(self.mel, self.lengths.tolist(), self.stop_reasons)
