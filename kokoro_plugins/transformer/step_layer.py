"""`StepLayer`: a decoder layer as a step of one group runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.kernels import direct, is_unmodified
from kokoro_core.nn.attention import AttentionScope, MultiheadAttention
from kokoro_core.nn.attention_step import AttentionStep
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.feed_forward import FeedForward
from kokoro_plugins.transformer.layers import DecoderLayer


@final
class StepLayer:
    """Computes what `DecoderLayer.step` does for one group a row, in a third of the calls.

    Args:
        layer: Whose parts are called; its dropouts must pass everything on.
    """

    def __init__(self, layer: DecoderLayer) -> None:
        self._pre = layer.pre
        self._own = AttentionStep(layer.self_attention)
        self._crossed = AttentionStep(layer.cross_attention)
        self._feed_forward = _feed_forward(layer.feed_forward)
        self._own_norm = direct(layer.attention_norm)
        self._cross_norm = direct(layer.cross_norm)
        self._feed_forward_norm = direct(layer.feed_forward_norm)

    def step(
        self,
        x: Tensor,
        own: KeyValueCache,
        memory: KeyValueCache,
        scope: AttentionScope,
        cross_scope: AttentionScope,
        start: int,
    ) -> Tensor:
        """Run the layer over the next group, remembering its keys and values in `own`.

        Args:
            x: (B, H).
            own: Of the groups so far.
            memory: Of the memory.
            scope: From the group to all that `own` has room for.
            cross_scope: From the group to the memory.
            start: Groups so far.

        Returns:
            (B, H).
        """
        inner = self._own_norm(x) if self._pre else x
        queries, keys, values = self._own.project(inner, scope)
        keys, values = own.write(keys, values, start)
        x = x + self._own.attend_heads(queries, keys, values, scope)
        if self._pre:
            inner = self._cross_norm(x)
            x = x + self._crossed.attend(inner, memory.keys, memory.values, cross_scope)
            return x + self._feed_forward(self._feed_forward_norm(x))
        x = self._own_norm(x)
        x = self._cross_norm(x + self._crossed.attend(x, memory.keys, memory.values, cross_scope))
        return self._feed_forward_norm(x + self._feed_forward(x))


def step_layers(
    layers: Sequence[nn.Module], encoding: PositionalEncoding
) -> tuple[StepLayer, ...] | None:
    """Return layers for steps of one group; None: somebody would miss what they go past."""
    plain = [layer for layer in layers if isinstance(layer, DecoderLayer) and _is_unmodified(layer)]
    if encoding.uses_weights or len(plain) < len(layers):
        return None
    return tuple(StepLayer(layer) for layer in plain)


def _is_unmodified(layer: DecoderLayer) -> bool:
    """Return whether a layer has the parts that it was made with, and drops nothing."""
    attentions = (layer.self_attention, layer.cross_attention)
    dropouts = [each for each in layer.modules() if isinstance(each, nn.Dropout)]
    silent: list[tuple[nn.Module, type[nn.Module]]]
    silent = [(each, MultiheadAttention) for each in attentions]
    silent += [(each, type(each)) for each in dropouts]
    return is_unmodified(layer, DecoderLayer) and all(
        is_unmodified(each, kind) and not each.training for each, kind in silent
    )


def _feed_forward(block: FeedForward) -> Callable[[Tensor], Tensor]:
    if not is_unmodified(block, FeedForward):
        return direct(block)
    first, _, last = map(direct, block)
    return lambda x: last(first(x).relu())
