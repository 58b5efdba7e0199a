"""Free-running generation: in one go or as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, ParallelDecoder
from kokoro_core.generation.loop import FrameLoop, stop_reasons
from kokoro_core.generation.options import Generation, GenerationOptions
from kokoro_core.generation.reading import Utterances
from kokoro_core.masks import lengths_from_padding_mask, padding_mask_from_lengths, zero_padding
from kokoro_core.model import AcousticModel


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
        reasons = stop_reasons(utterances, torch.zeros_like(utterances.cut_short), "complete")
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
