"""What the settings of a model's parts say of export, before anything is traced."""

from __future__ import annotations

from kokoro_core.errors import ExportError
from kokoro_core.spec.rules.wiring import parts_of
from kokoro_core.spec.tree.model_spec import ModelSpec

NOT_SPEAKING = frozenset({"aligner"})
"""Slots whose components work in training alone, so that no graph has them."""


def refuse_declared(spec: ModelSpec) -> None:
    """Refuse a model with a part that speaks and declares that it cannot be exported.

    Raises:
        ExportError: It names the part, and what keeps it from being exported where it says so.
    """
    for place, part in parts_of(spec).items():
        said = part.capabilities
        if part.slot in NOT_SPEAKING or said.exportable is not False:
            continue
        because = f", because {said.export_obstacle}" if said.export_obstacle else ""
        raise ExportError(
            f"`{place}` (`{part.type}`) cannot be exported{because}: its settings declare "
            f"`exportable=False`. Nothing was written; the checkpoint speaks all the same."
        )
