"""What each component of a model promises.

Shapes: B batch, N phonemes, T frames, H hidden, M mel channels. A ``padding_mask`` is bool and True
means padding. Padding is at the end of a row. What a component returns at padding is exactly 0, and
a row's valid output does not depend on the other rows or on how far the row is padded.

A component whose params name side inputs in ``needs`` gets exactly those by keyword, in each of its
entry points; in the abstract signatures they are ``**side_inputs``.

This is the one place where components inherit: a contract is abstract and has no state.
"""

from kokoro_core.contracts.component import Component
from kokoro_core.contracts.decoders import AutoregressiveDecoder, Decoder, ParallelDecoder
from kokoro_core.contracts.parts import DurationPredictor, Encoder, Postnet, Regulator
from kokoro_core.contracts.positions import PositionalEncoding
from kokoro_core.contracts.values import DecoderOutput, DurationOutput, Plan, State, map_tensors

__all__ = [
    "AutoregressiveDecoder",
    "Component",
    "Decoder",
    "DecoderOutput",
    "DurationOutput",
    "DurationPredictor",
    "Encoder",
    "ParallelDecoder",
    "Plan",
    "PositionalEncoding",
    "Postnet",
    "Regulator",
    "State",
    "map_tensors",
]
