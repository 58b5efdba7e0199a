"""Whether a layer is nothing but its weights, so that they may be used without calling it."""

from __future__ import annotations

from typing import TypeGuard

from torch import nn

from kokoro_core.kernels.linear import Linear, is_plain


def is_unmodified_linear(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Return whether a layer's weights may be used without calling it: nobody would miss the call.

    An adapter in its place, weights of a special kind and hooks need the call.
    """
    return (
        isinstance(layer, nn.Linear)
        and type(layer) in (nn.Linear, Linear)
        and is_plain(layer.weight)
        and not is_watched(layer)
    )


def is_watched(module: nn.Module) -> bool:
    """Return whether something besides a module's own class has a say in its calls."""
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks) or "forward" in vars(module)
