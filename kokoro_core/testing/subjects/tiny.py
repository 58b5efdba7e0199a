"""Settings made small, so that a component can be tried a thousand times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from kokoro_core.params.component import ComponentParams
from registry import installed_plugins

SMALL: Mapping[str, Any] = {
    "num_layers": 2,
    "num_heads": 2,
    "ff_dim": 20,
    "channels": 8,
    "kernel_size": 3,
    "max_len": 64,
}
"""Values for settings of common names, unless `tiny` gives another or the field refuses them."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


def declared_params(kind: type[ComponentParams]) -> dict[str, ComponentParams]:
    """Return the settings that `tiny` declares by variant, not yet made small.

    Raises:
        ValidationError: `tiny` declares settings that the component refuses.
    """
    context = {"registry": installed_plugins().components}
    return {
        variant: kind.model_validate({"type": kind.component_name, **settings}, context=context)
        for variant, settings in kind.tiny().items()
    }


def shrunk(params: ComponentParams, keep: Mapping[str, Any] = NOTHING) -> ComponentParams:
    """Return the params without dropout, and with the settings of common names made small.

    Args:
        params: The settings.
        keep: Settings that stay as they are, in the form of `tiny`: all that it names, and of a
            nested mapping those that the mapping names.
    """
    small: ComponentParams = _changed(
        params, lambda name: 0.0 if name.endswith("dropout") else SMALL.get(name), keep
    )
    return small


def with_dropout(params: Any, share: float) -> Any:
    """Return the params with each setting whose name ends with ``dropout`` set, at every depth."""
    return _changed(params, lambda name: share if name.endswith("dropout") else None)


def has_dropout(params: BaseModel) -> bool:
    """Return whether there is a setting whose name ends with ``dropout``."""
    return bool(with_dropout(params, 0.0) != with_dropout(params, 0.5))


def _changed(params: Any, wanted: Callable[[str], Any], keep: Mapping[str, Any] = NOTHING) -> Any:
    """Return a model with the fields changed for which `wanted` gives a value, at every depth."""
    for name in type(params).model_fields:
        old, said = getattr(params, name), keep.get(name, NOTHING)
        if name in keep and not isinstance(said, Mapping):
            continue
        new = _changed(old, wanted, said) if isinstance(old, BaseModel) else wanted(name)
        if new is not None and new != old and type(new) is type(old):
            params = _with(params, name, new)
    return params


def _with(params: Any, name: str, value: Any) -> Any:
    """Return the model with a field changed, or unchanged if the field refuses the value."""
    values = {each: getattr(params, each) for each in type(params).model_fields}
    try:
        return type(params).model_validate({**values, name: value})
    except ValidationError:
        return params


def one_line(error: Exception) -> str:
    """Return an error's message on one line, with the name of each wrong setting."""
    if isinstance(error, ValidationError):
        wrong = [
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}"
            for each in error.errors(include_url=False, include_context=False)
        ]
        return "; ".join(wrong)
    return " ".join(f"{type(error).__name__}: {error}".split())
