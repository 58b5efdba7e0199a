"""`ParallelGraph`: a parallel model as one function of tensors."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.export import ExportedProgram

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import NeuralVocoder, ParallelDecoder, answers
from kokoro_core.contracts.answers import Callee
from kokoro_core.exporting.declared import refuse_declared
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.planning import Planned, plan_utterance, traced_with
from kokoro_core.exporting.tracing import trace
from kokoro_core.model.side_inputs import call_part
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.masks import padding_mask_from_lengths


@final
class ParallelGraph(nn.Module):
    """From the phonemes of one utterance to its log mel, or to samples.

    The mel is as the spec's audio defines it, not normalised, so that a vocoder can take it; a spec
    without audio settings gives it as the decoder does.

    Args:
        model: With a parallel decoder.
        inputs: What is given beside phonemes and speed.
        vocoder: Turns the mel into samples within the graph, or None.
    """

    def __init__(
        self, model: KokoroModel, inputs: GraphInputs, vocoder: NeuralVocoder | None = None
    ) -> None:
        super().__init__()
        self.acoustic = model.acoustic
        self.vocoder = vocoder
        self._model = (model,)  # in a tuple, so that its parts are registered once
        self._inputs = inputs

    def forward(
        self, phoneme_indices: Tensor, speed: Tensor, given: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return ``mel`` (1, T, M) or ``samples`` (1, S), and ``durations`` (1, N) if planned.

        Shape:
            phoneme_indices: (1, N) int64. speed: (1,).
        """
        (model,) = self._model
        planned = plan_utterance(model, phoneme_indices, speed, given, self._inputs)
        mel, durations = self._decoded(planned)
        made = finished(model, mel, self.vocoder)
        return made if durations is None else {**made, "durations": durations}

    def _decoded(self, planned: Planned) -> tuple[Tensor, Tensor | None]:
        """Return the decoder's mel, refined, and the durations."""
        acoustic, memory = self.acoustic, planned.memory
        decoder = original(acoustic.decoder)
        assert isinstance(decoder, ParallelDecoder)
        callee = Callee("decoder", decoder, "infer")
        wanted = acoustic.wiring.pick("decoder", planned.available)
        output = call_part(callee, memory.vectors, memory.padding_mask, **wanted)
        output = answers.decoder_output(output, (1, None, None), callee)
        mask = memory.padding_mask
        if output.lengths is not None:
            mask = padding_mask_from_lengths(output.lengths, output.mel.shape[1])
        durations = planned.durations if output.durations is None else output.durations
        return acoustic.refine(output.mel, mask, planned.available), durations


def finished(model: KokoroModel, mel: Tensor, vocoder: NeuralVocoder | None) -> dict[str, Tensor]:
    """Return by name what a decoder's frames (1, T, M) come out as."""
    audio = model.spec.audio
    if model.acoustic.wiring.samples is not None:
        return {"samples": mel.flatten(1)}
    log_mel = mel if audio is None else mel * audio.std + audio.mean
    return {"mel": log_mel} if vocoder is None else {"samples": vocoder(log_mel)}


def trace_parallel(
    model: KokoroModel, inputs: GraphInputs, vocoder: NeuralVocoder | None = None
) -> ExportedProgram:
    """Return the program of a parallel model, for any number of phonemes and frames.

    Args:
        model: In evaluation mode.
        inputs: As `graph_inputs` returns them for `EXAMPLE` phonemes.
        vocoder: As of `ParallelGraph`.

    Raises:
        ExportError: A part cannot be traced, or declares so.
    """
    refuse_declared(model.spec)
    arguments, dynamic = traced_with(model, inputs)
    return trace(ParallelGraph(model, inputs, vocoder), arguments, dynamic)
