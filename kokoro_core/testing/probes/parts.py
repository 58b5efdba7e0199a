"""Probes of encoders, duration predictors, regulators and postnets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from kokoro_core.contracts import DurationOutput, EncoderOutput, Plan
from kokoro_core.slots import EncoderParams
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes.base import Probe, returned


@final
class EncoderProbe(Probe):
    """Calls an encoder with phoneme indices."""

    first: ClassVar[str] = "phoneme_indices"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"phoneme_indices"})

    def inputs(self, batch: RaggedBatch) -> Inputs:
        indices = {"phoneme_indices": batch.indices(self.sizes)}
        return self.with_side_inputs(
            batch, Inputs(indices, dict.fromkeys(indices, batch.padding_mask))
        )

    def run(self, inputs: Inputs) -> Outputs:
        mask = inputs.padding[self.first]
        side = self.side_inputs(inputs)
        made = self.component(inputs.tensors[self.first], mask, **side)
        if not isinstance(made, EncoderOutput):
            made = EncoderOutput(returned(made, Tensor, "an encoder"))
        return Outputs({"hidden": made.hidden, **made.parts}, mask, made.losses)

    def widths(self) -> dict[str, int | None]:
        assert isinstance(self.params, EncoderParams)
        return {"hidden": self.sizes.hidden_dim, **self.params.gives_parts(self.sizes)}


def _hidden_and_durations(probe: Probe, batch: RaggedBatch, *, longest: int) -> Inputs:
    mask = batch.padding_mask
    durations = batch.integers(0, longest + 1, stream=1).masked_fill(mask, 0)
    tensors = {"hidden": probe.floats(batch, probe.sizes.hidden_dim), "durations": durations}
    return probe.with_side_inputs(batch, Inputs(tensors, dict.fromkeys(tensors, mask)))


@final
class DurationPredictorProbe(Probe):
    """Calls a duration predictor and its `frames`."""

    first: ClassVar[str] = "hidden"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"hidden"})

    def inputs(self, batch: RaggedBatch) -> Inputs:
        return _hidden_and_durations(self, batch, longest=8)

    def run(self, inputs: Inputs) -> Outputs:
        hidden, mask = inputs.tensors["hidden"], inputs.padding["hidden"]
        output = returned(
            self.component(hidden, mask, inputs.tensors["durations"], **self.side_inputs(inputs)),
            DurationOutput,
            "a duration predictor",
        )
        frames = self.component.frames(hidden, mask, **self.side_inputs(inputs))
        tensors = {"frames": returned(frames, Tensor, "`frames`")}
        if output.duration_pred is not None:
            tensors["duration_pred"] = output.duration_pred
        return Outputs(tensors, mask, output.losses)

    def widths(self) -> dict[str, int | None]:
        return {"duration_pred": None, "frames": None}

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        return {"hidden": ~inputs.padding["hidden"]}


@final
@dataclass(frozen=True)
class RegulatorProbe(Probe):
    """Makes a plan and expands the hidden vectors it was made from; phonemes last 0 to 4 frames.

    Attributes:
        num_frames: Width of the plan, or None to let the regulator determine it.
    """

    num_frames: int | None = None

    first: ClassVar[str] = "hidden"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"hidden"})

    def inputs(self, batch: RaggedBatch) -> Inputs:
        return _hidden_and_durations(self, batch, longest=4)

    def run(self, inputs: Inputs) -> Outputs:
        hidden, mask = inputs.tensors["hidden"], inputs.padding["hidden"]
        side = self.side_inputs(inputs)
        plan = self.component.plan(
            hidden, inputs.tensors["durations"], mask, self.num_frames, **side
        )
        plan = returned(plan, Plan, "`plan`")
        memory = returned(self.component.expand(plan, hidden), Tensor, "`expand`")
        return Outputs({"memory": memory}, plan.padding_mask)

    def widths(self) -> dict[str, int | None]:
        return {"memory": self.sizes.hidden_dim}

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return the phonemes that last for at least one frame."""
        return {"hidden": ~inputs.padding["hidden"] & (inputs.tensors["durations"] > 0)}


@final
class PostnetProbe(Probe):
    """Calls a postnet with a coarse mel."""

    first: ClassVar[str] = "mel"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"mel"})

    def inputs(self, batch: RaggedBatch) -> Inputs:
        inputs = Inputs(
            {"mel": self.floats(batch, self.sizes.mel_dim)}, {"mel": batch.padding_mask}
        )
        return self.with_side_inputs(batch, inputs)

    def run(self, inputs: Inputs) -> Outputs:
        mask = inputs.padding["mel"]
        refined = self.component(inputs.tensors["mel"], mask, **self.side_inputs(inputs))
        return Outputs({"refined": returned(refined, Tensor, "a postnet")}, mask)

    def widths(self) -> dict[str, int | None]:
        return {"refined": self.sizes.mel_dim}
