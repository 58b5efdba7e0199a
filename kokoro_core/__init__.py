"""Kokoro: compose text-to-speech acoustic models from a spec file and plugins.

Importing this package imports no torch; each name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kokoro_core._moved import find_moved_modules
from kokoro_core._shadowing import explanation, import_ours

if TYPE_CHECKING:
    from kokoro_core.api import KokoroModel
    from kokoro_core.checkpoints.adapt import Adapt, vocabulary_by_symbol
    from kokoro_core.model.assembly import assemble
    from kokoro_core.params.audio import AudioSettings
    from kokoro_core.spec.load import load_spec
    from kokoro_core.spec.problems.problem import Problem, SpecError
    from kokoro_core.spec.tree.model_spec import ModelSpec
    from registry import hookimpl

_HOME = {
    "Adapt": "kokoro_core.checkpoints.adapt",
    "AudioSettings": "kokoro_core.params.audio",
    "KokoroModel": "kokoro_core.api",
    "ModelSpec": "kokoro_core.spec.tree.model_spec",
    "Problem": "kokoro_core.spec.problems.problem",
    "SpecError": "kokoro_core.spec.problems.problem",
    "assemble": "kokoro_core.model.assembly",
    "hookimpl": "registry",
    "load_spec": "kokoro_core.spec.load",
    "vocabulary_by_symbol": "kokoro_core.checkpoints.adapt",
}

__all__ = [
    "Adapt",
    "AudioSettings",
    "KokoroModel",
    "ModelSpec",
    "Problem",
    "SpecError",
    "assemble",
    "hookimpl",
    "load_spec",
    "vocabulary_by_symbol",
]

find_moved_modules()


if not TYPE_CHECKING:  # a type checker would take it to have every name

    def __getattr__(name: str) -> Any:
        """Import a public name from its home."""
        if name not in _HOME:
            raise AttributeError(f"`kokoro_core` has no `{name}`; it has {', '.join(__all__)}.")
        try:
            import_ours()
            return getattr(import_module(_HOME[name]), name)
        except Exception as error:
            if said := explanation(error):
                raise ImportError(said) from error
            raise


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
