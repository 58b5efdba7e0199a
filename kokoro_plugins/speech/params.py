"""The settings of the speech plugin's components."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import CorpusParams, VocoderParams
from kokoro_plugins.speech.frontend_params import EspeakFrontendParams, LexiconFrontendParams
from kokoro_plugins.speech.speakers_file import NAME_FILES, names_in
from kokoro_plugins.speech.text.languages import is_voice
from kokoro_plugins.speech.vocabulary import VOICES

__all__ = [
    "EspeakCorpusParams",
    "EspeakFrontendParams",
    "FolderCorpusParams",
    "GriffinLimParams",
    "LexiconFrontendParams",
]

if TYPE_CHECKING:
    from kokoro_core.contracts import Corpus, Frontend, Vocoder


def _check_voice(voice: str) -> str:
    """Refuse voices of other languages.

    Raises:
        ValueError: The vocabulary does not have the sounds of the voice.
    """
    if voice.partition("+")[0] not in VOICES or not is_voice(voice):
        raise ValueError(
            f"{voice!r} is no voice whose sounds the vocabulary of 63 symbols of English has; "
            f"those are {', '.join(map(repr, VOICES))}, with a variant of espeak-ng's if wanted "
            f"('en-us+f3')"
        )
    return voice


Voice = Annotated[str, AfterValidator(_check_voice)]
"""An English voice of espeak-ng."""


FROM_RECORDINGS = frozenset({"energy", "pitch", "voiced", "wave"})
"""The features that are computed from recordings."""


class GriffinLimParams(VocoderParams):
    """Griffin-Lim: phases by alternating projections (Griffin and Lim, 1984).

    Attributes:
        iterations: Projections; more sound better and take longer.
        momentum: Of the fast variant (Perraudin et al., 2013); 0 is the original.
        seed: Of the phases that it starts from, the same for every row.
    """

    type: Literal["griffin_lim"] = "griffin_lim"
    iterations: int = Field(default=60, ge=1)
    momentum: float = Field(default=0.99, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)

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
        durations: Whether its file of durations is read; null: if it is there. Without it the
            phonemes are those that the frontend makes of the texts.
        cache_mib: Mels are kept in memory up to this size; the rest are made each time.
    """

    type: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    durations: bool | None = None
    cache_mib: int = Field(default=512, ge=0)

    @property
    def has_durations(self) -> bool:
        """Whether the file of durations is read."""
        there = (Path(self.path) / "durations.csv").exists()
        nothing = not Path(self.path).is_dir()  # what is missing there is said as it is read
        return (there or nothing) if self.durations is None else self.durations

    @property
    def gives_features(self) -> frozenset[str]:
        """What recordings and phonemes say, and the names that there are files of."""
        names = [name for name, file in NAME_FILES.items() if (Path(self.path) / file).exists()]
        return FROM_RECORDINGS | {"mark", *names}

    @property
    def gives_names(self) -> Mapping[str, frozenset[str]]:
        """The names in those files."""
        return names_in(Path(self.path))

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
            has_durations=self.has_durations,
            cache_bytes=self.cache_mib * 2**20,
        )


MAX_SENTENCES = 20_000
"""As many as the grammar of the corpus `espeak` makes without running dry."""


class EspeakCorpusParams(CorpusParams):
    """Short English sentences spoken by espeak-ng, written to a folder and read from it.

    Attributes:
        path: The folder to write; one that this recipe wrote before is read as it is.
        durations: Whether its file of durations is read.
        sentences: How many.
        seed: Decides which.
        voice: As of the frontend `espeak`.
    """

    type: Literal["espeak"] = "espeak"
    path: str = Field(min_length=1)
    durations: bool = True
    sentences: int = Field(default=315, ge=1, le=MAX_SENTENCES)
    seed: int = Field(default=0, ge=0)
    voice: Voice = "en-us"

    @property
    def has_durations(self) -> bool:
        """Whether the file of durations is read."""
        return self.durations

    @property
    def gives_features(self) -> frozenset[str]:
        """What recordings and phonemes say."""
        return FROM_RECORDINGS | {"mark"}

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus, made now if it does not exist yet.

        Raises:
            CorpusError: The folder holds something else, or espeak-ng cannot speak so.
        """
        from kokoro_plugins.speech.espeak_corpus import Recipe, make_corpus
        from kokoro_plugins.speech.folder import FolderCorpus

        recipe = Recipe.of(audio=audio, sentences=self.sentences, seed=self.seed, voice=self.voice)
        make_corpus(Path(self.path), recipe, audio)
        return FolderCorpus(
            path=Path(self.path), audio=audio, frontend=frontend, has_durations=self.durations
        )
