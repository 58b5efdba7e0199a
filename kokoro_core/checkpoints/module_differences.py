"""Whether a model is made of the modules that its spec describes, place by place."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from kokoro_core.tensors.compiled import original_name


def module_differences(described: nn.Module, model: nn.Module) -> Iterator[str]:
    """Yield a line for each place where a model has another module than it is described with.

    Equal tensors are no proof: a subclass of a layer may compute something else of them. Of nested
    differences only the outermost is told, and a module that only one of both has only where it
    holds no tensor that would tell. What `torch.compile` wrapped counts as its original, and a
    parametrized layer as what it was, since its tensors have other names.

    Args:
        described: The model as it is built from its spec; its tensors may be on the meta device.
        model: The model as it is.
    """
    wanted, found = _modules(described), _modules(model)
    told: set[str] = set()
    for path in [*wanted, *(path for path in found if path not in wanted)]:
        if path.rpartition(".")[0] in told:
            told.add(path)
        elif (line := _difference(path, wanted.get(path), found.get(path))) is not None:
            told.add(path)
            yield from [line] if line else []


def _modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return each module by its path, shared ones at each; an original comes after its wrapper."""
    named = model.named_modules(remove_duplicate=False)
    return {original_name(path): module for path, module in named}


def _difference(path: str, wanted: nn.Module | None, found: nn.Module | None) -> str | None:
    """Return a line, an empty one where the names of tensors tell it, or None for no difference."""
    if wanted is None or found is None:
        only = wanted or found
        assert only is not None
        if only.state_dict():
            return ""
        where = "is missing" if found is None else "is not in the spec's model"
        return f"`{path}` (`{type(only).__name__}`) {where}"
    kind, other = type_before_parametrizations(wanted), type_before_parametrizations(found)
    if _full_name(kind) == _full_name(other):
        return None
    namesakes = kind.__name__ == other.__name__
    shown = [_full_name(each) if namesakes else each.__name__ for each in (other, kind)]
    return f"`{path}` is a `{shown[0]}`, not a `{shown[1]}`"


def _full_name(kind: type) -> str:
    """Return what a class is called, which stays when it is defined anew, as in a notebook."""
    return f"{kind.__module__}.{kind.__qualname__}"
