"""The memory of a decoder as what it is a sum of: vectors of phonemes, places and positions."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from kokoro_core.contracts import Plan, PositionalEncoding
from kokoro_core.kernels import prefer_repeated
from kokoro_core.nn.attention import AttentionScope
from kokoro_core.tensors.repeats import Repeats, repeats_of
from kokoro_plugins.transformer.place import PlaceEmbedding


def memory_in_parts(
    memory: Tensor,
    layers: Iterable[nn.Module],
    scope: AttentionScope,
    place: PlaceEmbedding | None,
    plan: Plan | None,
) -> tuple[Repeats, ...] | None:
    """Return rows of tables whose sums are the memory with places and positions.

    Keys and values are projected once for each row then. Padding, which nobody attends to, has a
    place and a position too. None where the memory is no such sum, or where that would save no
    products.

    Args:
        memory: (B, T, H), as the decoder is given it.
        layers: Those that project it.
        scope: Of cross-attention.
        place: What is added for the place inside the phoneme, or None.
        plan: Where the places are read from.
    """
    repeats, encoding = repeats_of(memory), scope.positional_encoding
    if repeats is None:
        return None
    parts = [repeats]
    if place is not None and plan is not None:
        parts += place.parts(plan.durations, memory.shape[1])
    if type(encoding).add is not PositionalEncoding.add:
        vectors = encoding.added_vectors(scope.k_positions)
        if vectors is None:
            return None
        parts.append(Repeats(vectors))
    frames = memory.shape[0] * memory.shape[1]
    return tuple(parts) if prefer_repeated(layers, parts, frames) else None
