"""Speaking writes nothing into a model, not even in training mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def unchanged_buffers(*models: nn.Module) -> Iterator[None]:
    """Put back what layers in training mode track of what passes, such as running statistics."""
    layers = {layer for model in models for layer in model.modules() if layer.training}
    kept = [(each, each.clone()) for layer in layers for each in layer.buffers(recurse=False)]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
