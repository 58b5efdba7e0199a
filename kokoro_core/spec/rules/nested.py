"""The sizes that each component of a spec is told, those inside others included.

A component that sets a width of its own has that one. Any other has what its owner says that it
builds it with, by `ComponentParams.sizes_of`; an owner that says nothing hands its own sizes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import methodcaller

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to, returned
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import VECTORS
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.rules.accessed_fields import accessed_fields
from kokoro_core.spec.tree.walk import inner_components


@dataclass(frozen=True)
class Told:
    """A component and the sizes that it is told.

    Attributes:
        path: Where it stands.
        component: Its settings.
        sizes: What it is built with.
        causes: The places that decide the sizes.
    """

    path: Path
    component: ComponentParams
    sizes: Sizes
    causes: tuple[Path, ...]


def with_inner(outer: Told) -> Iterator[Told]:
    """Yield a component and all inside it, outer ones first.

    Raises:
        ComponentFailure: A component raised, or returned something else than sizes.
    """
    yield outer
    for path, component in inner_components(outer.component, outer.path):
        yield from with_inner(_told_by(outer, path, component))


def _told_by(outer: Told, path: Path, component: ComponentParams) -> Told:
    field = str(path[len(outer.path)])
    with attribute_errors_to(outer.component, outer.path, "sizes_of"):
        sizes = outer.component.sizes_of(field, outer.sizes)
    if not isinstance(sizes, Sizes):
        what = returned(sizes, "`Sizes`, from `sizes_of`")
        raise ComponentFailure(outer.path, owner_of(type(outer.component)), what)
    own = own_width(component)
    if own is not None:
        sizes = replace(sizes, hidden_dim=getattr(component, own))
        return Told(path, component, sizes, ((*path, own),))
    read = accessed_fields(outer.component, methodcaller("sizes_of", field, outer.sizes))
    decided_by = ((*outer.path, each) for each in sorted(read))
    return Told(path, component, sizes, (*outer.causes, (*outer.path, "type"), *decided_by))


def own_width(component: ComponentParams) -> str | None:
    """Return the field in which a component sets the width of its vectors itself, or None."""
    for ports in (component.takes, component.gives):
        for port, field in ports.items():
            known = port in VECTORS and field in type(component).model_fields
            if known and getattr(component, field) is not None:
                return field
    return None
