"""The probe of decoders, autoregressive and parallel."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, Latents, ParallelDecoder
from kokoro_core.nn.shift import shift_right
from kokoro_core.slots import DecoderParams
from kokoro_core.spec.rules.waves import gives_wave
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes.base import Probe, returned


def teacher_frames(probe: Probe, inputs: Inputs) -> Tensor:
    """Return the frames that a decoder is fed in training: the target, shifted by one group."""
    clean = zero_padding(inputs.tensors["mel_specs"], inputs.padding["mel_specs"])
    return shift_right(clean, probe.component.reduction_factor)


def begin_decoding(probe: Probe, inputs: Inputs, max_frames: int) -> Any:
    """Return the state from which an autoregressive decoder makes the frames of these inputs."""
    side = probe.side_inputs(inputs, inputs.padding["mel_specs"])
    memory, padding_mask = inputs.tensors["memory"], inputs.padding["memory"]
    return probe.component.init_state(memory, padding_mask, max_frames, **side)


@final
class DecoderProbe(Probe):
    """Calls a decoder with a memory and the target.

    The memory has one vector per frame if the decoder's settings ask for that; otherwise it has
    lengths of its own, as phonemes have, so that a decoder cannot confuse the two masks.
    """

    first: ClassVar[str] = "mel_specs"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"memory", "mel_specs"})

    @property
    def frame_by_frame(self) -> bool:
        """Whether the memory must have one vector per frame."""
        assert isinstance(self.params, DecoderParams)
        return bool(self.params.frame_by_frame) or "plan" in self.params.needs

    @property
    def group(self) -> int:
        """Number of frames that one step generates."""
        return getattr(self.component, "reduction_factor", 1)

    def inputs(self, batch: RaggedBatch) -> Inputs:
        of_memory = batch if self.frame_by_frame else batch.of_other_lengths()
        tensors = {
            "mel_specs": self.floats(batch, self.sizes.mel_dim),
            "memory": self.floats(of_memory, self.sizes.hidden_dim, stream=1),
        }
        padding = {"mel_specs": batch.padding_mask, "memory": of_memory.padding_mask}
        return self.with_side_inputs(batch, Inputs(tensors, padding))

    def run(self, inputs: Inputs) -> Outputs:
        memory, memory_padding = inputs.tensors["memory"], inputs.padding["memory"]
        mel_specs, mel_padding = inputs.tensors["mel_specs"], inputs.padding["mel_specs"]
        side = self.side_inputs(inputs, mel_padding) | self.latents(inputs)
        made = self.component(memory, memory_padding, mel_specs, mel_padding, **side)
        output = returned(made, DecoderOutput, "a decoder")
        tensors: dict[str, Tensor] = {"mel": output.mel}
        if output.stop_logits is not None:
            tensors["stop_logits"] = output.stop_logits
        if isinstance(self.component, ParallelDecoder):
            side = self.side_inputs(inputs, mel_padding) | dict.fromkeys(self.latents(inputs))
            inferred = self.component.infer(memory, memory_padding, **side)
            tensors["inferred"] = returned(inferred, DecoderOutput, "`infer`").mel
        return Outputs(tensors, mel_padding, output.losses)

    def latents(self, inputs: Inputs) -> dict[str, Any]:
        """Return the latents of the target by their name, if the decoder needs them."""
        if "latents" not in self.params.needs:
            return {}
        looks = self.capabilities.side_inputs
        given = {
            name: each
            for name, each in self.side_inputs(inputs).items()
            if name == "noise" or (name in looks and looks[name].per == "row")
        }
        mel_specs, mel_padding = inputs.tensors["mel_specs"], inputs.padding["mel_specs"]
        made = self.component.latents(mel_specs, mel_padding, **given)
        return {"latents": returned(made, Latents, "`latents`")}

    def widths(self) -> dict[str, int | None]:
        width = self.sizes.mel_dim
        if isinstance(self.params, DecoderParams) and gives_wave(self.params):
            width = self.sizes.hop_length
        return {"mel": width, "stop_logits": None, "inferred": width}

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return all of the memory, and the target's frames from which a later group is made."""
        mask = inputs.padding["mel_specs"]
        matters = {"memory": ~inputs.padding["memory"]}
        if isinstance(self.component, AutoregressiveDecoder):
            lengths = (~mask).sum(1, keepdim=True)
            last_group = (lengths - 1) // self.group * self.group
            steps = torch.arange(mask.shape[1])
            # a decoder may read only the last frame of each group
            ends_group = (steps + 1) % self.group == 0
            matters["mel_specs"] = (steps < last_group) & ends_group
        return matters
