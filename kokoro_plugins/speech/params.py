"""The settings of the speech plugin's components."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import CorpusParams, FrontendParams, VocoderParams
from kokoro_plugins.speech.vocabulary import PAD_ID, SYMBOLS, VOICES

if TYPE_CHECKING:
    from kokoro_core.contracts import Corpus, Frontend, Vocoder


def _check_voice(voice: str) -> str:
    """Refuse voices of other languages.

    Raises:
        ValueError: The vocabulary does not have the sounds of the voice.
    """
    if not re.fullmatch(rf"({'|'.join(map(re.escape, VOICES))})(\+\w+)?", voice):
        raise ValueError(
            f"{voice!r} is no voice whose sounds the vocabulary of 63 symbols of English has; "
            f"those are {', '.join(map(repr, VOICES))}, with a variant of espeak-ng's if wanted "
            f"('en-us+f3')"
        )
    return voice


Voice = Annotated[str, AfterValidator(_check_voice)]
"""An English voice of espeak-ng."""


class EspeakFrontendParams(FrontendParams):
    """English text to IPA phonemes with espeak-ng, which the package espeakng-loader carries.

    Attributes:
        voice: ``en-us``, ``en-us-nyc``, ``en-gb`` or ``en-gb-x-rp``, with a variant of espeak-ng's
            if wanted (``en-us+f3``).
    """

    type: Literal["espeak"] = "espeak"
    voice: Voice = "en-us"

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield a problem if the model has other symbols than the frontend."""
        if sizes.vocab_size != len(SYMBOLS):
            yield (
                "type",
                f"the frontend `espeak` has {len(SYMBOLS)} symbols, but `vocab_size` is "
                f"{sizes.vocab_size}; set `vocab_size: {len(SYMBOLS)}`",
            )
        if sizes.pad_id != PAD_ID:
            yield (
                "type",
                f"the frontend `espeak` pads with {PAD_ID}, but `pad_id` is {sizes.pad_id}; "
                f"set `pad_id: {PAD_ID}`",
            )

    def build(self, sizes: Sizes) -> Frontend:
        """Return the frontend.

        Raises:
            ValueError: The model has other symbols, or espeak-ng has no such English voice.
        """
        from kokoro_plugins.speech.espeak import Espeak
        from kokoro_plugins.speech.espeak_library import library_of_this_process
        from kokoro_plugins.speech.frontend import EspeakFrontend

        problems = [message for _, message in self.cross_check(sizes)]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return EspeakFrontend(espeak=Espeak(self.voice, library=library_of_this_process))


class GriffinLimParams(VocoderParams):
    """Griffin-Lim: phases by alternating projections (Griffin and Lim, 1984).

    Attributes:
        iterations: Projections; more sound better and take longer.
        momentum: Of the fast variant (Perraudin et al., 2013); 0 is the original.
        seed: Of the phases that it starts from, the same for every row.
    """

    type: Literal["griffin_lim"] = "griffin_lim"
    iterations: int = Field(60, ge=1)
    momentum: float = Field(0.99, ge=0, lt=1)
    seed: int = Field(0, ge=0)

    def build(self, audio: AudioSettings) -> Vocoder:
        """Return the vocoder; it takes mels of any settings."""
        from kokoro_plugins.speech.griffin_lim import GriffinLim

        return GriffinLim(
            audio=audio, iterations=self.iterations, momentum=self.momentum, seed=self.seed
        )


class FolderCorpusParams(CorpusParams):
    """A folder in the manner of LJSpeech with a file of durations; docs/data.md describes it.

    Attributes:
        path: The folder.
        cache_mib: Mels are kept in memory up to this size; the rest are made each time.
    """

    type: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    cache_mib: int = Field(512, ge=0)

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus.

        Raises:
            CorpusError: The folder does not fit; the message lists every problem.
        """
        from kokoro_plugins.speech.folder import FolderCorpus

        return FolderCorpus(
            path=Path(self.path),
            audio=audio,
            frontend=frontend,
            cache_bytes=self.cache_mib * 2**20,
        )


MAX_SENTENCES = 20_000
"""As many as the grammar of the corpus `espeak` makes without running dry."""


class EspeakCorpusParams(CorpusParams):
    """Short English sentences spoken by espeak-ng, written to a folder and read from it.

    Attributes:
        path: The folder to write; one that this recipe wrote before is read as it is.
        sentences: How many.
        seed: Decides which.
        voice: As of the frontend `espeak`.
    """

    type: Literal["espeak"] = "espeak"
    path: str = Field(min_length=1)
    sentences: int = Field(315, ge=1, le=MAX_SENTENCES)
    seed: int = Field(0, ge=0)
    voice: Voice = "en-us"

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus, made now if it does not exist yet.

        Raises:
            CorpusError: The folder holds something else, or espeak-ng cannot speak so.
        """
        from kokoro_plugins.speech.espeak_corpus import Recipe, make_corpus
        from kokoro_plugins.speech.folder import FolderCorpus

        recipe = Recipe.of(audio=audio, sentences=self.sentences, seed=self.seed, voice=self.voice)
        make_corpus(Path(self.path), recipe, audio)
        return FolderCorpus(path=Path(self.path), audio=audio, frontend=frontend)
