"""Probes of aligners, adaptors and conditioners."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor

from kokoro_core.contracts import AdaptorOutput, AlignerOutput, Latents
from kokoro_core.slots import AdaptorParams, ConditionerParams
from kokoro_core.tensors.masks import padding_mask_from_lengths, zero_padding
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.extras import feature_look
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes.base import Probe, returned

LOW = (torch.bfloat16, torch.float16)


@final
class AlignerProbe(Probe):
    """Calls an aligner with hidden vectors and mels of two or three times as many frames.

    Soft alignments have an axis of frames that other outputs lack. They are compared by sums over
    the frames of each phoneme, each frame weighed by its number, in which everything shows.
    """

    first: ClassVar[str] = "hidden"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"hidden", "mel_specs"})

    def inputs(self, batch: RaggedBatch) -> Inputs:
        frames = tuple(2 * each + each % 3 for each in batch.lengths)
        of_mels = RaggedBatch(frames, batch.extra, batch.seed)
        tensors = {
            "hidden": self.floats(batch, self.sizes.hidden_dim),
            "mel_specs": self.floats(of_mels, self.sizes.mel_dim, stream=1),
        }
        padding = {"hidden": batch.padding_mask, "mel_specs": of_mels.padding_mask}
        return self.with_side_inputs(batch, Inputs(tensors, padding))

    def align(self, inputs: Inputs) -> AlignerOutput:
        """Return what the aligner returns."""
        given = [
            each
            for name in ("hidden", "mel_specs")
            for each in (inputs.tensors[name], inputs.padding[name])
        ]
        side = self.side_inputs(inputs)
        if "latents" in self.names:
            z = zero_padding(inputs.tensors["mel_specs"], inputs.padding["mel_specs"])
            side["latents"] = Latents(z, z.new_zeros(len(z)))
        made = self.component(*given, **side)
        return returned(made, AlignerOutput, "an aligner")

    def run(self, inputs: Inputs) -> Outputs:
        output = self.align(inputs)
        tensors: dict[str, Tensor] = {}
        if self.dtype not in LOW:  # rounding may choose another path
            tensors["durations"] = output.durations.to(self.dtype)
        if output.soft is not None:
            # (B, T, N) -> (B, N, T) -> (B, N, 3)
            tensors["soft"] = output.soft.transpose(1, 2) @ _of_frames(output.soft)
        return Outputs(tensors, inputs.padding["hidden"], output.losses)

    def widths(self) -> dict[str, int | None]:
        return {"durations": None, "soft": 3}

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return all of rows with a choice: a single phoneme gets all frames whatever it is."""
        choice = (~inputs.padding["hidden"]).sum(1, keepdim=True) > 1
        names = inputs.padding.keys() - self.unread
        return {name: ~inputs.padding[name] & choice for name in sorted(names)}

    @property
    def unread(self) -> frozenset[str]:
        """The hidden vectors, where there is another vector for each phoneme."""
        others = [name for name, each in self.looks.items() if each.per == "step"]
        return frozenset({"hidden"} if others else ())


def _of_frames(soft: Tensor) -> Tensor:
    """Return numbers (T, 3) by which frames are told apart, whatever the padding."""
    frames = torch.arange(soft.shape[1])
    waves = [torch.ones_like(frames).double(), (0.7 * frames).cos(), (1.9 * frames).sin()]
    return torch.stack([each.double() for each in waves], 1).to(soft.dtype)


@final
class AdaptorProbe(Probe):
    """Calls an adaptor as training does, with a target, and as speaking does, without."""

    first: ClassVar[str] = "x"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"x", "target"})

    def inputs(self, batch: RaggedBatch) -> Inputs:
        assert isinstance(self.params, AdaptorParams)
        tensors = {"x": self.floats(batch, self.sizes.hidden_dim)}
        if self.params.target is not None:
            look = feature_look("target", self.params.target, self.sizes)
            steps = type(look)(look.kind, "step", look.width)
            drawn = batch.side_input(steps, batch.width, self.sizes, stream=1)
            tensors["target"] = drawn.to(self.dtype) if drawn.is_floating_point() else drawn
        inputs = Inputs(tensors, dict.fromkeys(tensors, batch.padding_mask))
        return self.with_side_inputs(batch, inputs)

    def adapt(self, inputs: Inputs, **given: Any) -> AdaptorOutput:
        """Return what the adaptor returns with these keywords beside its side inputs."""
        x, mask = inputs.tensors["x"], inputs.padding["x"]
        made = self.component(x, mask, **given, **self.side_inputs(inputs))
        return returned(made, AdaptorOutput, "an adaptor")

    def run(self, inputs: Inputs) -> Outputs:
        spoken = self.adapt(inputs, target=None)
        tensors = {"spoken": spoken.x}
        if spoken.prediction is not None:
            tensors["prediction"] = spoken.prediction
        losses = dict(spoken.losses)
        if "target" in inputs.tensors:
            trained = self.adapt(inputs, target=inputs.tensors["target"])
            tensors["x"] = trained.x
            losses |= trained.losses
        return Outputs(tensors, inputs.padding["x"], losses)

    def widths(self) -> dict[str, int | None]:
        return dict.fromkeys(("x", "spoken"), self.sizes.hidden_dim)

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        return {"x": ~inputs.padding["x"]}


@final
class ConditionerProbe(Probe):
    """Calls a conditioner with its features; its vector is taken for a row of one step."""

    first: ClassVar[str] = ""

    def inputs(self, batch: RaggedBatch) -> Inputs:
        return self.with_side_inputs(batch, Inputs({}, {}))

    def run(self, inputs: Inputs) -> Outputs:
        made = returned(self.component(**self.side_inputs(inputs)), Tensor, "a conditioner")
        rows = padding_mask_from_lengths(torch.ones(inputs.rows, dtype=torch.int64), 1)
        return Outputs({"embedding": made.unsqueeze(1)}, rows)

    def widths(self) -> dict[str, int | None]:
        assert isinstance(self.params, ConditionerParams)
        return {"embedding": self.params.width(self.sizes)}

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        return {name: ~inputs.padding[name] for name in self.recordings}
