"""`Probe`: calls a component in the manner of its slot, so that one check serves many slots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Self, TypeVar, cast

import torch
from torch import Tensor

from kokoro_core.contracts import Plan
from kokoro_core.params.capabilities import Capabilities, SideInput
from kokoro_core.params.component import ComponentParams, declared
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.masks import lengths_from_padding_mask
from kokoro_core.tensors.noise import RowNoise
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.extras import feature_look
from kokoro_core.testing.data.inputs import Inputs, Outputs

MADE_HERE = frozenset({"latents", "noise", "plan"})
"""Side inputs that a probe makes itself."""

OF_A_RECORDING = "_padding_mask"
"""Ending of the name under which the mask of a recording is given."""


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
        recordings = self.recordings
        known = {*MADE_HERE, *self.looks, *recordings, *recordings.values()}
        unknown = self.names - known
        if unknown:
            raise ValueError(
                f"`{type(self.params).__name__}` needs {', '.join(sorted(unknown))}, which the kit "
                f"cannot make; say in `capabilities.side_inputs` what they look like."
            )

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities that the params class declares."""
        return self.params.capabilities

    @property
    def names(self) -> frozenset[str]:
        """The names of its side inputs."""
        return self.params.needs | self._features().keys()

    @property
    def looks(self) -> dict[str, SideInput]:
        """What its side inputs look like: as its features say, or its capabilities."""
        features = {
            name: feature_look(name, each, self.sizes)
            for name, each in self._features().items()
            if each.per != "recording"
        }
        known = {"encoder_hidden": SideInput("float", "step", self.sizes.hidden_dim)}
        made = {name: each for name, each in known.items() if name in self.names}
        return {**made, **features, **self.capabilities.side_inputs}

    def _features(self) -> Mapping[str, Feature]:
        return dict(declared(self.params, "features", {}))

    @property
    def recordings(self) -> dict[str, str]:
        """The recordings that it takes, each with the name of its mask."""
        found = [name for name, each in self._features().items() if each.per == "recording"]
        masks = {name + OF_A_RECORDING for name in found}
        return {name: name + OF_A_RECORDING for name in found if name not in masks}

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

    @property
    def unread(self) -> frozenset[str]:
        """Inputs that it may leave alone, because a side input can stand for them."""
        return frozenset()

    def floats(self, batch: RaggedBatch, channels: int, *, stream: int = 0) -> Tensor:
        """Return normal numbers (B, T, channels) of the probe's dtype."""
        return batch.floats(channels, stream=stream).to(self.dtype)

    def with_side_inputs(self, batch: RaggedBatch, inputs: Inputs) -> Inputs:
        """Return the inputs with the side inputs that the component needs."""
        rows, mask = len(batch.lengths), inputs.padding.get(self.first)
        tensors, padding = dict(inputs.tensors), dict(inputs.padding)
        if "noise" in self.names:
            tensors["noise"] = torch.arange(rows) + 1000 * batch.seed
        looks = self.looks
        for stream, name in enumerate(sorted(self.names & looks.keys()), start=20):
            steps = 0 if mask is None else mask.shape[1]
            drawn = batch.side_input(looks[name], steps, self.sizes, stream=stream)
            tensors[name] = drawn.to(self.dtype) if drawn.is_floating_point() else drawn
            if looks[name].per == "step" and mask is not None:
                padding[name] = mask
        for name in self.recordings:
            recorded = batch.of_other_lengths()
            tensors[name] = self.floats(recorded, self.sizes.mel_dim, stream=40)
            padding[name] = recorded.padding_mask
        return Inputs(tensors, padding)

    def side_inputs(self, inputs: Inputs, plan_of: Tensor | None = None) -> dict[str, Any]:
        """Return the keywords of the component; `plan_of` is the padding mask of frames."""
        given: dict[str, Any] = {
            name: each for name, each in inputs.tensors.items() if name in self.names
        }
        for name, mask in self.recordings.items():
            if mask in self.names:
                given[mask] = inputs.padding[name]
        if "noise" in given:
            given["noise"] = self.noise(given["noise"])
        if "plan" in self.names and plan_of is not None:
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
