"""What a model consists of: parameters, bytes and the origin of each part."""

from __future__ import annotations

from typing import Any, TypedDict

from torch import nn

from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import filled_parts
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve
from registry import Plugins


class PartSize(TypedDict):
    """What a part has: ``parameters``, and their ``bytes``."""

    parameters: int
    bytes: int


class ModelInfo(TypedDict):
    """What `KokoroModel.get_model_info` returns; editors know its keys so.

    Attributes:
        name: The spec's.
        total_parameters: With those of a vocoder.
        trainable_parameters: Those with gradients.
        model_size_mb: Bytes of the parameters in millions.
        bytes: Bytes of the parameters.
        slots: Sizes by part.
        components: For each component where it stands, its name, plugin and version.
        gradient_checkpointing: Segments, and the parts that have nothing to recompute.
    """

    name: str
    total_parameters: int
    trainable_parameters: int
    model_size_mb: float
    bytes: int
    slots: dict[str, PartSize]
    components: list[dict[str, Any]]
    gradient_checkpointing: dict[str, Any]


def model_info(
    model: AcousticModel, spec: ModelSpec, plugins: Plugins, vocoder: nn.Module | None = None
) -> ModelInfo:
    """Return parameters and bytes, in total and by slot, and the origin of each part."""
    present = filled_parts(model)
    around = {} if vocoder is None else {"vocoder": vocoder}
    whole = nn.ModuleList([model, *around.values()])
    return {
        "name": spec.name,
        "total_parameters": count_parameters(whole),
        "trainable_parameters": count_parameters(whole, trainable=True),
        "model_size_mb": parameter_bytes(whole) / 1e6,
        "bytes": parameter_bytes(whole),
        "slots": {
            slot: {"parameters": count_parameters(part), "bytes": parameter_bytes(part)}
            for slot, part in {**present, **around}.items()
        },
        "components": resolve(spec, plugins)["components"],
        "gradient_checkpointing": _checkpointing(spec, present),
    }


def count_parameters(module: nn.Module, *, trainable: bool = False) -> int:
    """Return the number of parameters, counting shared ones once."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def parameter_bytes(module: nn.Module) -> int:
    """Return the bytes of the parameters."""
    return sum(p.numel() * p.element_size() for p in module.parameters())


def _checkpointing(spec: ModelSpec, parts: dict[str, nn.Module]) -> dict[str, Any]:
    """Return the segments, and the slots that have no stack to recompute."""
    without = [
        slot
        for slot, part in parts.items()
        if not any(isinstance(module, CheckpointedStack) for module in part.modules())
    ]
    checkpointing = spec.gradient_checkpointing
    return {
        "segments": checkpointing.segments if checkpointing else None,
        "slots_without": without,
    }
