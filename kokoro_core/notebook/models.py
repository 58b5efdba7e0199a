"""A spec and a model as HTML: the picture of the parts, and what each of them costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kokoro_core.notebook.html import paragraph, table, unfolding
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.graph import model_graph
from kokoro_core.spec.views.picture import svg
from registry import ComponentRegistry, installed_plugins


def spec_html(spec: ModelSpec) -> str:
    """Return a spec as HTML; torch is not imported.

    Args:
        spec: The spec; its components are named as the installed plugins name them.
    """
    return paragraph(spec.name, strong=True) + _graph(spec, installed_plugins().components)


def model_html(spec: ModelSpec, info: Mapping[str, Any], components: ComponentRegistry) -> str:
    """Return a model as HTML.

    Args:
        spec: Its spec.
        info: As `KokoroModel.get_model_info` returns it.
        components: Where the names of its components come from.
    """
    size = f"{info['total_parameters']:,} parameters, {info['model_size_mb']:.1f} MB"
    names = {each["path"]: each["name"] for each in info["components"]}
    rows = [
        (slot, names.get(slot, ""), f"{part['parameters']:,}")
        for slot, part in info["slots"].items()
    ]
    return (
        paragraph(f"{spec.name}: {size}", strong=True)
        + table(("part", "component", "parameters"), rows)
        + unfolding("Parts, and what flows between them", _graph(spec, components))
    )


def _graph(spec: ModelSpec, components: ComponentRegistry) -> str:
    """Return the picture of a spec; what is wrong with a spec whose parts do not fit together."""
    try:
        return svg(model_graph(spec, components), f"The parts of {spec.name}")
    except SpecError as error:
        return paragraph(str(error))
