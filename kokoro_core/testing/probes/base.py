"""`Probe`: calls a component in the manner of its slot, so that one check serves many slots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Self, TypeVar, cast

import torch
from torch import Tensor

from kokoro_core.contracts import Plan
from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.masks import lengths_from_padding_mask
from kokoro_core.tensors.noise import RowNoise
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.inputs import Inputs, Outputs

MADE_HERE = frozenset({"plan", "noise"})
"""Side inputs that a probe makes itself."""


@dataclass(frozen=True)
class Probe(ABC):
    """Calls one component in the manner of its slot.

    Attributes:
        component: In evaluation mode.
        params: Its settings.
        sizes: Of the model around it.
        dtype: Of the floating inputs.
        noise: Makes the side input ``noise`` from the rows' seeds.
    """

    component: Any
    params: ComponentParams
    sizes: Sizes
    dtype: torch.dtype = torch.float64
    noise: Callable[[Tensor], Any] = field(
        default=lambda seeds: RowNoise(seeds.tolist()), kw_only=True
    )

    first: ClassVar[str]
    """The input that has the lengths of the batch."""
    free_at_padding: ClassVar[frozenset[str]] = frozenset()
    """Inputs that may hold any value at padding."""

    def __post_init__(self) -> None:
        unknown = self.params.needs - MADE_HERE - self.capabilities.side_inputs.keys()
        if unknown:
            raise ValueError(
                f"`{type(self.params).__name__}` needs {', '.join(sorted(unknown))}, which the kit "
                f"cannot make; say in `capabilities.side_inputs` what they look like."
            )

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities that the params class declares."""
        return self.params.capabilities

    def on(self, component: Any, dtype: torch.dtype | None = None) -> Self:
        """Return a probe that calls another component in the same way."""
        return replace(self, component=component, dtype=dtype or self.dtype)

    @abstractmethod
    def inputs(self, batch: RaggedBatch) -> Inputs:
        """Return inputs with the structure of the batch."""

    @abstractmethod
    def run(self, inputs: Inputs) -> Outputs:
        """Call the component."""

    @abstractmethod
    def widths(self) -> dict[str, int | None]:
        """Return the number of channels of each output, or None for (B, T)."""

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return for each input that must influence the output the steps that must, (B, T) bool."""
        return {name: ~mask for name, mask in inputs.padding.items()}

    def floats(self, batch: RaggedBatch, channels: int, *, stream: int = 0) -> Tensor:
        """Return normal numbers (B, T, channels) of the probe's dtype."""
        return batch.floats(channels, stream=stream).to(self.dtype)

    def with_side_inputs(self, batch: RaggedBatch, inputs: Inputs) -> Inputs:
        """Return the inputs with the side inputs that the component needs."""
        rows, mask = len(batch.lengths), inputs.padding[self.first]
        tensors, padding = dict(inputs.tensors), dict(inputs.padding)
        if "noise" in self.params.needs:
            tensors["noise"] = torch.arange(rows) + 1000 * batch.seed
        declared = self.capabilities.side_inputs
        for stream, name in enumerate(sorted(self.params.needs - MADE_HERE), start=20):
            drawn = batch.side_input(declared[name], mask.shape[1], stream=stream)
            tensors[name] = drawn.to(self.dtype) if drawn.is_floating_point() else drawn
            if declared[name].per == "step":
                padding[name] = mask
        return Inputs(tensors, padding)

    def side_inputs(self, inputs: Inputs, plan_of: Tensor | None = None) -> dict[str, Any]:
        """Return the keywords of the component; `plan_of` is the padding mask of frames."""
        given: dict[str, Any] = {
            name: each for name, each in inputs.tensors.items() if name in self.params.needs
        }
        if "noise" in given:
            given["noise"] = self.noise(given["noise"])
        if "plan" in self.params.needs and plan_of is not None:
            given["plan"] = two_frames_each(plan_of)
        return given


Kind = TypeVar("Kind")


def returned(value: Any, kind: type[Kind], what: str) -> Kind:
    """Return a value if it is of the class that a contract names, or has its fields.

    Raises:
        AssertionError: It is of another kind.
    """
    named = [each.name for each in fields(kind)] if is_dataclass(kind) else []
    alike = bool(named) and all(hasattr(value, name) for name in named)
    assert alike or isinstance(value, kind), (
        f"{what} must return a `{kind.__name__}`, not a `{type(value).__name__}`"
    )
    return cast("Kind", value)


def two_frames_each(padding_mask: Tensor) -> Plan:
    """Return a plan in which every phoneme lasts two frames, the last one of an odd number one.

    Shape:
        padding_mask: (B, T) bool, of frames.
    """
    lengths = lengths_from_padding_mask(padding_mask)
    starts = torch.arange(0, padding_mask.shape[1], 2)
    durations = (lengths.unsqueeze(1) - starts).clamp(0, 2)
    return Plan(lengths, padding_mask, durations)
