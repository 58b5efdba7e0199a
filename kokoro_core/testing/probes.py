"""Probes: for each slot how a component is called, so that one check serves many slots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from kokoro_core.contracts import (
    AutoregressiveDecoder,
    Component,
    Decoder,
    DurationPredictor,
    Encoder,
    ParallelDecoder,
    Plan,
    Postnet,
    Regulator,
)
from kokoro_core.masks import lengths_from_padding_mask
from kokoro_core.spec.params import ComponentParams
from kokoro_core.spec.sizes import Sizes
from kokoro_core.testing.batches import RaggedBatch

Part = TypeVar("Part", bound=Component)
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Outputs:
    """What a component made of a batch.

    Attributes:
        tensors: By name, each (B, T) or (B, T, C).
        padding_mask: (B, T) bool of all of them, True = padding.
    """

    tensors: Tensors
    padding_mask: Tensor


class Probe(ABC, Generic[Part]):
    """Calls one component in the way of its slot.

    Attributes:
        component: In float64, in evaluation mode.
        sizes: Of the model around it.
        needs: Side inputs that it takes; the probe makes a plan for those that need one.
    """

    may_hold_anything: ClassVar[frozenset[str]] = frozenset()
    """Inputs whose padding may hold any value, NaN included."""

    def __init__(self, component: Part, sizes: Sizes, needs: frozenset[str] = frozenset()) -> None:
        if needs - {"plan"}:
            unknown = ", ".join(sorted(needs - {"plan"}))
            raise ValueError(
                f"`{type(component).__name__}` needs {unknown}, but of side inputs a probe makes "
                f"`plan` alone; derive a probe that makes them."
            )
        self.component = component.double().eval()
        self.sizes = sizes
        self.needs = needs

    @abstractmethod
    def inputs(self, batch: RaggedBatch) -> Tensors:
        """Return the inputs by name, each (B, T) or (B, T, C)."""

    @abstractmethod
    def run(self, inputs: Tensors, padding_mask: Tensor) -> Outputs:
        """Call the component."""

    @abstractmethod
    def widths(self) -> dict[str, int | None]:
        """Return for each output its channels, or None for (B, T)."""

    def matters(self, inputs: Tensors, padding_mask: Tensor) -> Tensors:
        """Return for each input that must matter where it must, (B, T) bool."""
        return dict.fromkeys(inputs, ~padding_mask)

    def side_inputs(self, padding_mask: Tensor) -> dict[str, Any]:
        """Return what the component needs: a plan of two frames a phoneme."""
        return {"plan": two_frames_each(padding_mask)} if "plan" in self.needs else {}


def two_frames_each(padding_mask: Tensor) -> Plan:
    """Return a plan in which every phoneme lasts two frames, and a last odd frame is one's own."""
    lengths = lengths_from_padding_mask(padding_mask)
    starts = torch.arange(0, padding_mask.shape[1], 2)
    durations = (lengths.unsqueeze(1) - starts).clamp(0, 2)
    return Plan(lengths, padding_mask, durations)


class EncoderProbe(Probe[Encoder]):
    """Gives phoneme indices, none of them the padding's."""

    may_hold_anything = frozenset({"phoneme_indices"})

    def inputs(self, batch: RaggedBatch) -> Tensors:
        drawn = batch.integers(0, self.sizes.vocab_size - 1)
        return {"phoneme_indices": drawn + (drawn >= self.sizes.pad_id)}

    def run(self, inputs: Tensors, padding_mask: Tensor) -> Outputs:
        hidden = self.component(inputs["phoneme_indices"], padding_mask)
        return Outputs({"hidden": hidden}, padding_mask)

    def widths(self) -> dict[str, int | None]:
        return {"hidden": self.sizes.hidden_dim}


class DurationPredictorProbe(Probe[DurationPredictor]):
    """Asks for the prediction and for the frames that it stands for."""

    may_hold_anything = frozenset({"hidden"})

    def inputs(self, batch: RaggedBatch) -> Tensors:
        return {"hidden": batch.floats(self.sizes.hidden_dim)}

    def run(self, inputs: Tensors, padding_mask: Tensor) -> Outputs:
        output = self.component(inputs["hidden"], padding_mask)
        tensors = {"frames": self.component.frames(inputs["hidden"], padding_mask)}
        if output.duration_pred is not None:
            tensors["duration_pred"] = output.duration_pred
        return Outputs(tensors, padding_mask)

    def widths(self) -> dict[str, int | None]:
        return {"duration_pred": None, "frames": None}


class RegulatorProbe(Probe[Regulator]):
    """Expands what the plan was made from; phonemes last 0 to 4 frames."""

    may_hold_anything = frozenset({"hidden"})

    def inputs(self, batch: RaggedBatch) -> Tensors:
        frames = batch.integers(0, 5, stream=1).masked_fill(batch.padding_mask, 0)
        return {"hidden": batch.floats(self.sizes.hidden_dim), "durations": frames}

    def run(self, inputs: Tensors, padding_mask: Tensor) -> Outputs:
        plan = self.component.plan(inputs["hidden"], inputs["durations"], padding_mask)
        memory = self.component.expand(plan, inputs["hidden"])
        return Outputs({"memory": memory}, plan.padding_mask)

    def widths(self) -> dict[str, int | None]:
        return {"memory": self.sizes.hidden_dim}

    def matters(self, inputs: Tensors, padding_mask: Tensor) -> Tensors:
        return {"hidden": ~padding_mask & (inputs["durations"] > 0)}


class DecoderProbe(Probe[Decoder]):
    """Feeds a decoder a memory of one vector a frame and the target."""

    may_hold_anything = frozenset({"memory", "mel_specs"})

    def inputs(self, batch: RaggedBatch) -> Tensors:
        return {
            "memory": batch.floats(self.sizes.hidden_dim),
            "mel_specs": batch.floats(self.sizes.mel_dim, stream=1),
        }

    def run(self, inputs: Tensors, padding_mask: Tensor) -> Outputs:
        memory, mel_specs = inputs["memory"], inputs["mel_specs"]
        side = self.side_inputs(padding_mask)
        output = self.component(memory, padding_mask, mel_specs, padding_mask, **side)
        tensors = {"mel": output.mel}
        if output.stop_logits is not None:
            tensors["stop_logits"] = output.stop_logits
        if isinstance(self.component, ParallelDecoder):
            tensors["inferred"] = self.component.infer(memory, padding_mask, **side).mel
        return Outputs(tensors, padding_mask)

    def widths(self) -> dict[str, int | None]:
        return {"mel": self.sizes.mel_dim, "stop_logits": None, "inferred": self.sizes.mel_dim}

    def matters(self, inputs: Tensors, padding_mask: Tensor) -> Tensors:
        """Return that all memory matters, and of the target what a later group is made from."""
        matters = {"memory": ~padding_mask}
        if isinstance(self.component, AutoregressiveDecoder):
            r = self.component.reduction_factor
            lengths = lengths_from_padding_mask(padding_mask).unsqueeze(1)
            last_group = (lengths - 1) // r * r
            matters["mel_specs"] = torch.arange(padding_mask.shape[1]) < last_group
        return matters


class PostnetProbe(Probe[Postnet]):
    """Gives a coarse mel."""

    may_hold_anything = frozenset({"mel"})

    def inputs(self, batch: RaggedBatch) -> Tensors:
        return {"mel": batch.floats(self.sizes.mel_dim)}

    def run(self, inputs: Tensors, padding_mask: Tensor) -> Outputs:
        return Outputs({"refined": self.component(inputs["mel"], padding_mask)}, padding_mask)

    def widths(self) -> dict[str, int | None]:
        return {"refined": self.sizes.mel_dim}


PROBES: dict[str, type[Probe[Any]]] = {
    "encoder": EncoderProbe,
    "duration_predictor": DurationPredictorProbe,
    "regulator": RegulatorProbe,
    "decoder": DecoderProbe,
    "postnet": PostnetProbe,
}


def make_probe(params: ComponentParams, sizes: Sizes, *, seed: int = 0) -> Probe[Any]:
    """Build a component and return its probe.

    Parameters get a little noise, so that no bias is 0 and no scale 1 by initialisation: a leak
    must not hide behind them.

    Raises:
        ValueError: There is no probe for the slot.
    """
    if params.slot not in PROBES:
        raise ValueError(f"`{params.slot}` has no probe; the slots are {', '.join(PROBES)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        component = params.build(sizes)  # type: ignore[attr-defined]
        with torch.no_grad():
            for parameter in component.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return PROBES[params.slot](component, sizes, params.needs)
