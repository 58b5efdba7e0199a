"""The probe of decoders, autoregressive and parallel."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, ParallelDecoder
from kokoro_core.slots import DecoderParams
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes.base import Probe, returned


@final
class DecoderProbe(Probe):
    """Feeds a decoder a memory and the target.

    The memory has one vector a frame where the decoder's settings ask for that; else it has a
    length of its own, as phonemes have, so that no decoder takes one mask for the other.
    """

    first: ClassVar[str] = "mel_specs"
    free_at_padding: ClassVar[frozenset[str]] = frozenset({"memory", "mel_specs"})

    @property
    def frame_by_frame(self) -> bool:
        """Whether the memory must have one vector a frame."""
        assert isinstance(self.params, DecoderParams)
        return bool(self.params.frame_by_frame) or "plan" in self.params.needs

    @property
    def group(self) -> int:
        """Frames that one step makes."""
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
        side = self.side_inputs(inputs, mel_padding)
        made = self.component(memory, memory_padding, mel_specs, mel_padding, **side)
        output = returned(made, DecoderOutput, "a decoder")
        tensors: dict[str, Tensor] = {"mel": output.mel}
        if output.stop_logits is not None:
            tensors["stop_logits"] = output.stop_logits
        if isinstance(self.component, ParallelDecoder):
            side = self.side_inputs(inputs, mel_padding)
            inferred = self.component.infer(memory, memory_padding, **side)
            tensors["inferred"] = returned(inferred, DecoderOutput, "`infer`").mel
        return Outputs(tensors, mel_padding, output.losses)

    def widths(self) -> dict[str, int | None]:
        return {"mel": self.sizes.mel_dim, "stop_logits": None, "inferred": self.sizes.mel_dim}

    def matters(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return that all memory matters, and of the target what a later group is made from."""
        mask = inputs.padding["mel_specs"]
        matters = {"memory": ~inputs.padding["memory"]}
        if isinstance(self.component, AutoregressiveDecoder):
            lengths = (~mask).sum(1, keepdim=True)
            last_group = (lengths - 1) // self.group * self.group
            fed = torch.arange(mask.shape[1]) < last_group
            matters["mel_specs"] = fed & self._last_of_group(mask.shape[1])
        return matters

    def _last_of_group(self, width: int) -> Tensor:
        """Return which frames end a group; a decoder may read the last of each alone."""
        return (torch.arange(width) + 1) % self.group == 0
