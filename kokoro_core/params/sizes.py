"""The sizes that a component is built with, and its own size."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    """What a component's ``build`` gets to know about the model around it.

    Attributes:
        vocab_size: Number of phoneme indices, padding included.
        pad_id: The phoneme index that means padding.
        mel_dim: Mel channels.
        hidden_dim: Width at this component's inputs and outputs, its own if it sets one.
        num_speakers: How many speakers the spec names.
        num_languages: How many languages the spec names.
        hop_length: Samples of a frame; 0 without audio settings.
    """

    vocab_size: int
    pad_id: int
    mel_dim: int
    hidden_dim: int
    num_speakers: int = 0
    num_languages: int = 0
    hop_length: int = 0


@dataclass(frozen=True)
class Size:
    """The size of a component, counted without building it.

    Attributes:
        parameters: Number of trained values.
        buffer_bytes: Bytes of buffers that are computed once and kept, at float32.
        layers: Number of stacked layers.
        complete: Whether everything is counted; False if a part does not report its size, and
            the component is then at least this large.
    """

    parameters: int = 0
    buffer_bytes: int = 0
    layers: int = 0
    complete: bool = True

    def __add__(self, other: Size) -> Size:
        return Size(
            self.parameters + other.parameters,
            self.buffer_bytes + other.buffer_bytes,
            self.layers + other.layers,
            self.complete and other.complete,
        )

    def __mul__(self, times: int) -> Size:
        return replace(
            self,
            parameters=self.parameters * times,
            buffer_bytes=self.buffer_bytes * times,
            layers=self.layers * times,
        )


MAX_PARAMETERS = 10_000_000_000
"""A model with more parameters is rejected unless the caller allows it."""

FLOAT_BYTES = 4
"""Bytes of a float32."""

LAYER = Size(layers=1)
"""What a layer adds to its parameters: one layer."""

UNKNOWN_PART = Size(complete=False)
"""What a part without a known size adds: nothing, but the sum becomes incomplete."""


def linear(inputs: int, outputs: int) -> Size:
    """Return the size of a linear layer with a bias."""
    return Size(inputs * outputs + outputs)


def layer_norm(width: int) -> Size:
    """Return the size of a LayerNorm with scale and bias."""
    return Size(2 * width)


def embedding(rows: int, width: int) -> Size:
    """Return the size of an embedding."""
    return Size(rows * width)


def conv1d(
    in_channels: int, out_channels: int, kernel_size: int, *, groups: int = 1, bias: bool = True
) -> Size:
    """Return the size of a convolution over time."""
    weights = in_channels // groups * out_channels * kernel_size
    return Size(weights + (out_channels if bias else 0))


def batch_norm(width: int) -> Size:
    """Return the size of a batch normalisation: two running statistics and a counter of int64."""
    return Size(2 * width, 2 * width * FLOAT_BYTES + 8)


def table(rows: int, width: int) -> Size:
    """Return the size of a computed, untrained table."""
    return Size(buffer_bytes=rows * width * FLOAT_BYTES)
