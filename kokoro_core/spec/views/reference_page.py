"""The page ``docs/components.md``: every setting of a spec, from the params models themselves.

``python -m kokoro_core.spec.views.reference_page > docs/components.md`` renews it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from kokoro_core.params.component import ComponentParams
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.reference import description_of, fields_of
from registry import Plugins, installed_plugins
from registry.names import BUILT_IN_DISTRIBUTION

_HEAD = """\
# Settings of a spec and its components

Every setting with its type, default and bounds, for what is in the box. This page is made from the
settings' own classes; `python -m kokoro_core.spec.views.reference_page > docs/components.md`
renews it.
`kokoro-core describe NAME` prints the same for a component of any installed plugin; what the parts
of a spec are for is in the [Spec reference](spec.md).
"""


def reference_page(plugins: Plugins, distribution: str = BUILT_IN_DISTRIBUTION) -> str:
    """Return Markdown with the settings of a spec and of a distribution's components, by slot."""
    listed = [each for each in plugins.components if each.distribution == distribution]
    lines = [_HEAD, "## The spec", "", *_settings(ModelSpec)]
    for slot in sorted({each.slot for each in listed}):
        lines += [f"## `{slot}`", ""]
        members = [each for each in listed if each.slot == slot]
        for each in sorted(members, key=lambda member: member.qualified_name):
            lines += [f"### `{each.qualified_name}`", "", description_of(each.component), ""]
            lines += _settings(each.component)
    return "\n".join(lines).rstrip() + "\n"


def _settings(model: type[BaseModel]) -> Iterator[str]:
    """Yield the table of a model's fields, and those of the sections among them."""
    fields = [each for each in fields_of(model) if not _is_name(model, each["name"])]
    if not fields:
        yield "It has no settings.\n"
        return
    yield "| setting | type | default | must be | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for each in fields:
        default = "required" if each["required"] else f"`{_shown(each['default'])}`"
        cells = f"`{each['name']}`", each["type"], default, each["constraints"], each["description"]
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
    yield ""
    for name, section in _sections(model):
        yield f"`{name}`: {description_of(section)}\n"
        yield from _settings(section)


def _is_name(model: type[BaseModel], field: str) -> bool:
    """Return whether a field is the name of the component, which is no setting."""
    return field == "type" and issubclass(model, ComponentParams)


def _sections(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the fields that are mappings of their own, and no components, with their models."""
    for name, field in model.model_fields.items():
        for each in (field.annotation, *get_args(field.annotation)):
            is_model = isinstance(each, type) and issubclass(each, BaseModel)
            if is_model and not issubclass(each, ComponentParams):
                yield name, each


def _shown(value: Any) -> str:
    """Return a default as a spec writes it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_shown(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(reference_page(installed_plugins()), end="")
