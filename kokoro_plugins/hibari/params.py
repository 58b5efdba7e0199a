"""The settings of hibari's frontend and corpus; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import params_from
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import CORPUS, CorpusParams, FrontendParams, NormalizerParams
from kokoro_plugins.hibari.lexicon import lexicon_problems, read_lexicon
from kokoro_plugins.hibari.recipe import TELLS_ITS_PITCH, Recipe, Voices, check_audio
from kokoro_plugins.hibari.sentences import Part
from kokoro_plugins.hibari.symbols import PAD, SYMBOLS
from registry import installed_plugins

if TYPE_CHECKING:
    from kokoro_core.contracts import Corpus, Frontend

MAX_SENTENCES = 20_000
FEATURES = frozenset({"energy", "mark", "pitch", "voiced", "wave"})


def _check_lexicon(lexicon: str) -> str:
    wrong = lexicon_problems(lexicon)
    if wrong:
        raise ValueError(f"{'; '.join(wrong[:3])}; a line is a word and its sounds")
    return lexicon


class HibariFrontendParams(FrontendParams):
    """English text to the phonemes of Kokoro-82M by hibari-tts's own rules, without espeak-ng.

    It needs the package hibari-tts (``kokoro-core[voices]``).

    Attributes:
        normalizer: Writes a text in words first; what it leaves, and everything if null, hibari-tts
            reads by its own rules.
        lexicon: Words that are spoken otherwise, a line each: the word and its sounds.
    """

    type: Literal["hibari"] = "hibari"
    normalizer: NormalizerParams | None = None
    lexicon: Annotated[str, AfterValidator(_check_lexicon)] = ""

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what does not fit between symbols, normalizer and model."""
        yield from _symbol_problems(sizes)
        known = None if self.normalizer is None else self.normalizer.languages
        if self.normalizer is not None and known is not None and "en" not in known:
            yield (
                "normalizer",
                f"the normalizer `{self.normalizer.type}` knows {', '.join(sorted(known))}, but "
                f"the frontend reads en; leave it out, and the frontend reads numbers itself",
            )

    def build(self, sizes: Sizes) -> Frontend:
        """Return the frontend.

        Raises:
            ValueError: Settings do not fit the model, or hibari-tts is not installed.
        """
        from kokoro_plugins.hibari.frontend import HibariFrontend
        from kokoro_plugins.hibari.package import make_g2p

        problems = [message for _, message in self.cross_check(sizes)]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return HibariFrontend(
            g2p=make_g2p(),
            normalizer=None if self.normalizer is None else self.normalizer.build(),
            lexicon=read_lexicon(self.lexicon),
        )


def _symbol_problems(sizes: Sizes) -> Iterator[tuple[str, str]]:
    """Yield what does not fit between the symbols and a model."""
    if sizes.vocab_size != len(SYMBOLS):
        yield (
            "type",
            f"the frontend `hibari` has {len(SYMBOLS)} symbols, but `vocab_size` is "
            f"{sizes.vocab_size}; set `vocab_size: {len(SYMBOLS)}`",
        )
    if sizes.pad_id != SYMBOLS.index(PAD):
        yield (
            "type",
            f"the frontend `hibari` pads with {SYMBOLS.index(PAD)}, but `pad_id` is "
            f"{sizes.pad_id}; set `pad_id: {SYMBOLS.index(PAD)}`",
        )


class HibariCorpusParams(CorpusParams):
    """Natural English speech by the voice of hibari-tts, written to a folder and read from it.

    Durations and pitch are those that the voice was made to speak with. It needs the package
    hibari-tts (``kokoro-core[voices]``) and speaks 2,000 sentences in some minutes.

    Attributes:
        path: The folder to write; one that this recipe wrote before is read as it is.
        sentences: How many are trained on.
        held_out: How many beyond, the last ones, are to choose a model by.
        seed: Decides which.
        part: Of the sentences that there are; what is for reporting is in no corpus for training.
        voices: Who speaks: hibari-tts's voice, a second one to measure with, which needs
            ``kokoro-core[second-voice]`` and of which nothing may be shipped, or both in turn, with
            the feature ``speaker``.
        durations: Whether its file of durations is read.
        cache_mib: Mels are kept in memory up to this size; the rest are made each time.
    """

    type: Literal["hibari"] = "hibari"
    path: str = Field(min_length=1)
    sentences: int = Field(default=2000, ge=1, le=MAX_SENTENCES)
    held_out: int = Field(default=200, ge=0, le=MAX_SENTENCES)
    seed: int = Field(default=0, ge=0)
    part: Part = "training"
    voices: Voices = "heart"
    durations: bool = True
    cache_mib: int = Field(default=512, ge=0)

    @property
    def has_durations(self) -> bool:
        """Whether its file of durations is read."""
        return self.durations

    @property
    def gives_features(self) -> frozenset[str]:
        """What the voice knows, and what recordings and phonemes say."""
        return FEATURES | frozenset({"speaker"} if "+" in self.voices else ())

    def recipe(self) -> Recipe:
        """Return what decides what the folder holds.

        Raises:
            ValueError: hibari-tts is not installed.
        """
        from kokoro_plugins.hibari.package import package_version

        return Recipe(
            sentences=self.sentences + self.held_out,
            held_out=self.held_out,
            seed=self.seed,
            part=self.part,
            hibari_tts=package_version(),
            voices=self.voices,
        )

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus, made now if it does not exist yet.

        Raises:
            CorpusError: The folder holds something else, or the voice's frames are not the mel's.
            ValueError: hibari-tts is not installed.
        """
        from kokoro_plugins.hibari.corpus import HibariCorpus
        from kokoro_plugins.hibari.making import make_corpus

        check_audio(audio)
        recipe = self.recipe()
        make_corpus(Path(self.path), recipe)
        # The folder is one as anybody's, so what reads anybody's reads it.
        kind = installed_plugins().components.get(CORPUS, "folder")
        settings = {"path": self.path, "durations": self.durations, "cache_mib": self.cache_mib}
        folder = params_from(kind, settings).build(audio=audio, frontend=frontend)
        told = [each for each, voice in recipe.spoken_by().items() if voice == TELLS_ITS_PITCH]
        return HibariCorpus(path=Path(self.path), folder=folder, told=told)
