"""Resolve the name of what is to be checked: a component, a plugin, a spec or a class."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import PartParams
from kokoro_core.spec.load import load
from kokoro_core.spec.naming import SPEC_PREFIX, is_named_spec, spec_source, specs_of_name
from kokoro_core.spec.pydantic_errors import said_of_settings
from kokoro_core.spec.rules.dimensions import component_sizes
from kokoro_core.spec.rules.limits import excess_of
from kokoro_core.spec.rules.nested import Told, with_inner
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import inner_components
from kokoro_core.testing.checks import checks_of
from kokoro_core.testing.engine.component import Target
from kokoro_core.testing.subjects.fitting import fitted
from kokoro_core.testing.subjects.importable import import_class
from kokoro_core.testing.subjects.model_subject import small_model, without_width
from kokoro_core.testing.subjects.subject import SIZES
from registry import Plugins, Registration
from registry.text import suggestion

_CLASS = re.compile(r".+:[A-Za-z_][\w.]*")

Note = Callable[[str], None]


def targets_named(text: str, plugins: Plugins, note: Note = lambda _: None) -> list[Target]:
    """Return what a text names.

    In this order: ``module:Class`` or ``file.py:Class``; ``spec/`` with a named spec or a file;
    ``slot/name``; ``plugin/`` with all of a plugin; ``name`` or ``plugin/name`` in any slot; a
    plugin; a spec file or a named spec.

    Args:
        text: The name.
        plugins: Where names are looked up.
        note: Receives what else a name could mean, and which components have no checks.

    Raises:
        ValueError: It names nothing, or nothing that has checks.
    """
    if _CLASS.fullmatch(text):
        return [_params_class(text)]
    if text.endswith(".py"):
        raise ValueError(f"`{text}` is a file of Python; name a params class in it: {text}:CLASS.")
    if text.startswith(SPEC_PREFIX):
        return spec_targets(load(spec_source(text), (), plugins, note=note), text)
    found = _components(text, plugins)
    if found:
        for other in _other_meanings(text, found, plugins):
            note(other)
        return _with_checks(text, found, note)
    if is_named_spec(text, plugins) or Path(text).is_file():
        return spec_targets(load(text, (), plugins, note=note), text)
    known = [*{each.name for each in plugins.components}, *plugins.specs]
    known += [each.name for each in plugins.records]
    missing = plugins.not_loaded(text)
    hint = "" if text in known else suggestion(text, known)
    more = f"; {missing};" if missing else hint or ";"
    raise ValueError(
        f"`{text}` is not a component, plugin or spec{more} a component is named as "
        f"encoder/transformer or transformer, a class as acme.params:AcmeParams or "
        f"acme.py:AcmeParams."
    )


def _other_meanings(text: str, found: list[Registration], plugins: Plugins) -> Iterator[str]:
    """Yield the other meanings of a name that was taken for components, and how to write them."""
    are_of_name = any(text in (each.name, each.qualified_name) for each in found)
    if are_of_name and any(each.name == text for each in plugins.records):
        yield f"`{text}` is a plugin too; `{text}/` means all of its components"
    yield from specs_of_name(text, plugins)


def _params_class(text: str) -> type[ComponentParams]:
    found = import_class(text)
    if not (isinstance(found, type) and issubclass(found, ComponentParams)):
        raise ValueError(f"`{text}` is no params class; it must derive from a slot's base class.")
    if found.component_name is None:
        raise ValueError(f"`{text}` is not a component: its `type` has no name as default.")
    return found


def _components(text: str, plugins: Plugins) -> list[Registration]:
    """Return the components that a name refers to: of a slot, of a plugin, or by their own name."""
    slot, _, name = text.partition("/")
    every = sorted(plugins.components, key=lambda each: (each.slot, each.qualified_name))
    if slot in plugins.components.slots() and name:
        return [plugins.components.find(slot, name)]
    if slot in plugins.components.slots():
        return [each for each in every if each.slot == slot]
    named = [each for each in every if text in (each.name, each.qualified_name)]
    return named or [each for each in every if each.plugin == text.removesuffix("/")]


def _with_checks(text: str, found: list[Registration], note: Note) -> list[Target]:
    """Return the components whose slots have checks.

    Raises:
        ValueError: None has.
    """
    checked: list[Target] = [each.component for each in found if checks_of(each.slot)]
    without = [f"{each.slot}/{each.name}" for each in found if not checks_of(each.slot)]
    if not checked:
        raise ValueError(f"`{text}`: no checks exist for {', '.join(without)}.")
    for each in without:
        note(f"no checks exist for {each}")
    return checked


def spec_targets(spec: ModelSpec, source: str = "") -> list[Target]:
    """Return the parts of a spec made small, nested ones too, and the whole model."""
    found: list[Target] = []
    for told in _parts_of(spec):
        params, path = told.component, told.path
        if checks_of(params.slot):
            variant = "" if path == (params.slot,) else ".".join(map(str, path))
            small = fitted(without_width(params), variant=variant, own_sizes=told.sizes)
            found.append(small)
    return [*found, small_model(spec, source)]


def _parts_of(spec: ModelSpec) -> Iterator[Told]:
    """Yield every component of a spec, nested ones too, with the sizes that it is built with."""
    for path, params in inner_components(spec):
        slot = str(path[0])
        sizes = component_sizes(spec, slot)
        yield from with_inner(Told(path, params, sizes, ()))


def params_of(kind: type[ComponentParams], settings: str, plugins: Plugins) -> ComponentParams:
    """Return the params of a class with the settings of a JSON text.

    Raises:
        ValueError: A setting is wrong; the message has all of them in one line. Or the component
            is larger than a spec may make one.
    """
    try:
        made = kind.model_validate_json(settings, context={"registry": plugins.components})
    except ValidationError as error:
        known = list(kind.model_fields)
        wrong = [said_of_settings(each, known) for each in error.errors(include_url=False)]
        raise ValueError(
            f"The {kind.slot} `{kind.component_name}` refuses {'; '.join(wrong)}."
        ) from None
    if isinstance(made, PartParams):
        found = [each.message for each in excess_of({kind.slot: made.size(SIZES)})]
        if found:
            raise ValueError(f"The {kind.slot} `{kind.component_name}`: {'; '.join(found)}.")
    return made
