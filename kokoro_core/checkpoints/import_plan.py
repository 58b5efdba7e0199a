"""Match the tensors of a model with published ones, before any is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kokoro_core.checkpoints.layout import CheckpointMismatch, differences
from kokoro_core.contracts.checkpoints import TensorInfo
from kokoro_core.contracts.importing import ImportPlan, Origin

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Placed:
    """A tensor of our model, and what it was made of: a line of the table.

    Attributes:
        name: Its name here.
        origin: What it is made of.
        info: Its type and shape.
    """

    name: str
    origin: Origin
    info: TensorInfo

    def row(self) -> tuple[str, str, str, str]:
        """Return its name here, those there, the shape, and what was done."""
        shape = "×".join(map(str, self.info.shape)) or "scalar"
        return self.name, ", ".join(self.origin.names) or "nothing", shape, self.origin.how


def placed(
    what: str,
    expected: Mapping[str, TensorInfo],
    found: Mapping[str, TensorInfo],
    plan: ImportPlan,
) -> tuple[list[Placed], dict[str, str]]:
    """Return what each tensor of a model is made of, and why others have no place in it.

    Args:
        what: How the error begins.
        expected: The tensors of our model.
        found: The published ones.
        plan: What the importer says.

    Raises:
        CheckpointMismatch: A published tensor is missing, has another shape, or is left over.
    """
    lines: list[str] = []
    made: dict[str, TensorInfo] = {}
    origins = {name: plan.origin(name) for name in expected}
    for name, origin in origins.items():
        missing = [each for each in origin.names if each not in found]
        lines += [f"`{each}` is missing, which `{name}` is made of" for each in missing]
        if not missing:
            made[name] = _made_of(origin, found)
    wanted = {name: expected[name] for name in made}
    for line in differences(wanted, made):
        name = line.split("`")[1]
        lines.append(f"{line}, made of {_named(origins[name], found)} ({origins[name].how})")
    used = {each for origin in origins.values() for each in origin.names}
    left = {name: _reason(name, plan.leaves) for name in found if name not in used}
    lines += [f"`{name}` has no place in the model" for name, why in left.items() if why is None]
    if lines:
        raise CheckpointMismatch(what, lines)
    rows = [Placed(name, origins[name], made[name]) for name in expected]
    return rows, {name: why for name, why in left.items() if why is not None}


def made(rows: list[Placed], tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a model by name, each in memory of its own."""
    import torch

    for each in rows:
        tensor = each.origin.make(*(tensors[name] for name in each.origin.names))
        yield each.name, tensor.clone(memory_format=torch.contiguous_format)


def _made_of(origin: Origin, found: Mapping[str, TensorInfo]) -> TensorInfo:
    """Return type and shape of what an origin makes, tried without a number."""
    import torch

    infos = [found[name] for name in origin.names]
    tensors = [torch.empty(i.shape, dtype=getattr(torch, i.dtype), device="meta") for i in infos]
    try:
        result: Any = origin.make(*tensors)
    except (IndexError, RuntimeError):
        return TensorInfo(infos[0].dtype if infos else "float32", ())
    return TensorInfo(str(result.dtype).removeprefix("torch."), tuple(result.shape))


def _named(origin: Origin, found: Mapping[str, TensorInfo]) -> str:
    return ", ".join(f"`{name}` {found[name].shape}" for name in origin.names) or "nothing"


def _reason(name: str, leaves: Mapping[str, str]) -> str | None:
    return next((why for pattern, why in leaves.items() if re.fullmatch(pattern, name)), None)
