"""Free-running generation: the one autoregressive loop, its limits and its stop rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, ParallelDecoder
from kokoro_core.durations import round_durations
from kokoro_core.inputs import check_durations
from kokoro_core.masks import (
    lengths_from_padding_mask,
    padding_mask_from_lengths,
    zero_padding,
)
from kokoro_core.model import AcousticModel, Memory
from kokoro_core.noise import RowNoise
from kokoro_core.pytree import register_pytree

StopReason = Literal["stop_token", "planned_length", "max_mel_len", "complete"]
"""Why a row ended: its stop token; as many frames as planned; the caller's limit; a parallel
decoder that made all frames planned."""

FRAMES_PER_PHONEME = 20.0
"""Limit where a decoder reads phonemes and no length is planned (as SpeechT5's)."""


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
        chunk_frames: Frames made between two looks at whether all rows have ended, and streamed
            at a time; None: 1 on the CPU, 16 where looking waits for the device.
    """

    speed: float | Tensor = 1.0
    min_frames: int = 1
    max_mel_len: int = 1000
    stop_threshold: float = 0.5
    length_ratio: float | None = None
    chunk_frames: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_mel_len", "chunk_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be 1 or more, not {value}.")
        if not 0 <= self.stop_threshold <= 1:
            raise ValueError(
                f"`stop_threshold` must be from 0 to 1, not {self.stop_threshold}; 1 never stops."
            )
        if self.length_ratio is not None and not 0 < self.length_ratio < math.inf:
            raise ValueError(f"`length_ratio` must be above 0, not {self.length_ratio}.")

    def chunk(self, device: torch.device) -> int:
        """Return the frames of a chunk on a device."""
        return self.chunk_frames or (1 if device.type == "cpu" else 16)


@register_pytree
@dataclass(frozen=True)
class Generation:
    """What was spoken.

    Attributes:
        mel: (B, T, M), 0 past each row's length.
        lengths: (B,) int64.
        durations: (B, N) int64 frames planned for each phoneme, or None without a plan.
        stop_reasons: For each row why it ended.
    """

    mel: Tensor
    lengths: Tensor
    durations: Tensor | None
    stop_reasons: list[StopReason] = field(default_factory=list)


@dataclass(frozen=True)
class Utterances:
    """What is to be spoken, everything before the decoder done.

    Attributes:
        memory: What the decoder reads.
        durations: (B, N) int64, or None without a plan.
        limits: (B,) int64, the most frames of each row.
        cut_short: (B,) bool, True where `limits` is less than the row's own limit.
        available: All side inputs.
    """

    memory: Memory
    durations: Tensor | None
    limits: Tensor
    cut_short: Tensor
    available: Mapping[str, Any]


def read(
    model: AcousticModel,
    phoneme_indices: Tensor,
    padding_mask: Tensor,
    options: GenerationOptions,
    *,
    durations: Tensor | None = None,
    noise: RowNoise | None = None,
    extras: Mapping[str, Any] | None = None,
) -> Utterances:
    """Run everything before the decoder: encode, decide durations, expand, set each row's limit.

    Raises:
        ValueError: Durations do not fit the phonemes.
        TypeError: A side input is unknown or missing.
    """
    available = model.side_inputs(extras or {}, len(phoneme_indices), noise)
    hidden = model.encode(phoneme_indices, padding_mask, available)
    durations = _plan_durations(model, hidden, padding_mask, durations, options, available)
    memory = model.remember(hidden, durations, padding_mask, None, available)
    available["plan"] = memory.plan
    wanted = _own_limits(memory, options)
    limits = wanted.clamp_max(options.max_mel_len)
    return Utterances(memory, durations, limits, wanted > limits, available)


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
        return check_durations(durations, padding_mask)
    frames = model.predict_frames(hidden, padding_mask, available)
    if frames is None:
        return None
    planned = round_durations(
        frames, padding_mask, speed=options.speed, min_frames=options.min_frames
    )
    return check_durations(planned, padding_mask)


def _own_limits(memory: Memory, options: GenerationOptions) -> Tensor:
    """Return the most frames that each row may get for its length.

    Shape:
        Returns: (B,) int64.
    """
    planned = lengths_from_padding_mask(memory.padding_mask)
    default = FRAMES_PER_PHONEME if memory.plan is None else 1.0
    ratio = default if options.length_ratio is None else options.length_ratio
    return torch.floor(planned.double() * ratio + 0.5).to(torch.int64).clamp_min(1)


def generate(
    model: AcousticModel, utterances: Utterances, options: GenerationOptions, mel_dim: int
) -> Generation:
    """Speak to the end.

    Raises:
        TypeError: The decoder is neither autoregressive nor parallel.
    """
    if isinstance(model.decoder, AutoregressiveDecoder):
        loop = FrameLoop(model, utterances, options, mel_dim)
        mel = torch.cat(list(loop), dim=1)
        lengths, reasons = loop.lengths, loop.stop_reasons()
    else:
        mel, lengths = _decode_parallel(model, utterances)
        reasons = _reasons(utterances, torch.zeros_like(utterances.cut_short), "complete")
    mask = padding_mask_from_lengths(lengths, mel.shape[1])
    mel = model.refine(mel, mask, utterances.available)
    return Generation(mel, lengths, utterances.durations, reasons)


def stream(
    model: AcousticModel, utterances: Utterances, options: GenerationOptions, mel_dim: int
) -> Iterator[Tensor]:
    """Speak in chunks (B, k, M) which joined are the mel of `generate`.

    With a postnet a frame comes when all frames that it depends on are made.
    """
    if not isinstance(model.decoder, AutoregressiveDecoder):
        yield generate(model, utterances, options, mel_dim).mel
        return
    loop = FrameLoop(model, utterances, options, mel_dim)
    if model.postnet is None:
        yield from loop
    else:
        yield from _refine_chunks(model, loop, utterances.available, model.postnet.context)


def _decode_parallel(model: AcousticModel, utterances: Utterances) -> tuple[Tensor, Tensor]:
    """Make all frames at once and keep each row's up to its limit."""
    if not isinstance(model.decoder, ParallelDecoder):
        raise TypeError(
            f"`{type(model.decoder).__name__}` must be an `AutoregressiveDecoder` or a "
            f"`ParallelDecoder` to generate."
        )
    memory = utterances.memory
    wanted = model.pick("decoder", utterances.available)
    output: DecoderOutput = model.decoder.infer(memory.memory, memory.padding_mask, **wanted)
    planned = lengths_from_padding_mask(memory.padding_mask)
    lengths = torch.minimum(planned, utterances.limits)
    mel = output.mel[:, : int(lengths.max())]
    return zero_padding(mel, padding_mask_from_lengths(lengths, mel.shape[1])), lengths


def _reasons(utterances: Utterances, stopped: Tensor, at_limit: StopReason) -> list[StopReason]:
    pairs = zip(stopped.tolist(), utterances.cut_short.tolist(), strict=True)
    return ["stop_token" if stop else "max_mel_len" if cut else at_limit for stop, cut in pairs]


def _refine_chunks(
    model: AcousticModel, loop: FrameLoop, available: Mapping[str, Any], context: int | None
) -> Iterator[Tensor]:
    """Run the postnet over windows that hold all that their middle depends on."""
    made: Tensor | None = None
    given = 0
    for chunk in loop:
        made = chunk if made is None else torch.cat([made, chunk], dim=1)
        ready = made.shape[1] - (made.shape[1] if context is None else context)
        if ready > given:
            yield _refine_window(model, loop, made, given, available, context)[:, : ready - given]
            given = ready
    if made is not None and made.shape[1] > given:
        yield _refine_window(model, loop, made, given, available, context)


def _refine_window(
    model: AcousticModel,
    loop: FrameLoop,
    made: Tensor,
    first: int,
    available: Mapping[str, Any],
    context: int | None,
) -> Tensor:
    """Return the refined frames from `first` on."""
    start = 0 if context is None else max(0, first - context)
    window = made[:, start:]
    mask = padding_mask_from_lengths(loop.lengths - start, window.shape[1])
    return model.refine(window, mask, available)[:, first - start :]


@final
class FrameLoop:
    """Makes frames step by step; iterating yields chunks (B, k, M), 0 past each row's end.

    The first step is fed zero frames, exactly as `shift_right` begins a row in training; each other
    one what the step before it made.

    Attributes:
        lengths: (B,) int64 frames of each row; after the loop those that it made.
        stopped: (B,) bool, True where the stop token ended the row.
    """

    def __init__(
        self, model: AcousticModel, utterances: Utterances, options: GenerationOptions, mel_dim: int
    ) -> None:
        if not isinstance(model.decoder, AutoregressiveDecoder):
            raise TypeError(f"`{type(model.decoder).__name__}` makes no frames step by step.")
        self._decoder = model.decoder
        self._side_inputs = model.pick("decoder", utterances.available)
        self._utterances = utterances
        self._options = options
        self._mel_dim = mel_dim
        self.lengths = utterances.limits
        self.stopped = torch.zeros_like(utterances.cut_short)

    def stop_reasons(self) -> list[StopReason]:
        """Return for each row why it ended."""
        return _reasons(self._utterances, self.stopped, "planned_length")

    def __iter__(self) -> Iterator[Tensor]:
        memory, r = self._utterances.memory, self._decoder.reduction_factor
        steps = -(-int(self.lengths.max()) // r)
        state = self._decoder.init_state(
            memory.memory, memory.padding_mask, steps * r, **self._side_inputs
        )
        frames = memory.memory.new_zeros(len(self.lengths), r, self._mel_dim)
        pending: list[Tensor] = []
        for step in range(steps):
            frames, stop_logits = self._decoder.step(frames, state)
            self._note_stops(stop_logits, step * r)
            pending.append(frames)
            if len(pending) * r < self._options.chunk(frames.device) and step < steps - 1:
                continue
            longest = int(self.lengths.max())
            yield self._cut(pending, (step + 1 - len(pending)) * r, longest)
            if longest <= (step + 1) * r:
                return
            pending = []

    def _note_stops(self, stop_logits: Tensor, first: int) -> None:
        """Shorten the rows that one of these frames ends, without waiting for the device."""
        lengths = self.lengths.unsqueeze(1)
        ends = first + 1 + torch.arange(stop_logits.shape[1], device=stop_logits.device)
        stops = (stop_logits.sigmoid() > self._options.stop_threshold) & (ends <= lengths)
        self.lengths = torch.where(stops, ends, lengths).amin(1)
        self.stopped = self.stopped | stops.any(1)

    def _cut(self, pending: list[Tensor], first: int, longest: int) -> Tensor:
        """Return the pending frames, none past the longest row, 0 past each row's end."""
        mel = torch.cat(pending, dim=1)[:, : longest - first]
        return zero_padding(mel, padding_mask_from_lengths(self.lengths - first, mel.shape[1]))
