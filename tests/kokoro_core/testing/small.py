"""The configurations that `tiny` declares, made small."""

from __future__ import annotations

from kokoro_core.params.component import ComponentParams
from kokoro_core.testing.subjects.tiny import declared_params, shrunk


def tiny_params(kind: type[ComponentParams]) -> dict[str, ComponentParams]:
    """Return the small configurations of a component by variant."""
    declared, keep = declared_params(kind), kind.tiny()
    return {variant: shrunk(params, keep[variant]) for variant, params in declared.items()}
