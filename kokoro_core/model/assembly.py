"""From a spec to a model: a list of parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.wiring import wiring_of
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.params.component import owner_of
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to, returned
from kokoro_core.params.sizes import MAX_PARAMETERS, Sizes
from kokoro_core.slots import MODEL_SLOTS, slot_row
from kokoro_core.spec.rules.dimensions import component_sizes, solve_dimensions
from kokoro_core.spec.rules.limits import refuse_excess
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec


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
        SpecError: The spec's parts do not fit together, it is too large, or a part's plugin failed.
    """
    spec = solve_dimensions(spec)
    refuse_excess(spec, max_parameters)
    with usual_device(torch.device(device or "cpu")), initialisation(initialise):
        model = _build(spec)
    checkpointing = spec.gradient_checkpointing
    set_segments(model, checkpointing.segments if checkpointing else None)
    _keep_what_comes_last(model)
    return model


def _build(spec: ModelSpec) -> AcousticModel:
    modules: dict[str, Any] = {key: {} if row.many else None for key, row in MODEL_SLOTS.items()}
    for place, part in parts_of(spec).items():
        key, _, name = place.partition(".")
        module = _built(part, place, component_sizes(spec, place))
        modules[key] = {**modules[key], name: module} if name else module
    return AcousticModel(
        **modules,
        hidden_dim=component_sizes(spec, "encoder").hidden_dim,
        wiring=wiring_of(spec),
    )


def _built(part: Any, place: str, sizes: Sizes) -> Any:
    """Return the module of a part; what its plugin gets wrong is said at the part.

    Raises:
        ComponentFailure: `build` raised, or returned something else than a module of the contract.
    """
    contract: type[nn.Module] = resolve_name(slot_row(place).contract)
    path = path_of_part(place)
    with attribute_errors_to(part, path, "build"):
        module = part.build(sizes)
    if not isinstance(module, contract):
        what = returned(module, f"a module that derives from `{contract.__name__}`, from `build`")
        raise ComponentFailure(path, owner_of(type(part)), what)
    return module


def filled_parts(model: AcousticModel) -> dict[str, nn.Module]:
    """Return the parts that a model has, by place."""
    parts: dict[str, nn.Module] = {}
    for key, row in MODEL_SLOTS.items():
        part = getattr(model, key)
        if row.many:
            parts |= {f"{key}.{name}": each for name, each in part.items()}
        elif part is not None:
            parts[key] = part
    return parts


def set_segments(model: nn.Module, segments: int | None) -> None:
    """Set the segments of every checkpointed stack in a model; None turns recomputing off."""
    for module in model.modules():
        if isinstance(module, CheckpointedStack):
            module.segments = segments


def _keep_what_comes_last(model: AcousticModel) -> None:
    """Let the stack that the backward pass begins with keep its last segment, if there is one."""
    if model.postnet is None:
        stacks = [each for each in model.decoder.modules() if isinstance(each, CheckpointedStack)]
        for stack in stacks if len(stacks) == 1 else ():
            stack.keeps_last = True


def usual_device(device: torch.device) -> AbstractContextManager[Any]:
    """Let tensors be made on a device; where they are anyway, nothing has to watch each call."""
    return nullcontext() if torch.get_default_device() == device else device


@contextmanager
def initialisation(wanted: bool) -> Iterator[None]:
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
