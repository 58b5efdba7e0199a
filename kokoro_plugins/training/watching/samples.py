"""`Sampler`: how what is held out sounds and looks while a model is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, final

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import Utterance
from kokoro_core.generation import Generation
from kokoro_core.model import ModelOutput, TrainingBatch
from kokoro_core.speaking.vocoding import vocoder_of
from kokoro_core.spec.rules.waves import gives_wave
from kokoro_plugins.training.data.collate import collate, denormalise
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import generate_batch, mels_of
from kokoro_plugins.training.pictures import alignment_picture, mels_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEARD = 1
"""Utterances of what is held out, the first ones, that are spoken at each validation."""


@dataclass(frozen=True)
class Sample:
    """What a model makes of an utterance.

    Attributes:
        name: Of the utterance.
        sounds: Samples from -1 to 1, by what they are.
        pictures: By what they show.
    """

    name: str
    sounds: Mapping[str, Tensor]
    pictures: Mapping[str, Figure]


class Samples(Protocol):
    """Makes samples of what is held out with what is trained, as it is then."""

    @property
    def sample_rate(self) -> int:
        """Of the sounds."""

    def samples(self, *, with_recordings: bool) -> Iterator[Sample]:
        """Yield a sample of each utterance.

        Args:
            with_recordings: Whether the recordings are among the sounds.
        """


@final
class Sampler:
    """Lets a model speak what is held out, with durations of its own.

    Args:
        model: Without a vocoder, and a decoder that gives waves, nothing is heard of it; nor
            through a vocoder that has no weights yet.
        data: What is held out.
    """

    def __init__(self, model: KokoroModel, data: AlignedSpeech) -> None:
        self._model = model
        self._spec = model.spec
        self._data = data

    @cached_property
    def _utterances(self) -> Sequence[Utterance]:
        return [self._data.held_out[index] for index in range(min(HEARD, len(self._data.held_out)))]

    @cached_property
    def _symbols(self) -> Sequence[str]:
        frontend = self._spec.frontend
        return [] if frontend is None else frontend.build(self._spec.sizes).symbols

    @cached_property
    def _to_samples(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """What turns a mel (1, T, M) and its length into samples (S,)."""
        spec, audio = self._spec, self._data.audio
        if spec.vocoder is None or (spec.vocoder.trained and self._model.vocoder is None):
            return None
        vocoder = vocoder_of(self._model)
        return lambda mel, lengths: vocoder.decode(denormalise(mel, audio), lengths)[0]

    @property
    def sample_rate(self) -> int:
        """That of the recordings."""
        return self._data.audio.sample_rate

    def samples(self, *, with_recordings: bool) -> Iterator[Sample]:
        """Yield a sample of each utterance, the model being in evaluation mode.

        Args:
            with_recordings: Whether the recordings are among the sounds, through the vocoder.
        """
        model = self._model
        device = next(model.parameters()).device
        for each in self._utterances:
            alone = collate(
                [each], self._data.audio, self._data.pad_id, features=self._data.features
            )
            batch = alone.to(device)
            with torch.no_grad():
                output: ModelOutput = model(batch)
            made = generate_batch(model, batch)
            sounds = self._heard("spoken", made.mel, made.lengths)
            if with_recordings:
                sounds |= self._heard("recording", batch.mel_specs, batch.lengths, is_mel=True)
            yield Sample(each.name, sounds, self._pictures(each, model, batch, output, made))

    def _heard(
        self, what: str, made: Tensor, lengths: Tensor, *, is_mel: bool = False
    ) -> dict[str, Tensor]:
        """Return a sound of what was made, unless nothing was or nothing can make it one."""
        if not int(lengths[0]):
            return {}
        if gives_wave(self._spec.decoder) and not is_mel:
            # (1, T, hop) -> (T * hop,)
            return {what: made[0, : int(lengths[0])].float().cpu().flatten()}
        to_samples = self._to_samples
        return {} if to_samples is None else {what: to_samples(made.float().cpu(), lengths.cpu())}

    def _pictures(
        self,
        utterance: Utterance,
        model: KokoroModel,
        batch: TrainingBatch,
        output: ModelOutput,
        made: Generation,
    ) -> dict[str, Figure]:
        mels = {
            "recording": batch.mel_specs,
            "model, in training": mels_of(model, output.mel, batch.lengths),
            "model, own durations": mels_of(model, made.mel, made.lengths),
        }
        shown = {name: each[0].float().cpu() for name, each in mels.items() if each.shape[1]}
        pictures = {"mel": mels_picture(shown, utterance.name)}
        if output.plan is None:
            return pictures
        durations = {"in training": output.plan.durations[0].tolist()}
        if made.durations is not None:
            durations["the model's own"] = made.durations[0].tolist()
        soft = None if output.soft is None else output.soft[0].float().cpu()
        symbols = self._names(utterance)
        pictures["alignment"] = alignment_picture(symbols, durations, soft, utterance.name)
        return pictures

    def _names(self, utterance: Utterance) -> list[str]:
        indices = utterance.phoneme_indices.tolist()
        return [self._symbols[index] if self._symbols else str(index) for index in indices]
