"""`AcousticModel`: parts handed in by keyword, and the flow of data through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import (
    Adaptor,
    Aligner,
    Conditioner,
    Decoder,
    DurationOutput,
    DurationPredictor,
    Encoder,
    EncoderOutput,
    Plan,
    Postnet,
    Regulator,
    answers,
)
from kokoro_core.contracts.answers import Callee
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.inputs import check_frames
from kokoro_core.model.side_inputs import call_part, check_extras
from kokoro_core.model.wiring import Wiring
from kokoro_core.spec.rules.intake import (
    ENCODER_HIDDEN,
    LATENTS,
    REFERENCE,
    REFERENCE_MASK,
    Intake,
    embedding_name,
)
from kokoro_core.tensors.durations import mean_over_phonemes
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
        mel: (B, T, M), refined if there is a postnet; of a decoder that gives a waveform the
            samples of each frame.
        mel_coarse: (B, T, M), the decoder's own, or None without a postnet.
        duration_pred: (B, N), or None.
        stop_logits: (B, T), or None for a decoder without a stop head.
        durations: (B, N) int64, the aligner's, or else the batch's.
        plan: How phonemes became frames, or None without a regulator.
        soft: (B, T, N), the aligner's probabilities, or None.
        predictions: What the adaptors predicted, by name.
        losses: The losses of the parts' own by place, each by its name in the model.
        replaced: The losses of the framework's that those stand for.
    """

    mel: Tensor
    mel_coarse: Tensor | None
    duration_pred: Tensor | None
    stop_logits: Tensor | None
    durations: Tensor | None = None
    plan: Plan | None = None
    soft: Tensor | None = None
    predictions: dict[str, Tensor] = field(default_factory=dict)
    losses: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()


@dataclass
class Made:
    """What the parts made by the way: losses by place, and the adaptors' predictions."""

    losses: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    predictions: dict[str, Tensor] = field(default_factory=dict)


@final
class AcousticModel(nn.Module):
    """Parts, and the flow of data through them; absent ones are skipped.

    Conditioners → encoder → aligner (in training) → duration predictor → token adaptors → plan,
    expand → frame adaptors → decoder → postnet.

    Args:
        encoder: Phoneme indices to hidden.
        duration_predictor: Hidden to durations, or None for a decoder that reads the phonemes.
        regulator: Hidden to memory, or None with the duration predictor.
        decoder: Memory to mel.
        postnet: Coarse mel to refined mel, or None.
        conditioners: Features to one vector an utterance, by name.
        aligner: Hidden and mel to durations in training, or None.
        token_adaptors: Hidden to hidden, by name and in this order.
        frame_adaptors: Memory to memory, by name and in this order.
        needs: For each part that takes side inputs their names, where there is no `wiring`.
        hidden_dim: Width of what the encoder returns; None: any.
        wiring: What the parts are given by keyword, and what they give by name.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        duration_predictor: DurationPredictor | None,
        regulator: Regulator | None,
        decoder: Decoder,
        postnet: Postnet | None = None,
        conditioners: Mapping[str, Conditioner] | None = None,
        aligner: Aligner | None = None,
        token_adaptors: Mapping[str, Adaptor] | None = None,
        frame_adaptors: Mapping[str, Adaptor] | None = None,
        needs: Mapping[str, frozenset[str]] | None = None,
        hidden_dim: int | None = None,
        wiring: Wiring | None = None,
    ) -> None:
        super().__init__()
        named = {place: Intake(names) for place, names in (needs or {}).items()}
        self.wiring = Wiring(named) if wiring is None else wiring
        self.hidden_dim = hidden_dim
        self.conditioners = nn.ModuleDict(conditioners)
        self.encoder = encoder
        self.conditioner_projections = nn.ModuleDict(
            {
                name: nn.Linear(self.wiring.widths[name], hidden_dim or 0)
                for name in self.conditioners
                if name in self.wiring.added
            }
        )
        self.aligner = aligner
        self.duration_predictor = duration_predictor
        self.token_adaptors = nn.ModuleDict(token_adaptors)
        self.regulator = regulator
        self.frame_adaptors = nn.ModuleDict(frame_adaptors)
        self.decoder = decoder
        self.postnet = postnet

    @property
    def extras(self) -> frozenset[str]:
        """Names of the side inputs that the caller must give in training."""
        return self.wiring.required(training=True)

    def forward(self, batch: TrainingBatch, noise: RowNoise | None = None) -> Prediction:
        """Predict a training batch, the decoder fed with the true frames.

        Args:
            batch: The batch.
            noise: For the parts that sample; None: from torch's global generator.
        """
        mask, mel_mask = batch.padding_mask, batch.mel_padding_mask
        made, extras = Made(), self._with_reference(batch)
        available = self.side_inputs(extras, mask, mel_mask, training=True, noise=noise)
        self._add_latents(batch, available)
        encoded = self.encode(batch.phoneme_indices, mask, available, made)
        hidden = encoded.hidden
        durations, soft = self._align(hidden, batch, available, made)
        adapted = self.adapt_tokens(hidden, durations, mask, available, made)
        memory = self.build_memory(
            adapted, durations, mask, batch.mel_specs.shape[1], available, made
        )
        fed = memory.vectors, memory.padding_mask, batch.mel_specs, mel_mask
        callee, output = self._call("decoder", available, *fed)
        rows, frames, channels = batch.mel_specs.shape
        width = self.wiring.samples or channels
        output = answers.decoder_output(output, (rows, frames, width), callee)
        # Runs after the decoder, so that its activations are freed before the decoder's backward
        # peak.
        predicted = self._predict_durations(hidden, mask, durations, available)
        self._note("decoder", output.losses, made)
        self._note("duration_predictor", predicted.losses, made)
        return Prediction(
            mel=self.refine(output.mel, mel_mask, available),
            mel_coarse=None if self.postnet is None else output.mel,
            duration_pred=predicted.duration_pred,
            stop_logits=output.stop_logits,
            durations=durations,
            plan=memory.plan,
            soft=soft,
            predictions=made.predictions,
            losses=made.losses,
            replaced=self._replaced(made),
        )

    def _with_reference(self, batch: TrainingBatch) -> Mapping[str, Any]:
        """Return the batch's side inputs, with its own mels as the recordings to follow."""
        if REFERENCE in batch.extras or not self.wiring.is_needed(REFERENCE):
            return batch.extras
        recordings = {REFERENCE: batch.mel_specs, REFERENCE_MASK: batch.mel_padding_mask}
        wanted = {name: each for name, each in recordings.items() if self.wiring.is_needed(name)}
        return wanted | dict(batch.extras)

    def side_inputs(
        self,
        extras: Mapping[str, Any],
        *padding_masks: Tensor,
        training: bool,
        noise: RowNoise | None = None,
        options: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Return all side inputs there are before the encoder runs.

        Args:
            extras: The caller's.
            *padding_masks: Those of the phonemes and, in training, of the frames.
            training: Whether the features of training are wanted, or those of speaking.
            noise: For the parts that sample; None: from torch's global generator.
            options: The numbers with which the parts speak, by full name.

        Raises:
            TypeError: One is unknown, missing or None.
            ValueError: One has not a row for each utterance, or is not finite.
        """
        required = self.wiring.required(training=training)
        check_extras(extras, self.wiring.given().keys(), required, *padding_masks)
        available = {**extras, **(options or {})}
        if self.wiring.is_needed("noise") or getattr(self.decoder, "draws_in_step", False):
            available["noise"] = noise or RowNoise.from_global(padding_masks[0].shape[0])
        if self.wiring.latents:
            available[LATENTS] = None
        for name in self.conditioners:
            place = f"conditioners.{name}"
            callee, embedding = self._call(place, available)
            shape = padding_masks[0].shape[0], self.wiring.widths.get(name)
            available[embedding_name(name)] = answers.tensor(embedding, shape, callee)
        return available

    def encode(
        self,
        phoneme_indices: Tensor,
        padding_mask: Tensor,
        available: dict[str, Any],
        made: Made | None = None,
    ) -> EncoderOutput:
        """Return hidden (B, N, H) with the conditioners added, and the encoder's other parts.

        Both are available by name from now on.
        """
        callee, output = self._call("encoder", available, phoneme_indices, padding_mask)
        shape = (*padding_mask.shape[:2], self.hidden_dim)
        output = answers.encoder_output(output, shape, self.wiring.parts, callee)
        hidden = output.hidden
        for name, projection in self.conditioner_projections.items():
            hidden = hidden + projection(available[embedding_name(name)]).unsqueeze(1)
        if len(self.conditioner_projections):
            hidden = hidden.masked_fill(padding_mask.unsqueeze(2), 0)
        self._note("encoder", output.losses, made)
        available.update(output.parts)
        available[ENCODER_HIDDEN] = hidden
        return EncoderOutput(hidden, output.parts, output.losses)

    def _add_latents(self, batch: TrainingBatch, available: dict[str, Any]) -> None:
        """Make the latents of the true mel available, if the decoder has any and a part needs them.

        The search for an alignment reads them in the mel's stead; the decoder, which has them then,
        does not map the mel twice.
        """
        if not (self.wiring.latents and self.wiring.is_needed(LATENTS)):
            return
        callee = Callee("decoder", self.decoder, "latents")
        given = self.wiring.pick("decoder", available, early=True)
        made = call_part(callee, batch.mel_specs, batch.mel_padding_mask, **given)
        rows, frames = batch.mel_padding_mask.shape
        available[LATENTS] = answers.latents(made, (rows, frames), callee)

    def _align(
        self, hidden: Tensor, batch: TrainingBatch, available: Mapping[str, Any], made: Made
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the aligner's durations and probabilities; without one the batch's durations."""
        if self.aligner is None:
            return batch.durations, None
        given = hidden, batch.padding_mask, batch.mel_specs, batch.mel_padding_mask
        callee, output = self._call("aligner", available, *given)
        shape = (*batch.padding_mask.shape[:2], batch.mel_specs.shape[1])
        output = answers.aligner_output(output, shape, callee)
        check_frames(output.durations, batch.lengths, f"{callee} must fill each mel, but")
        self._note("aligner", output.losses, made)
        return output.durations, output.soft

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

    def adapt_tokens(
        self,
        hidden: Tensor,
        durations: Tensor | None,
        padding_mask: Tensor,
        available: Mapping[str, Any],
        made: Made | None = None,
    ) -> Tensor:
        """Return hidden as the token adaptors leave it."""
        return self._adapt("token_adaptors", hidden, durations, padding_mask, available, made)

    def _adapt(
        self,
        key: str,
        x: Tensor,
        durations: Tensor | None,
        padding_mask: Tensor,
        available: Mapping[str, Any],
        made: Made | None,
    ) -> Tensor:
        for name in getattr(self, key):
            place = f"{key}.{name}"
            target = self._target(place, durations, available)
            callee, output = self._call(place, available, x, padding_mask, target=target)
            rows, steps, width = x.shape
            output = answers.adaptor_output(output, (rows, steps, width), callee)
            self._note(place, output.losses, made)
            if made is not None and output.prediction is not None:
                made.predictions[name] = output.prediction
            x = output.x
        return x

    def _target(
        self, place: str, durations: Tensor | None, available: Mapping[str, Any]
    ) -> Tensor | None:
        """Return what an adaptor learns from, one value a phoneme or a frame; None: not given."""
        intake = self.wiring.intakes.get(place)
        if intake is None or intake.target is None:
            return None
        target: Tensor | None = available.get(intake.target.name)
        if target is None or durations is None or not intake.target.averaged:
            return target
        return mean_over_phonemes(target, durations)

    def build_memory(
        self,
        hidden: Tensor,
        durations: Tensor | None,
        padding_mask: Tensor,
        num_frames: int | None,
        available: dict[str, Any],
        made: Made | None = None,
    ) -> Memory:
        """Return what the decoder reads: hidden expanded to frames and adapted, or as it is.

        The plan, and the encoder's parts with one vector a frame, are available from now on.
        """
        if self.regulator is None or durations is None:
            available["plan"] = None
            return Memory(hidden, padding_mask, None)
        given = hidden, durations, padding_mask, num_frames
        callee, plan = self._call("regulator", available, *given, method="plan")
        rows, phonemes = padding_mask.shape
        plan = answers.plan(plan, (rows, phonemes), num_frames, callee)
        expanded = self._expand(plan, hidden, callee)
        for name in (*self.wiring.parts, ENCODER_HIDDEN):
            if self.wiring.is_needed(name):
                available[name] = self._expand(plan, available[name], callee)
        available["plan"] = plan
        mask = plan.padding_mask
        memory = self._adapt("frame_adaptors", expanded, durations, mask, available, made)
        return Memory(memory, mask, plan)

    def _expand(self, plan: Plan, x: Tensor, callee: Callee) -> Tensor:
        assert self.regulator is not None
        shape = (*plan.padding_mask.shape, x.shape[2])
        expanded = self.regulator.expand(plan, x)
        return answers.tensor(expanded, shape, callee._replace(method="expand"))

    def refine(self, mel: Tensor, padding_mask: Tensor, available: Mapping[str, Any]) -> Tensor:
        """Return the mel after the postnet, or as it is without one or without a frame."""
        if self.postnet is None or mel.shape[1] == 0:
            return mel
        callee, refined = self._call("postnet", available, mel, padding_mask)
        return answers.tensor(refined, tuple(mel.shape), callee)

    def part(self, place: str) -> nn.Module:
        """Return the part at a place, such as ``encoder`` or ``token_adaptors.pitch``."""
        key, _, name = place.partition(".")
        found: nn.Module = getattr(self, key)[name] if name else getattr(self, key)
        return found

    def _call(
        self,
        place: str,
        available: Mapping[str, Any],
        *args: Any,
        method: str = "forward",
        **keywords: Any,
    ) -> tuple[Callee, Any]:
        """Call an entry point of a part with the side inputs that it needs; return what it made."""
        callee = Callee(place, self.part(place), method)
        given = self.wiring.pick(place, available)
        return callee, call_part(callee, *args, **keywords, **given)

    def _note(self, place: str, losses: Mapping[str, Tensor], made: Made | None) -> None:
        if made is not None and losses:
            made.losses[place] = self.wiring.named(place, losses)

    def _replaced(self, made: Made) -> tuple[str, ...]:
        """Return the losses of the framework's that those of the parts stand for."""
        return tuple(
            sorted({name for place in made.losses for name in self.wiring.replaced(place)})
        )
