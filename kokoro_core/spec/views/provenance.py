"""Where each value of a resolved spec comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import PORTS
from kokoro_core.spec.problems.problem import Path, Position, dotted
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import has_at, value_at

Kind = Literal["file", "override", "default", "inherited"]


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: ``file`` (or the mapping) that the author wrote, ``override``, ``default`` of the
            params class, or ``inherited``: a width that was left out.
        where: The file or named spec, the override as it was written, or the setting that the
            width is taken from; empty for a default.
        position: Where the value stands in a file.
    """

    kind: Kind
    where: str
    position: Position | None = None

    def __str__(self) -> str:
        if self.kind == "file" and self.position is not None:
            return f"{self.where}:{self.position.line}"
        if self.kind in ("file", "override"):
            return self.where
        return f"inherited from {self.where}" if self.kind == "inherited" else "default"

    def as_dict(self) -> dict[str, Any]:
        """Return the origin as values that JSON has."""
        return asdict(self)


def provenance(document: Document, spec: ModelSpec, plain: Mapping[str, Any]) -> dict[str, Origin]:
    """Return the origin of every leaf of a resolved spec, by its dotted path.

    Args:
        document: What the author wrote, overrides included.
        spec: The checked spec of that document.
        plain: The same, as `resolve` writes it.
    """
    return {dotted(path): _origin(path, document, spec) for path, _ in leaves(plain)}


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each value that is no mapping with keys; a list is one unless it holds mappings."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    else:
        yield path, value


def _origin(path: Path, document: Document, spec: ModelSpec) -> Origin:
    source = _inherited_from(path, document, spec)
    if source is not None:
        return Origin("inherited", source)
    if not has_at(document.value, path):
        return Origin("default", "")
    for end in range(len(path), -1, -1):
        if path[:end] in document.origins:
            return Origin("override", document.origins[path[:end]])
    position = document.values.get(path)
    if position is None and document.values:
        return Origin("default", "")  # an override went into a component that the file leaves out
    return Origin("file", document.source, position)


def _inherited_from(path: Path, document: Document, spec: ModelSpec) -> str | None:
    """Return the spec's width that a component takes at a path because it sets none, or None."""
    if len(path) != 2 or value_at(document.value, path) is not None:
        return None
    component, field = getattr(spec, str(path[0])), str(path[1])
    if not isinstance(component, ComponentParams) or getattr(component, field, None) is None:
        return None
    ports = {each: port for port, each in {**component.gives, **component.takes}.items()}
    if field not in ports or type(component).model_fields[field].default is not None:
        return None
    return PORTS[ports[field]].width
