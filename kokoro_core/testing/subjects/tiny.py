"""Small configurations of a component, to be tried a thousand times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from kokoro_core.params.component import ComponentParams
from registry import ComponentRegistry, installed_plugins

SMALL: Mapping[str, Any] = {
    "num_layers": 2,
    "num_heads": 2,
    "ff_dim": 20,
    "channels": 8,
    "kernel_size": 3,
    "max_len": 64,
}
"""What settings of usual names are made, unless `tiny` says another value or the field refuses."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


def tiny_params(
    kind: type[ComponentParams], registry: ComponentRegistry | None = None
) -> dict[str, ComponentParams]:
    """Return the small configurations of a component by variant.

    Raises:
        ValidationError: `tiny` gives settings that the component refuses.
    """
    return {
        variant: shrunk(params, kind.tiny()[variant])
        for variant, params in said_params(kind, registry).items()
    }


def said_params(
    kind: type[ComponentParams], registry: ComponentRegistry | None = None
) -> dict[str, ComponentParams]:
    """Return by variant the settings of `tiny` and nothing made small yet.

    Raises:
        ValidationError: `tiny` gives settings that the component refuses.
    """
    known = installed_plugins().components if registry is None else registry
    return {
        variant: kind.model_validate(
            {"type": kind.component_name, **settings}, context={"registry": known}
        )
        for variant, settings in kind.tiny().items()
    }


def shrunk(params: ComponentParams, keep: Mapping[str, Any] = NOTHING) -> ComponentParams:
    """Return the params with the settings of usual names made small and no dropout.

    Args:
        params: The settings.
        keep: What the author said, as `tiny` says it: those settings stay as they are, and of a
            nested mapping those that it names.
    """
    small: ComponentParams = _changed(params, _small, keep)
    return small


def _small(name: str) -> Any:
    return 0.0 if name.endswith("dropout") else SMALL.get(name)


def with_dropout(params: Any, share: float) -> Any:
    """Return the params with all settings set whose names end with ``dropout``, nested ones too."""
    return _changed(params, lambda name: share if name.endswith("dropout") else None)


def has_dropout(params: BaseModel) -> bool:
    """Return whether there is a setting whose name ends with ``dropout``."""
    return bool(with_dropout(params, 0.0) != with_dropout(params, 0.5))


def _changed(params: Any, wanted: Callable[[str], Any], keep: Mapping[str, Any] = NOTHING) -> Any:
    """Return a model with the fields changed that `wanted` gives a value for, at every depth."""
    for name in type(params).model_fields:
        old, said = getattr(params, name), keep.get(name, NOTHING)
        if name in keep and not isinstance(said, Mapping):
            continue
        new = _changed(old, wanted, said) if isinstance(old, BaseModel) else wanted(name)
        if new is not None and new != old and type(new) is type(old):
            params = _with(params, name, new)
    return params


def _with(params: Any, name: str, value: Any) -> Any:
    """Return the model with a field changed, or as it is if the field refuses the value."""
    values = {each: getattr(params, each) for each in type(params).model_fields}
    try:
        return type(params).model_validate({**values, name: value})
    except ValidationError:
        return params


def one_line(error: Exception) -> str:
    """Return what an error says on one line, each wrong setting with its name."""
    if isinstance(error, ValidationError):
        wrong = [
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}"
            for each in error.errors(include_url=False, include_context=False)
        ]
        return "; ".join(wrong)
    return " ".join(f"{type(error).__name__}: {error}".split())
