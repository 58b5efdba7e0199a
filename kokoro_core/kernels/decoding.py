"""Linear layers laid out for decoding step by step, where reading weights is all the work."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from kokoro_core.kernels import cpu
from kokoro_core.kernels.float16_linear import Float16Linear, fuse_float16
from kokoro_core.kernels.fused_linear import FusedLinear, SeparateLinears
from kokoro_core.kernels.huge_pages import copy_to_huge_pages
from kokoro_core.kernels.int8_linear import Int8Linear, fuse_int8
from kokoro_core.kernels.introspection import is_unmodified_linear
from kokoro_core.kernels.linear import is_plain
from kokoro_core.kernels.packed_linear import PackedLinear

SMALL = 1 << 16
"""Weights that stay in a cache of the processor, which any layout serves, have fewer numbers."""
COPIED_TYPES = (torch.float32, torch.bfloat16)

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def can_copy(weight: Tensor) -> bool:
    """Return whether a copy of a weight may stand for it: on a CPU, without gradients."""
    return (
        is_plain(weight)
        and weight.device.type == "cpu"
        and weight.dtype in COPIED_TYPES
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def prepare_for_decoding(*layers: nn.Module, rows: int) -> nn.Module:
    """Return what computes these layers over one input, joined, in the way that is fastest.

    Layers of another kind, with weights of a special kind or with hooks, are called as they are.

    Args:
        layers: One, or several.
        rows: Rows of the input, or the most of them.
    """
    plain = [
        layer for layer in layers if isinstance(layer, nn.Linear) and is_unmodified_linear(layer)
    ]
    if len(layers) > 1 and any(getattr(layer, "bias", None) is None for layer in layers):
        return SeparateLinears(layers)
    if len(plain) < len(layers):
        return _narrow_for_steps(layers)
    copied = all(can_copy(layer.weight) for layer in plain)
    dtype = plain[0].weight.dtype
    by_mkl = copied and single_row_single_thread(rows) and dtype is torch.float32
    if copied and not by_mkl and cpu.packs(dtype):
        return PackedLinear(plain)
    outputs, inputs = sum(layer.out_features for layer in plain), plain[0].in_features
    if by_mkl and outputs * inputs >= SMALL:
        return FusedLinear(plain, by_columns=outputs >= inputs)
    return plain[0] if len(plain) == 1 else FusedLinear(plain)


def _narrow_for_steps(layers: Sequence[nn.Module]) -> nn.Module:
    """Return layers of fewer bits as one if all are of one kind, else each as it is."""
    if len(layers) == 1:
        return layers[0]
    eights = [layer for layer in layers if isinstance(layer, Int8Linear)]
    halves = [layer for layer in layers if isinstance(layer, Float16Linear)]
    if len(eights) == len(layers):
        return fuse_int8(eights)
    return fuse_float16(halves) if len(halves) == len(layers) else SeparateLinears(layers)


def single_row_single_thread(rows: int) -> bool:
    """Return whether one thread reads weights for one row, which MKL does best, else oneDNN."""
    return rows == 1 and torch.get_num_threads() == 1


def move_to_huge_pages(modules: Iterable[nn.Module]) -> None:
    """Put the joined weights inside modules one after the other into huge pages.

    Args:
        modules: As steps run them, made by `prepare_for_decoding` while `can_copy` said yes.
    """
    joined = [
        each for module in modules for each in module.modules() if isinstance(each, FusedLinear)
    ]
    places = copy_to_huge_pages([each.weight for each in joined])
    for each, weight in zip(joined, places, strict=True):
        each.move_weight(weight)


def with_children(module: AnyModule, **children: nn.Module | None) -> AnyModule:
    """Return a view of a module with some children replaced; all else is shared with it."""
    view = copy.copy(module)
    vars(view)["_modules"] = {**module._modules, **children}
    return view


def linears_for_steps(module: AnyModule, *, rows: int) -> AnyModule:
    """Return a view of a module whose linear children are laid out for steps of so many rows."""
    found = {
        name: prepare_for_decoding(child, rows=rows)
        for name, child in module.named_children()
        if isinstance(child, nn.Linear)
    }
    return with_children(module, **found)
