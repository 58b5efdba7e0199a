"""Resolve a spec: write every default, every inherited width, the origin of each part."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel

from kokoro_core.spec.problems.problem import dotted
from kokoro_core.spec.rules.dimensions import solve_dimensions
from kokoro_core.spec.tree.dump import dump
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in
from registry import Plugins, installed_plugins
from registry.errors import UnknownComponent


def resolve(spec: ModelSpec, plugins: Plugins | None = None) -> dict[str, Any]:
    """Return a spec in full, as values that JSON has.

    ``load_spec(resolve(spec)["spec"])`` is the spec with its widths solved.

    Args:
        spec: The spec.
        plugins: Where its components come from; None: the installed plugins.

    Returns:
        ``spec``: the document with qualified names; ``components``: for each component its path,
        slot, qualified name, plugin, distribution and version.

    Raises:
        SpecError: Widths do not meet.
        UnknownComponent: A component is of no plugin, so no file can name it.
    """
    plugins = installed_plugins() if plugins is None else plugins
    solved = solve_dimensions(spec)
    components = component_sources(solved, plugins)
    return {"spec": dump(solved, plugins.components), "components": components}


def spec_hash(spec: ModelSpec, plugins: Plugins | None = None) -> str:
    """Return the SHA-256 of a resolved spec as canonical JSON, in hexadecimal digits.

    Specs that mean the same model have the same hash: in YAML and in JSON, whatever the order of
    the keys, with defaults written or left out. The section ``plugins`` and the versions of the
    components do not count.

    Raises:
        SpecError: Widths do not meet.
        UnknownComponent: A component is of no plugin.
    """
    plain = dict(resolve(spec, plugins)["spec"])
    del plain["plugins"]
    text = json.dumps(_without_minus_zero(plain), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_minus_zero(value: Any) -> Any:
    """Return plain values with 0.0 for -0.0, which is equal and written differently."""
    if isinstance(value, dict):
        return {key: _without_minus_zero(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_minus_zero(each) for each in value]
    return value + 0.0 if isinstance(value, float) else value


def component_sources(spec: BaseModel, plugins: Plugins) -> list[dict[str, str]]:
    """Return for each component in a spec or in a part of one, nested ones too, its origin.

    Raises:
        UnknownComponent: A component is of no plugin.
    """
    sources = []
    for path, component in components_in(spec):
        found = plugins.components.registration(type(component))
        if found is None:
            names = plugins.components.names(component.slot)
            raise UnknownComponent(component.slot, type(component).__name__, names)
        sources.append(
            {
                "path": dotted(path),
                "slot": found.slot,
                "name": found.qualified_name,
                "plugin": found.plugin,
                "distribution": found.distribution,
                "version": found.version,
            }
        )
    return sources
