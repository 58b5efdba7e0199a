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
        for variant, (settings, _) in _told(kind).items()
    }


def declared_sizes(kind: type[ComponentParams]) -> dict[str, Mapping[str, int]]:
    """Return by variant the sizes of the model that `tiny` declares beside settings."""
    return {variant: sizes for variant, (_, sizes) in _told(kind).items()}


def _told(kind: type[ComponentParams]) -> dict[str, tuple[dict[str, Any], Mapping[str, int]]]:
    """Return settings and sizes by variant; where ``sizes`` is a setting, it is no size."""
    told = {}
    for variant, settings in kind.tiny().items():
        own = dict(settings)
        sizes = {} if "sizes" in kind.model_fields else own.pop("sizes", {})
        told[variant] = own, sizes
    return told


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


def narrowed(params: ComponentParams) -> ComponentParams:
    """Return the params with no size larger than in the first configuration of `tiny`.

    Sizes are whole numbers, alone or in a list, which stays as long. How many frames a step makes
    is none: it is kept, since it changes what a model does. A `tiny` that cannot be read, which
    the checks of the component report, changes nothing.
    """
    narrow: ComponentParams = _narrowed(params, _first_told(type(params)))
    return narrow


def _first_told(kind: type[ComponentParams]) -> Mapping[str, Any]:
    try:
        told: Any = list(kind.tiny().values())
    except Exception:  # it is a stranger's
        return NOTHING
    return told[0] if told and isinstance(told[0], Mapping) else NOTHING


def _narrowed(params: Any, told: Mapping[str, Any]) -> Any:
    for name in type(params).model_fields:
        if name not in told or name == "reduction_factor":
            continue
        old, said = getattr(params, name), told[name]
        if isinstance(old, BaseModel) and isinstance(said, Mapping):
            same = said.get("type", getattr(old, "type", None)) == getattr(old, "type", None)
            new = _narrowed(old, said) if same else old
        else:
            new = _lesser(old, said)
        if new != old:
            params = _with(params, name, new)
    return params


def _lesser(old: Any, said: Any) -> Any:
    """Return a size, or each of a list of them, made no larger than what is said."""
    if type(old) is int and type(said) is int:
        return min(old, said)
    sizes = old if isinstance(old, (list, tuple)) else ()
    if sizes and isinstance(said, (list, tuple)) and {*map(type, (*sizes, *said))} == {int}:
        return type(old)(min(each, *said) for each in sizes)
    return old


def with_dropout(params: Any, share: float) -> Any:
    """Return the params with each setting whose name ends with ``dropout`` set, at every depth."""
    return _changed(params, lambda name: share if name.endswith("dropout") else None)


def with_positions(params: Any, most: int) -> Any:
    """Return the params with each setting `max_len` set, at every depth."""
    return _changed(params, lambda name: most if name == "max_len" else None)


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
