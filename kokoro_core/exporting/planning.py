"""Everything before the decoder as a graph has it: one utterance, lengths that stay symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import PositionalEncoding
from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInputs, with_masks
from kokoro_core.exporting.noise import GivenNoise, GraphNoise
from kokoro_core.model.acoustic import AcousticModel, Memory
from kokoro_core.model.features import read_features
from kokoro_core.tensors.durations import round_durations
from kokoro_core.tensors.noise import RowNoise

LEAST = 2
"""Phonemes and frames that a graph is made for at least: torch takes sizes of 0 and 1 as fixed."""
MOST = 100_000
"""Frames that a graph is made for at most where no positions set a limit, as in `generate`."""

EXAMPLE = 11
"""Phonemes of the utterance that a graph is traced with."""

BEFORE_PLAN = ("encoder", "duration_predictor", "token_adaptors")
AFTER_PLAN = ("frame_adaptors", "decoder", "postnet")


@dataclass(frozen=True)
class Planned:
    """An utterance before the decoder.

    Attributes:
        memory: What the decoder reads.
        durations: (1, N) int64, or None without a plan.
        frames: How many there are to be, a symbol in a graph; None without a plan.
        available: All side inputs by name.
    """

    memory: Memory
    durations: Tensor | None
    frames: int | None
    available: dict[str, Any]


def plan_utterance(
    model: KokoroModel,
    phoneme_indices: Tensor,
    speed: Tensor,
    given: Mapping[str, Tensor],
    inputs: GraphInputs,
    noise: GraphNoise | GivenNoise | None = None,
) -> Planned:
    """Run everything before the decoder, as generation does, for one utterance without padding.

    Args:
        model: Its parts run, and its spec says how features and durations are read.
        phoneme_indices: (1, N) int64.
        speed: (1,).
        given: The graph's other inputs by name.
        inputs: What they mean.
        noise: Where random numbers come from; None: from the graph.
    """
    acoustic = model.acoustic
    mask = torch.zeros_like(phoneme_indices, dtype=torch.bool)
    available = _available(model, phoneme_indices, given, inputs, noise or GraphNoise())
    hidden = acoustic.encode(phoneme_indices, mask, available).hidden
    durations = _rounded(model, hidden, speed, available)
    total = None if durations is None else bounded(durations.sum(), most_frames(acoustic))
    hidden = acoustic.adapt_tokens(hidden, durations, mask, available)
    memory = acoustic.build_memory(hidden, durations, mask, total, available)
    return Planned(memory, durations, total, available)


def plan_durations(
    model: KokoroModel,
    phoneme_indices: Tensor,
    speed: Tensor,
    given: Mapping[str, Tensor],
    inputs: GraphInputs,
    noise: GraphNoise | GivenNoise,
) -> Tensor | None:
    """Return the durations alone of `plan_utterance`, (1, N) int64; only what they need runs."""
    mask = torch.zeros_like(phoneme_indices, dtype=torch.bool)
    available = _available(model, phoneme_indices, given, inputs, noise)
    hidden = model.acoustic.encode(phoneme_indices, mask, available).hidden
    return _rounded(model, hidden, speed, available)


def _available(
    model: KokoroModel,
    phoneme_indices: Tensor,
    given: Mapping[str, Tensor],
    inputs: GraphInputs,
    noise: GraphNoise | GivenNoise,
) -> dict[str, Any]:
    """Return all side inputs by name."""
    features = read_features(inputs.features(given), model.spec, phoneme_indices)
    return model.acoustic.side_inputs(
        with_masks(features, model),
        torch.zeros_like(phoneme_indices, dtype=torch.bool),
        training=False,
        noise=cast("RowNoise", noise),
        options=cast("Mapping[str, float]", inputs.options(given)),
    )


def _rounded(
    model: KokoroModel, hidden: Tensor, speed: Tensor, available: Mapping[str, Any]
) -> Tensor | None:
    """Return the predicted durations, (1, N) int64, or None without a plan."""
    acoustic = model.acoustic
    mask = torch.zeros(hidden.shape[:2], dtype=torch.bool)
    frames = acoustic.predict_frames(hidden, mask, available)
    if frames is None or acoustic.duration_predictor is None:
        return None
    return round_durations(
        frames / speed[0],
        mask,
        min_frames=model.spec.generation.min_frames,
        rounding=acoustic.duration_predictor.rounding,
    )


def bounded(total: Tensor, most: int) -> int:
    """Return a number of frames that is made by the data; in a graph a symbol with bounds."""
    frames = cast("int", total.item())
    torch._check(frames >= LEAST)  # type: ignore[no-untyped-call]
    torch._check(frames <= most)  # type: ignore[no-untyped-call]
    return frames


def most_phonemes(acoustic: AcousticModel) -> int | None:
    """Return how many phonemes the positions of a model's parts allow; None: any number."""
    return most_positions(getattr(acoustic, key) for key in BEFORE_PLAN)


def most_frames(acoustic: AcousticModel) -> int:
    """Return how many frames the positions of a model's parts allow."""
    return most_positions(getattr(acoustic, key) for key in AFTER_PLAN) or MOST


def most_positions(parts: Iterable[nn.Module | None]) -> int | None:
    """Return how many steps the positions of modules allow; None: any number."""
    known = [
        each.max_len
        for part in parts
        for each in (() if part is None else part.modules())
        if isinstance(each, PositionalEncoding) and each.max_len is not None
    ]
    return min(known, default=None)


def _refuse_short(acoustic: AcousticModel) -> None:
    """Refuse positions that end before the example does, or before there can be a graph."""
    allowed = {
        "phonemes": (most_phonemes(acoustic), EXAMPLE),
        "frames": (most_frames(acoustic), LEAST),
    }
    for what, (most, least) in allowed.items():
        if most is not None and most < least:
            raise ExportError(
                f"The positions of the model's parts allow {most} {what}, and a graph needs at "
                f"least {least}; `max_len` of their positional encodings must be larger."
            )


def traced_with(model: KokoroModel, inputs: GraphInputs) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of the example, and which of their sizes are symbols.

    Raises:
        ExportError: The positions of a part allow too few phonemes or frames.
    """
    _refuse_short(model.acoustic)
    sizes = model.spec.sizes
    symbols = [index for index in range(sizes.vocab_size) if index != sizes.pad_id]
    phonemes = torch.tensor([[symbols[place % len(symbols)] for place in range(EXAMPLE)]])
    given = {each.name: each.example for each in inputs.variable}
    lengths = {
        "phonemes": Dim("phonemes", min=LEAST, max=most_phonemes(model.acoustic)),
        "recording": Dim("recording", min=LEAST),
    }
    axes = {
        each.name: {axis: lengths[name] for axis, name in each.axes.items()} or None
        for each in inputs.variable
    }
    arguments = {"phoneme_indices": phonemes, "speed": torch.ones(1), "given": given}
    return arguments, {"phoneme_indices": {1: lengths["phonemes"]}, "speed": None, "given": axes}
