"""Modules that have another place now, found under their old names for one release.

What docs or scaffolded plugins named may be imported from the old place, with a warning that says
the new one. Nothing here is asked for a module that exists.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

MOVED: dict[str, tuple[str, ...]] = {
    "kokoro_core.activations": ("kokoro_core.cost.live_bytes",),
    "kokoro_core.compute": ("kokoro_core.cost.estimate",),
    "kokoro_core.durations": ("kokoro_core.tensors.durations",),
    "kokoro_core.losses": ("kokoro_core.model.losses",),
    "kokoro_core.masks": ("kokoro_core.tensors.masks",),
    "kokoro_core.nn.dropout": ("kokoro_core.kernels.dropout",),
    "kokoro_core.nn.linear": ("kokoro_core.kernels.linear",),
    "kokoro_core.noise": ("kokoro_core.tensors.noise",),
    "kokoro_core.outer_contracts": ("kokoro_core.contracts", "kokoro_core.errors"),
    "kokoro_core.pytest_plugin": ("kokoro_core.testing.pytest_support.plugin",),
    "kokoro_core.pytree": ("kokoro_core.tensors.pytree",),
    "kokoro_core.shadowing": ("kokoro_core._shadowing",),
    "kokoro_core.spec.audio": ("kokoro_core.params.audio",),
    "kokoro_core.spec.capabilities": ("kokoro_core.params.capabilities",),
    "kokoro_core.spec.model_spec": ("kokoro_core.spec.tree.model_spec",),
    "kokoro_core.spec.params": ("kokoro_core.params.component",),
    "kokoro_core.spec.plain": ("kokoro_core.spec.tree.dump",),
    "kokoro_core.spec.reference": ("kokoro_core.spec.views.reference",),
    "kokoro_core.spec.reference_page": ("kokoro_core.spec.views.reference_page",),
    "kokoro_core.spec.scalars": ("kokoro_core.spec.text.scalars",),
    "kokoro_core.spec.sizes": ("kokoro_core.params.sizes",),
    "kokoro_core.testing.counting": ("kokoro_core.testing.subjects.counting",),
    "kokoro_core.testing.reference_page": ("kokoro_core.testing.engine.reference_page",),
    "kokoro_core.testing.strategies": ("kokoro_core.testing.data.strategies",),
    "kokoro_plugins.training.data_module": ("kokoro_plugins.training.data.data_module",),
    "kokoro_plugins.training.schedule": ("kokoro_plugins.training.loop.schedule",),
    "registry.api": ("registry.guard.api_version",),
}
"""Old module → the modules that have its names now."""

RENAMED: dict[str, str] = {"kokoro_core.spec.plain.to_plain": "dump"}
"""Names that another name has now in the new place: ``old module.name`` → new name."""


def find_moved_modules() -> None:
    """Let Python ask this file after all other finders; once is enough."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, _Moved()) if fullname in MOVED else None


class _Moved(Loader):
    def get_code(self, fullname: str) -> CodeType:
        """Return what ``python -m`` runs for an old name: the module in its new place."""
        run = f"import runpy; runpy.run_module({MOVED[fullname][0]!r}, run_name='__main__')"
        return compile(run, fullname, "exec")

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with one function that looks its names up in the new places."""
        old = module.__name__
        places = MOVED[old]
        warnings.warn(
            f"`{old}` is `{'` and `'.join(places)}` now; the old name goes with the next release.",
            DeprecationWarning,
            stacklevel=2,
        )

        def look_up(name: str) -> Any:
            if name == "__all__":  # of `from … import *`
                faces = [vars(import_module(place)) for place in places]
                return sorted({each for face in faces for each in face if each[0] != "_"})
            for place in map(import_module, places):
                if hasattr(place, new := RENAMED.get(f"{old}.{name}", name)):
                    return getattr(place, new)
            raise AttributeError(f"module `{old}`, now `{places[0]}`, has no attribute `{name}`")

        module.__dict__["__getattr__"] = look_up
