"""The acoustic model: assembled from a spec, fed with checked inputs, weighed by its losses.

Importing this package imports no torch; what is used of it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kokoro_core.model.acoustic import AcousticModel
    from kokoro_core.model.assembly import assemble
    from kokoro_core.model.batch import TrainingBatch
    from kokoro_core.model.losses import training_losses
    from kokoro_core.model.output import ModelOutput

_HOMES = {
    "AcousticModel": "acoustic",
    "ModelOutput": "output",
    "TrainingBatch": "batch",
    "assemble": "assembly",
    "training_losses": "losses",
}

__all__ = ["AcousticModel", "ModelOutput", "TrainingBatch", "assemble", "training_losses"]


if not TYPE_CHECKING:  # a type checker would take it to have every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module `kokoro_core.model` has no attribute `{name}`")
        return getattr(import_module(f"kokoro_core.model.{_HOMES[name]}"), name)
