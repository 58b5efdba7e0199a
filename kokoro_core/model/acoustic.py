"""`AcousticModel`: parts handed in by keyword, and the flow of data through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import (
    Decoder,
    DurationOutput,
    DurationPredictor,
    Encoder,
    Plan,
    Postnet,
    Regulator,
    answers,
)
from kokoro_core.contracts.answers import Callee
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.side_inputs import call_part, check_extras
from kokoro_core.spec.rules.side_inputs import extras_of
from kokoro_core.tensors.noise import RowNoise
from kokoro_core.tensors.pytree import register_pytree


@register_pytree
@dataclass(frozen=True)
class Memory:
    """What a decoder reads.

    Attributes:
        vectors: (B, T, H), one vector a frame; without a regulator (B, N, H), one a phoneme.
        padding_mask: (B, T) or (B, N) bool, True = padding.
        plan: How phonemes became frames, or None without a regulator.
    """

    vectors: Tensor
    padding_mask: Tensor
    plan: Plan | None


@register_pytree
@dataclass(frozen=True)
class Prediction:
    """What the parts made of a training batch.

    Attributes:
        mel: (B, T, M), refined if there is a postnet.
        mel_coarse: (B, T, M), the decoder's own, or None without a postnet.
        duration_pred: (B, N), or None.
        stop_logits: (B, T), or None for a decoder without a stop head.
        duration_losses: Losses of the duration predictor's own.
        decoder_losses: Losses of the decoder's own.
    """

    mel: Tensor
    mel_coarse: Tensor | None
    duration_pred: Tensor | None
    stop_logits: Tensor | None
    duration_losses: dict[str, Tensor] = field(default_factory=dict)
    decoder_losses: dict[str, Tensor] = field(default_factory=dict)


@final
class AcousticModel(nn.Module):
    """Encoder → duration predictor → plan, expand → decoder → postnet; absent parts are skipped.

    Args:
        encoder: Phoneme indices to hidden.
        duration_predictor: Hidden to durations, or None for a decoder that reads the phonemes.
        regulator: Hidden to memory, or None with the duration predictor.
        decoder: Memory to mel.
        postnet: Coarse mel to refined mel, or None.
        needs: For each part that takes side inputs their names.
        hidden_dim: Width of what the encoder returns; None: any.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        duration_predictor: DurationPredictor | None,
        regulator: Regulator | None,
        decoder: Decoder,
        postnet: Postnet | None = None,
        needs: Mapping[str, frozenset[str]] | None = None,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.encoder = encoder
        self.duration_predictor = duration_predictor
        self.regulator = regulator
        self.decoder = decoder
        self.postnet = postnet
        self.needs = dict(needs or {})

    @property
    def extras(self) -> frozenset[str]:
        """Names of the side inputs that the caller must give."""
        return extras_of(self.needs)

    def forward(self, batch: TrainingBatch) -> Prediction:
        """Predict a training batch, the decoder fed with the true frames."""
        mask, mel_mask = batch.padding_mask, batch.mel_padding_mask
        available = self.side_inputs(batch.extras, mask, mel_mask)
        hidden = self.encode(batch.phoneme_indices, mask, available)
        memory = self.build_memory(
            hidden, batch.durations, mask, batch.mel_specs.shape[1], available
        )
        available["plan"] = memory.plan
        fed = memory.vectors, memory.padding_mask, batch.mel_specs, mel_mask
        callee, output = self._call("decoder", available, *fed)
        rows, frames, channels = batch.mel_specs.shape
        output = answers.decoder_output(output, (rows, frames, channels), callee)
        # Runs after the decoder, so that its activations are freed before the decoder's backward
        # peak.
        predicted = self._predict_durations(hidden, mask, batch.durations, available)
        return Prediction(
            mel=self.refine(output.mel, mel_mask, available),
            mel_coarse=None if self.postnet is None else output.mel,
            duration_pred=predicted.duration_pred,
            stop_logits=output.stop_logits,
            duration_losses=predicted.losses,
            decoder_losses=output.losses,
        )

    def side_inputs(
        self, extras: Mapping[str, Any], *padding_masks: Tensor, noise: RowNoise | None = None
    ) -> dict[str, Any]:
        """Return all side inputs there are before the plan is made.

        Args:
            extras: The caller's.
            *padding_masks: Those of the phonemes and, in training, of the frames.
            noise: For the parts that sample; None: from torch's global generator.

        Raises:
            TypeError: One is unknown, missing or None.
            ValueError: One has not a row for each utterance, or is not finite.
        """
        check_extras(extras, self.extras, *padding_masks)
        available = dict(extras)
        if any("noise" in names for names in self.needs.values()):
            available["noise"] = noise or RowNoise.from_global(padding_masks[0].shape[0])
        return available

    def encode(
        self, phoneme_indices: Tensor, padding_mask: Tensor, available: Mapping[str, Any]
    ) -> Tensor:
        """Return hidden (B, N, H)."""
        callee, hidden = self._call("encoder", available, phoneme_indices, padding_mask)
        return answers.tensor(hidden, (*padding_mask.shape, self.hidden_dim), callee)

    def predict_frames(
        self, hidden: Tensor, padding_mask: Tensor, available: Mapping[str, Any]
    ) -> Tensor | None:
        """Return the frames of each phoneme (B, N), not rounded; None without a predictor."""
        if self.duration_predictor is None:
            return None
        given = hidden, padding_mask
        callee, frames = self._call("duration_predictor", available, *given, method="frames")
        return answers.tensor(frames, tuple(padding_mask.shape), callee)

    def _predict_durations(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None,
        available: Mapping[str, Any],
    ) -> DurationOutput:
        if self.duration_predictor is None:
            return DurationOutput(None)
        given = hidden, padding_mask, durations
        callee, output = self._call("duration_predictor", available, *given)
        rows, phonemes = padding_mask.shape
        return answers.duration_output(output, (rows, phonemes), callee)

    def build_memory(
        self,
        hidden: Tensor,
        durations: Tensor | None,
        padding_mask: Tensor,
        num_frames: int | None,
        available: Mapping[str, Any],
    ) -> Memory:
        """Return what the decoder reads: hidden expanded to frames, or as it is."""
        if self.regulator is None or durations is None:
            return Memory(hidden, padding_mask, None)
        given = hidden, durations, padding_mask, num_frames
        callee, plan = self._call("regulator", available, *given, method="plan")
        rows, phonemes = padding_mask.shape
        plan = answers.plan(plan, (rows, phonemes), num_frames, callee)
        expanded = answers.tensor(
            self.regulator.expand(plan, hidden),
            (*plan.padding_mask.shape, hidden.shape[2]),
            callee._replace(method="expand"),
        )
        return Memory(expanded, plan.padding_mask, plan)

    def refine(self, mel: Tensor, padding_mask: Tensor, available: Mapping[str, Any]) -> Tensor:
        """Return the mel after the postnet, or as it is without one or without a frame."""
        if self.postnet is None or mel.shape[1] == 0:
            return mel
        callee, refined = self._call("postnet", available, mel, padding_mask)
        return answers.tensor(refined, tuple(mel.shape), callee)

    def _call(
        self, slot: str, available: Mapping[str, Any], *args: Any, method: str = "forward"
    ) -> tuple[Callee, Any]:
        """Call an entry point of a part with the side inputs that it needs; return what it made."""
        callee = Callee(slot, getattr(self, slot), method)
        return callee, call_part(callee, *args, **self.pick(slot, available))

    def pick(self, slot: str, available: Mapping[str, Any]) -> dict[str, Any]:
        """Return exactly the side inputs that a part needs; its noise is a stream of its own."""
        wanted = {name: available[name] for name in sorted(self.needs.get(slot, ()))}
        if "noise" in wanted:
            wanted["noise"] = wanted["noise"].of(slot)
        return wanted
