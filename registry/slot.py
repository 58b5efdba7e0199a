"""A slot: a typed, named place that a component can fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Slot(Generic[T]):
    """A typed key: ``name`` as in a spec, ``base`` the class that its components derive from.

    The type parameter makes look-ups precise: ``registry.get(ENCODER, "transformer")`` is a
    ``type[EncoderParams]`` to a type checker.
    """

    name: str
    base: type[T]


ComponentClass = type[Any]
"""A params class; its ``slot`` and ``component_name`` are checked at registration."""
