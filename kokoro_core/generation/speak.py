"""Free-running generation: in one go or as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kokoro_core.contracts import (
    AutoregressiveDecoder,
    Decoder,
    DecoderOutput,
    ParallelDecoder,
    answers,
)
from kokoro_core.contracts.answers import Callee
from kokoro_core.generation.ends import RowEnds
from kokoro_core.generation.loop import FrameLoop
from kokoro_core.generation.options import Generation, StopReason
from kokoro_core.generation.precision import arithmetic, converted_inputs
from kokoro_core.generation.request import Utterances
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.side_inputs import call_part
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.masks import (
    lengths_from_padding_mask,
    padding_mask_from_lengths,
    zero_padding,
)


def generate(model: AcousticModel, utterances: Utterances, decoder: Decoder) -> Generation:
    """Speak to the end.

    Args:
        model: Whose parts speak.
        utterances: What `read_request` returned.
        decoder: The model's, or a copy of it in another precision.
    """
    dtype = utterances.memory.vectors.dtype
    if not isinstance(decoder, ParallelDecoder):
        loop = _loop(model, decoder, utterances)
        mel = torch.cat(list(loop), dim=1)
        lengths, durations, reasons = loop.lengths, utterances.durations, loop.stop_reasons()
    else:
        mel, ends, decided = _decode_parallel(model, decoder, utterances)
        lengths, durations = ends.lengths, decided.durations
        reasons = _parallel_reasons(ends, decided.lengths, utterances)
    mask = padding_mask_from_lengths(lengths, mel.shape[1])
    mel = model.refine(mel.to(dtype), mask, utterances.available)
    return Generation(mel, lengths, durations, reasons)


def stream(model: AcousticModel, utterances: Utterances, decoder: Decoder) -> Iterator[Tensor]:
    """Speak in chunks (B, k, M) which joined are the mel of `generate`.

    With a postnet a frame comes when all frames that it depends on are made; all come at the end
    if it needs the plan or noise.
    """
    dtype = utterances.memory.vectors.dtype
    if isinstance(decoder, ParallelDecoder):
        yield generate(model, utterances, decoder).mel
        return
    loop = _loop(model, decoder, utterances)
    chunks = (chunk.to(dtype) for chunk in loop)
    if model.postnet is None:
        yield from chunks
    else:
        # What the model makes for a postnet is made for all frames, and fits no window of them.
        whole = model.wiring.is_given_frames("postnet")
        context = None if whole else model.postnet.context
        yield from _refine_chunks(model, loop, chunks, utterances.available, context)


def _loop(model: AcousticModel, decoder: Decoder, utterances: Utterances) -> FrameLoop:
    assert isinstance(decoder, AutoregressiveDecoder)  # `read_request` has refused others
    return FrameLoop(decoder, *given_to_decoder(model, decoder, utterances))


def given_to_decoder(
    model: AcousticModel, decoder: Decoder, utterances: Utterances
) -> tuple[dict[str, Any], Utterances]:
    """Return what a decoder is given, in the precision that it computes in."""
    wanted = model.wiring.pick("decoder", utterances.available)
    dtype = utterances.options.dtype
    if decoder is original(model.decoder) or dtype is None:
        return wanted, utterances
    device = utterances.memory.vectors.device
    return converted_inputs(wanted, utterances, arithmetic(dtype, device))


def _decode_parallel(
    model: AcousticModel, decoder: ParallelDecoder, utterances: Utterances
) -> tuple[Tensor, RowEnds, Decided]:
    """Make all frames at once and keep each row's up to its limit, or to what is not finite.

    Raises:
        ValueError: There is not one frame for each vector of the memory, or an end is predicted,
            which nobody looks at.
    """
    callee = Callee("decoder", decoder, "infer")
    wanted, utterances = given_to_decoder(model, decoder, utterances)
    memory, padding_mask = utterances.memory.vectors, utterances.memory.padding_mask
    output = call_part(callee, memory, padding_mask, **wanted)
    rows, frames = padding_mask.shape
    planned = utterances.memory.plan is not None
    shape = rows, frames if planned else None, utterances.frame_dim
    output = answers.decoder_output(output, shape, callee)
    if output.stop_logits is not None:
        raise ValueError(
            f"{callee} must return `stop_logits` None from `infer`: a parallel decoder makes the "
            f"frames that are planned, and nothing looks for an end."
        )
    made = lengths_from_padding_mask(padding_mask) if output.lengths is None else output.lengths
    _check_length(output, made, callee)
    limits = torch.minimum(made, utterances.limits)
    ends = RowEnds(limits, utterances.options)
    ends.note(output.mel, None, 0)
    mel = output.mel[:, : int(ends.lengths.max())]
    mel = zero_padding(mel, padding_mask_from_lengths(ends.lengths, mel.shape[1]))
    durations = utterances.durations if output.durations is None else output.durations
    return mel, ends, Decided(made, durations)


@dataclass(frozen=True)
class Decided:
    """What a parallel decoder decided: the length of each row, and the durations if there are."""

    lengths: Tensor
    durations: Tensor | None


def _check_length(output: DecoderOutput, lengths: Tensor, callee: Callee) -> None:
    """Refuse lengths for which there are no frames.

    Raises:
        ValueError: A row is longer than the mel.
    """
    longest = int(lengths.max())
    if longest != output.mel.shape[1]:
        raise ValueError(
            f"{callee} made {output.mel.shape[1]} frames, but its longest row has {longest}; "
            f"without a regulator it must say in `lengths` how long each row is."
        )


def _parallel_reasons(ends: RowEnds, made: Tensor, utterances: Utterances) -> list[StopReason]:
    """Return for each row why it ended; a limit that lies behind its plan ends nothing."""
    plan = utterances.memory.plan
    short = (made if plan is None else plan.lengths) > utterances.limits
    reasons = ends.reasons(utterances.cut_short & short, "complete")
    pairs = zip(reasons, short.tolist(), strict=True)
    return ["planned_length" if why == "complete" and cut else why for why, cut in pairs]


def _refine_chunks(
    model: AcousticModel,
    loop: FrameLoop,
    chunks: Iterator[Tensor],
    available: Mapping[str, Any],
    context: int | None,
) -> Iterator[Tensor]:
    """Run the postnet over windows that hold all that their middle depends on."""
    made: Tensor | None = None
    given = 0
    for chunk in chunks:
        made = chunk if made is None else torch.cat([made, chunk], dim=1)
        ready = made.shape[1] - (made.shape[1] if context is None else context)
        if ready > given:
            yield _refine_window(model, loop, made, given, available, context)[:, : ready - given]
            given = ready
    if made is not None and (made.shape[1] > given or given == 0):
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
