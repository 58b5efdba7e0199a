"""What differs between two specs: between what they mean, not how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kokoro_core.spec.problems.problem import Path, dotted
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve
from registry import Plugins


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        path: The dotted path.
        kind: ``value``; ``component``: another one, or one that only one of the specs has, its
            settings are not compared; ``added`` and ``removed``: a key of a mapping such as
            ``plugins``.
        old: The value of the first spec, of a component its name.
        new: The value of the second.
    """

    path: str
    kind: Literal["value", "component", "added", "removed"]
    old: Any
    new: Any

    def as_dict(self) -> dict[str, Any]:
        """Return the change as values that JSON has."""
        return {"path": self.path, "kind": self.kind, "old": self.old, "new": self.new}


def diff_specs(old: ModelSpec, new: ModelSpec, plugins: Plugins) -> list[Change]:
    """Return the differences of two specs, defaults and inherited widths included.

    Raises:
        SpecError: Widths do not meet.
        UnknownComponent: A component is of no plugin.
    """
    first, second = (resolve(each, plugins)["spec"] for each in (old, new))
    return list(_changes(first, second, ()))


def _changes(old: Any, new: Any, path: Path) -> Iterator[Change]:
    if _is_component(old) or _is_component(new):
        names = [each["type"] if _is_component(each) else each for each in (old, new)]
        if names[0] != names[1]:
            yield Change(dotted(path), "component", *names)
            return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _changes_of_keys(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        if not any(isinstance(each, Mapping) for each in [*old, *new]):
            yield from _change_of_value(old, new, path)
            return
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(*pair, (*path, index))
    else:
        yield from _change_of_value(old, new, path)


def _changes_of_keys(
    old: Mapping[str, Any], new: Mapping[str, Any], path: Path
) -> Iterator[Change]:
    for key in [*old, *(each for each in new if each not in old)]:
        inner = (*path, key)
        if key not in new:
            yield Change(dotted(inner), "removed", old[key], None)
        elif key not in old:
            yield Change(dotted(inner), "added", None, new[key])
        else:
            yield from _changes(old[key], new[key], inner)


def _change_of_value(old: Any, new: Any, path: Path) -> Iterator[Change]:
    if old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Change(dotted(path), "value", old, new)


def _is_component(value: Any) -> bool:
    return isinstance(value, Mapping) and "type" in value
