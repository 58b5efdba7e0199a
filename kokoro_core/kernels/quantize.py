"""Layers with weights of fewer bits in place of those of float32."""

from __future__ import annotations

import torch
from torch import nn

from kokoro_core.kernels.float16_linear import Float16Linear, fits_float16
from kokoro_core.kernels.int8_linear import MULTIPLE, Int8Linear
from kokoro_core.kernels.introspection import is_unmodified_linear

FEWEST = 1 << 16
"""Weights below which a layer stays as it is: the ways in and out of a decoder are narrow, gain
little, and matter most."""


def quantize_weights(module: nn.Module, dtype: torch.dtype) -> None:
    """Put weights of 8 or 16 bits in place of those of all large linear layers inside a module.

    Layers of a class of their own, with weights of a special kind or with hooks, or whose weights
    or width the kernels cannot take stay as they are.

    Args:
        module: What is changed.
        dtype: ``torch.int8`` or ``torch.float16``.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if not isinstance(child, nn.Linear) or not _is_large_and_plain(child):
                continue
            if dtype is torch.int8 and child.in_features % MULTIPLE == 0:
                parent.register_module(name, Int8Linear.of(child))
            elif dtype is torch.float16 and fits_float16(child.weight):
                parent.register_module(name, Float16Linear.of(child))


def _is_large_and_plain(layer: nn.Linear) -> bool:
    return is_unmodified_linear(layer) and layer.weight.numel() >= FEWEST
