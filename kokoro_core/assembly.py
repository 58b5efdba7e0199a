"""From a spec to a model: a list of parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kokoro_core.model import AcousticModel
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.spec.dimensions import component_sizes, solve_dimensions
from kokoro_core.spec.limits import refuse_excess
from kokoro_core.spec.model_spec import ModelSpec
from kokoro_core.spec.sizes import MAX_PARAMETERS

MODEL_SLOTS = ("encoder", "duration_predictor", "regulator", "decoder", "postnet")


def assemble(
    spec: ModelSpec,
    *,
    device: torch.device | str | None = None,
    initialise: bool = True,
    max_parameters: int = MAX_PARAMETERS,
) -> AcousticModel:
    """Build the model that a spec describes.

    Args:
        spec: Of any origin; its widths are solved first.
        device: Where the parameters are made; ``meta`` to compare names and shapes only.
        initialise: False leaves parameters unset, for a model that gets its weights from a file;
            buffers are computed either way.
        max_parameters: A model with more is refused before anything is allocated.

    Raises:
        SpecError: The spec's parts do not fit together, or it is too large.
    """
    spec = solve_dimensions(spec)
    refuse_excess(spec, max_parameters)
    with torch.device(device or "cpu"), _initialisation(initialise):
        model = _build(spec)
    checkpointing = spec.gradient_checkpointing
    set_segments(model, checkpointing.segments if checkpointing else None)
    return model


def _build(spec: ModelSpec) -> AcousticModel:
    def sizes(slot: str) -> Any:
        return component_sizes(spec, slot)

    predictor, regulator, postnet = spec.duration_predictor, spec.regulator, spec.postnet
    return AcousticModel(
        encoder=spec.encoder.build(sizes("encoder")),
        duration_predictor=predictor.build(sizes("duration_predictor")) if predictor else None,
        regulator=regulator.build(sizes("regulator")) if regulator else None,
        decoder=spec.decoder.build(sizes("decoder")),
        postnet=postnet.build(sizes("postnet")) if postnet else None,
        needs={slot: getattr(spec, slot).needs for slot in MODEL_SLOTS if getattr(spec, slot)},
    )


def set_segments(model: nn.Module, segments: int | None) -> None:
    """Set the segments of every checkpointed stack in a model; None turns recomputing off."""
    for module in model.modules():
        if isinstance(module, CheckpointedStack):
            module.segments = segments


@contextmanager
def _initialisation(wanted: bool) -> Iterator[None]:
    if wanted:
        yield
        return
    with _LeaveParametersUnset():
        yield


class _LeaveParametersUnset(TorchFunctionMode):
    """Skips what would fill a parameter, and a view of one; buffers are filled as ever."""

    IN_PLACE = ("uniform_", "normal_", "fill_", "zero_", "copy_", "bernoulli_", "exponential_")
    FILLS = frozenset(
        [getattr(Tensor, name) for name in IN_PLACE]
        + [each for name, each in vars(nn.init).items() if name.endswith("_") and callable(each)]
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.FILLS:
            tensor = args[0] if args else kwargs.get("tensor")
            if isinstance(tensor, Tensor) and _is_parameter(tensor):
                return tensor
        return func(*args, **kwargs)


def _is_parameter(tensor: Tensor) -> bool:
    return isinstance(tensor, nn.Parameter) or isinstance(tensor._base, nn.Parameter)
