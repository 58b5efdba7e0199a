"""From text to samples, with the frontend and the vocoder of a model's spec."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, final, overload

from kokoro_core.speaking.options import SpeakingOptions
from kokoro_core.speaking.readings import Reading, given_readings, readings_of
from kokoro_core.speaking.result import SpokenSentence, SynthesisResult, joined
from kokoro_core.speaking.sentence import only_row, spoken_sentence
from kokoro_core.speaking.sound_files import write_sound, write_wav
from kokoro_core.speaking.times import TimedWord
from kokoro_core.speaking.vocoding import samples_of
from kokoro_core.spec.rules.side_inputs import refusal_of_side_inputs
from kokoro_core.spec.rules.waves import gives_wave

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kokoro_core.api import KokoroModel
    from kokoro_core.generation import Generation, GenerationRequest
    from kokoro_core.spec.tree.model_spec import ModelSpec

__all__ = [
    "Reading",
    "SpokenSentence",
    "SynthesisResult",
    "TextToSpeech",
    "TimedWord",
    "speak",
    "speak_sentences",
    "write_sound",
    "write_wav",
]


@overload
def speak(
    model: KokoroModel,
    text: str,
    *,
    phonemes: bool = ...,
    dtype: torch.dtype | None = ...,
    **options: Unpack[SpeakingOptions],
) -> SynthesisResult: ...


@overload
def speak(
    model: KokoroModel,
    text: str,
    *,
    phonemes: bool = ...,
    dtype: torch.dtype | None = ...,
    **options: Any,
) -> SynthesisResult: ...


def speak(
    model: KokoroModel,
    text: str,
    *,
    phonemes: bool = False,
    dtype: torch.dtype | None = None,
    **options: Any,
) -> SynthesisResult:
    """Synthesize a text, sentence by sentence, with the frontend and the vocoder of the spec.

    Args:
        model: The model.
        text: The text; blank lines part paragraphs.
        phonemes: Whether the text is the frontend's symbols with blanks between them.
        dtype: The precision of the decoder; None: the model's.
        **options: Those of `KokoroModel.generate`, for each sentence, and the model's features:
            names, numbers, and tensors on any device. What is not given is as the spec's section
            ``generation`` has it.

    Raises:
        ValueError: The spec has no frontend, no vocoder or no audio section, its vocoder has no
            weights, it needs side inputs, or the model's first frame is not finite.
        FrontendError: The text contains nothing to speak, or something without a symbol.
    """
    spoken = speak_sentences(model, text, phonemes=phonemes, dtype=dtype, **options)
    return joined(list(spoken))


@overload
def speak_sentences(
    model: KokoroModel,
    text: str,
    *,
    phonemes: bool = ...,
    dtype: torch.dtype | None = ...,
    **options: Unpack[SpeakingOptions],
) -> Iterator[SpokenSentence]: ...


@overload
def speak_sentences(
    model: KokoroModel,
    text: str,
    *,
    phonemes: bool = ...,
    dtype: torch.dtype | None = ...,
    **options: Any,
) -> Iterator[SpokenSentence]: ...


def speak_sentences(
    model: KokoroModel,
    text: str,
    *,
    phonemes: bool = False,
    dtype: torch.dtype | None = None,
    **options: Any,
) -> Iterator[SpokenSentence]:
    """Return an iterator over the sentences of a text, each synthesized when it is asked for.

    The whole text is read before, so that nothing is spoken of one that cannot be spoken.

    Args:
        model: The model.
        text: As of `speak`.
        phonemes: As of `speak`.
        dtype: As of `speak`.
        **options: As of `speak`.

    Raises:
        ValueError: As `speak`.
        FrontendError: As `speak`.
    """
    return TextToSpeech(model).sentences(text, phonemes=phonemes, dtype=dtype, **options)


@final
class TextToSpeech:
    """A model with the frontend and the vocoder of its spec, which are built once for many texts.

    Args:
        model: The model.

    Raises:
        ValueError: The spec has no frontend, no vocoder or no audio section, its vocoder has no
            weights, or it needs side inputs.
    """

    def __init__(self, model: KokoroModel) -> None:
        _check_speaks(model.spec)
        assert model.spec.frontend is not None
        self.model = model
        self._to_samples = samples_of(model)
        self._frontend = model.spec.frontend.build(model.spec.sizes)

    def read(self, text: str, *, phonemes: bool = False) -> list[Reading]:
        """Return the sentences of a text as the frontend reads them.

        Args:
            text: As of `speak`.
            phonemes: As of `speak`.

        Raises:
            FrontendError: The text contains nothing to speak, or something without a symbol.
        """
        read = given_readings if phonemes else readings_of
        return list(read(self._frontend, text))

    def sentences(
        self, text: str, *, phonemes: bool = False, **options: Any
    ) -> Iterator[SpokenSentence]:
        """Do what `speak_sentences` does, for one text of many.

        Args:
            text: As of `speak`.
            phonemes: As of `speak`.
            **options: As of `speak`.

        Raises:
            ValueError: As `speak`.
            FrontendError: As `speak`.
        """
        readings = self.read(text, phonemes=phonemes)
        return (next(self.speak([each], **options)) for each in readings)

    def speak(self, readings: Sequence[Reading], **options: Any) -> Iterator[SpokenSentence]:
        """Return an iterator over sentences that are synthesized in one batch.

        Each is what it is alone. All mels are there when it returns, and the sound of each when it
        is asked for, so that the first one does not wait for the vocoder's work on the others.

        Args:
            readings: What `read` returned, of one text or of several.
            **options: Those of `KokoroModel.generate` and the model's features, for all sentences
                or with a row for each.

        Raises:
            ValueError: An option does not fit, or the first frame of a sentence is not finite.
        """
        model = self.model
        result = model.generate(self._phonemes(readings), **_placed(options, model))
        _check_spoken(result)
        speed = self._speed(options)
        rows = [only_row(result, row, reading) for row, reading in enumerate(readings)]
        return (
            spoken_sentence(model.spec, reading, row, self._to_samples(row)[0], speed)
            for reading, row in zip(readings, rows, strict=True)
        )

    def speak_many(
        self,
        sentences: Iterable[tuple[Reading, Mapping[str, Any]] | None],
        *,
        rows: int = 8,
        wanted: Callable[[int], bool] = lambda index: True,
    ) -> Iterator[tuple[int, SpokenSentence]]:
        """Synthesize sentences as they come; one that ends makes place for the next.

        Args:
            sentences: What `read` returned, each with its own options; None: none is waiting now.
            rows: As of `KokoroModel.generate_many`.
            wanted: As of `KokoroModel.generate_many`.

        Returns:
            An iterator over each sentence's number and the sentence, in the order in which they
            end.

        Raises:
            ValueError: As `speak`.
        """
        taken: dict[int, tuple[Reading, Any]] = {}

        def requests() -> Iterator[GenerationRequest | None]:
            count = itertools.count()
            for each in sentences:
                if each is None:
                    yield None
                    continue
                reading, options = each
                taken[next(count)] = reading, self._speed(options)
                phonemes = self._phonemes([reading])
                yield self.model.request(phonemes, **_placed(options, self.model))

        def is_wanted(index: int) -> bool:
            if not wanted(index):
                taken.pop(index, None)
            return index in taken

        for index, result in self.model.generate_many(requests(), rows=rows, wanted=is_wanted):
            reading, speed = taken.pop(index)
            _check_spoken(result)
            samples = self._to_samples(result)[0]
            yield index, spoken_sentence(self.model.spec, reading, result, samples, speed)

    def _speed(self, options: Mapping[str, Any]) -> Any:
        """Return the speed that is asked for, or else the spec's."""
        speed = options.get("speed")
        return self.model.spec.generation.speed if speed is None else speed

    def _phonemes(self, readings: Sequence[Reading]) -> Tensor:
        """Return the indices of sentences, (B, N), padded."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        rows = [torch.tensor(each.indices) for each in readings]
        padded = pad_sequence(rows, batch_first=True, padding_value=self.model.spec.pad_id)
        return padded.to(next(self.model.parameters()).device)


def _check_spoken(result: Generation) -> None:
    """Refuse a generation of which a row has no frame.

    Raises:
        ValueError: It has.
    """
    if int(result.lengths.min()) == 0:
        raise ValueError(
            "The model's first frame is not finite, so nothing was spoken; look at its "
            "weights, or speak in another precision."
        )


def _placed(options: Mapping[str, Any], model: KokoroModel) -> dict[str, Any]:
    """Return options with their tensors on the device of a model, numbers in its precision."""
    from torch import Tensor

    like = next(model.parameters())
    return {
        name: each.to(like.device, like.dtype if each.is_floating_point() else each.dtype)
        if isinstance(each, Tensor)
        else each
        for name, each in options.items()
    }


def _check_speaks(spec: ModelSpec) -> None:
    """Reject a spec that cannot turn text into sound.

    Raises:
        ValueError: The spec lacks a section, or needs more than a text.
    """
    wanted = ("frontend", "audio") if gives_wave(spec.decoder) else ("frontend", "vocoder", "audio")
    absent = [f"`{name}`" for name in wanted if getattr(spec, name) is None]
    if absent:
        raise ValueError(
            f"The model's spec has no {' and no '.join(absent)}; a model that is to speak from "
            f"text needs `frontend`, `vocoder` and `audio`."
        )
    refusal = refusal_of_side_inputs(spec)
    if refusal is not None:
        raise ValueError(f"{refusal}.")
