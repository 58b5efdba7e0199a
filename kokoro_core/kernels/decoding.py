"""Linear layers laid out for decoding step by step, where reading weights is all the work."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar, cast, final

import torch
from torch import Tensor, nn

from kokoro_core.kernels import cpu
from kokoro_core.kernels.choice import by_reference
from kokoro_core.kernels.derived import DerivedCache
from kokoro_core.kernels.float16_linear import Float16Linear
from kokoro_core.kernels.fused_linear import FusedLinear
from kokoro_core.kernels.huge_pages import copy_to_huge_pages
from kokoro_core.kernels.int8_linear import Int8Linear
from kokoro_core.kernels.introspection import is_unmodified_linear
from kokoro_core.kernels.linear import is_plain
from kokoro_core.kernels.packed_linear import PackedLinear
from kokoro_core.kernels.split_linear import SplitLinear, parts_for

SMALL = 1 << 16
"""Weights that stay in a cache of the processor, which any layout serves, have fewer numbers."""
COPIED_TYPES = (torch.float32, torch.bfloat16)

AnyModule = TypeVar("AnyModule", bound=nn.Module)
Places = Mapping[str, Sequence[tuple[str, ...]]]
"""Path of a module → groups of its linear layers, as `optimize_for_decoding` takes them."""


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


def threads_of_mkl(rows: int) -> int:
    """Return how many threads read weights through MKL; 0: oneDNN reads them.

    MKL is faster for one row on one thread, and with AVX2 alone on several too
    (docs/generation.md).
    """
    threads = torch.get_num_threads()
    return threads if rows == 1 and (threads == 1 or cpu.processor().level == "avx2") else 0


@final
class ExpectedRows:
    """Lays out for many rows what begins within `here`, since it will be stepped with others.

    The weights are compared with those that are laid out once, not whenever a row begins, which
    takes as long as reading all of them: they must stay the same as long as this is used.

    Args:
        rows: The most rows.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.views: dict[int, nn.Module] = {}

    @contextmanager
    def here(self) -> Iterator[None]:
        """Let it hold within a block."""
        token = _EXPECTED.set(self)
        try:
            yield
        finally:
            _EXPECTED.reset(token)


_EXPECTED: ContextVar[ExpectedRows | None] = ContextVar("expected_rows", default=None)


@final
class DecodingViews(Generic[AnyModule]):
    """Views of a module that decodes step by step, made once and kept while its weights stay.

    They are kept on a CPU where no gradient is wanted; elsewhere a view copies nothing that lasts.

    Args:
        places: As `optimize_for_decoding` takes them.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._of_mkl: DerivedCache[AnyModule] = DerivedCache()
        self._of_onednn: DerivedCache[AnyModule] = DerivedCache()
        self._threads = 0

    def get(self, module: AnyModule, *, rows: int) -> AnyModule:
        """Return a view of a module for steps of so many rows, or of those that are expected."""
        expected = _EXPECTED.get()
        if expected is None:
            return self._get(module, rows)
        if id(module) not in expected.views:
            expected.views[id(module)] = self._get(module, max(rows, expected.rows))
        return cast("AnyModule", expected.views[id(module)])

    def _get(self, module: AnyModule, rows: int) -> AnyModule:
        weight = next(module.parameters(), None)
        if weight is None or not can_copy(weight) or by_reference():
            return optimize_for_decoding(module, self._places, rows=rows)
        threads = threads_of_mkl(rows)
        if threads == 0:
            return self._of_onednn.get(module, lambda: self._made(module, rows))
        if threads != self._threads:  # the weights are split for another number of them
            self._of_mkl.clear()
            self._threads = threads
        return self._of_mkl.get(module, lambda: self._made(module, rows))

    def _made(self, module: AnyModule, rows: int) -> AnyModule:
        # It must serve who steps outside of inference mode as well.
        with torch.inference_mode(False), torch.no_grad():
            view = optimize_for_decoding(module, self._places, rows=rows)
            move_to_huge_pages(view)
        # The module has these views; in a circle their memory would wait for the collector.
        for name in [name for name, value in vars(view).items() if value is self]:
            del vars(view)[name]
        return view


def optimize_for_decoding(module: AnyModule, places: Places, *, rows: int) -> AnyModule:
    """Return a view of a module whose linear layers are laid out for steps of so many rows.

    All else is shared with the module. Layers of another kind, with weights of a special kind or
    with hooks stay as they are, and so does what has other layers than those named.

    Args:
        module: What decodes step by step.
        places: Where layers stand that are called in a step, and of which nothing else is asked:
            the path of a module (``layers.*.attention``; empty: of `module` itself) and the names
            of its layers. Those in one group have the same input and are called by
            `side_by_side`; they become one.
        rows: Rows of the input, or the most of them.
    """
    if by_reference():
        return module
    view = with_children(module)
    for path, groups in places.items():
        for owner in _views_at(view, path.split(".") if path else []):
            for names in groups:
                layers = [owner._modules.get(name) for name in names]
                present = [layer for layer in layers if layer is not None]
                if len(present) == len(names):
                    prepared = prepare_for_decoding(present, rows=rows)
                    owner._modules.update(zip(names, prepared, strict=True))
    return view


def _views_at(view: nn.Module, path: Sequence[str]) -> Iterator[nn.Module]:
    """Yield what stands at a path, putting views in the place of all modules on the way."""
    if not path:
        yield view
        return
    for name, child in list(view._modules.items()):
        if child is not None and path[0] in ("*", name):
            inner = view._modules[name] = with_children(child)
            yield from _views_at(inner, path[1:])


def prepare_for_decoding(layers: Sequence[nn.Module], *, rows: int) -> list[nn.Module | None]:
    """Return what is called in the place of layers over one input.

    That is one for all of them and None for the rest, or the layers themselves where they cannot be
    one: they are of several kinds, without bias, have weights of a special kind or hooks.

    Args:
        layers: One, or several.
        rows: Rows of the input, or the most of them.
    """
    fused = _fused(layers, rows)
    return list(layers) if fused is None else [fused, *[None] * (len(layers) - 1)]


def _fused(layers: Sequence[nn.Module], rows: int) -> nn.Module | None:
    if len(layers) > 1 and any(getattr(layer, "bias", None) is None for layer in layers):
        return None
    linears = [layer for layer in layers if is_unmodified_linear(layer)]
    if len(linears) == len(layers):
        return _fused_linears(linears, rows)
    if len(layers) == 1:
        return None
    eights = [layer for layer in layers if isinstance(layer, Int8Linear)]
    halves = [layer for layer in layers if isinstance(layer, Float16Linear)]
    if len(eights) == len(layers):
        return Int8Linear.fuse(eights)
    return Float16Linear.fuse(halves) if len(halves) == len(layers) else None


def _fused_linears(layers: Sequence[nn.Linear], rows: int) -> nn.Module:
    copied = all(can_copy(layer.weight) for layer in layers)
    dtype = layers[0].weight.dtype
    threads = threads_of_mkl(rows) if copied and dtype is torch.float32 else 0
    if copied and threads == 0 and cpu.packs(dtype):
        return PackedLinear(layers)
    outputs, inputs = sum(layer.out_features for layer in layers), layers[0].in_features
    if threads > 0 and outputs * inputs >= SMALL:
        if threads > 1:
            return SplitLinear(layers, parts=parts_for(outputs, threads))
        return FusedLinear(layers, by_columns=outputs >= inputs)
    return layers[0] if len(layers) == 1 else FusedLinear(layers)


def move_to_huge_pages(module: nn.Module) -> None:
    """Put the weights that MKL reads inside a module, one after the other, into huge pages."""
    fused = [each for each in module.modules() if isinstance(each, FusedLinear | SplitLinear)]
    copies = copy_to_huge_pages([each.weight for each in fused])
    for each, weight in zip(fused, copies, strict=True):
        each.weight = weight


def with_children(module: AnyModule, **children: nn.Module | None) -> AnyModule:
    """Return a view of a module with some children replaced; all else is shared with it."""
    view = copy.copy(module)
    vars(view)["_modules"] = {**module._modules, **children}
    return view
