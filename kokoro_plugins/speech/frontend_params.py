"""The settings of the frontends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from kokoro_core.params.component import Seq
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import FrontendParams, NormalizerParams
from kokoro_plugins.speech.text.languages import base_of, code_of, is_voice
from kokoro_plugins.speech.text.lexicon import read_lexicon, unknown_symbols
from kokoro_plugins.speech.vocabulary import PAD, SYMBOLS, VOICES

if TYPE_CHECKING:
    from kokoro_core.contracts import Frontend

SHOWN = 3
"""Words of a lexicon that a problem lists."""


def _check_voice(voice: str) -> str:
    if not is_voice(voice):
        raise ValueError(
            f"{voice!r} is no voice of espeak-ng; a voice is the code of a language, with a "
            f"variant if wanted, such as 'en-us', 'en-gb+f3' or 'de'"
        )
    return voice


def _check_language(language: str) -> str:
    if code_of(language) is None:
        raise ValueError(
            f"{language!r} is no language of espeak-ng, which has more than a hundred by code "
            f"or English name, such as 'de', 'german' or 'pt-br'"
        )
    return language


def _check_lexicon(lexicon: str) -> str:
    wrong = read_lexicon(lexicon)[1]
    if wrong:
        raise ValueError(f"{'; '.join(wrong[:SHOWN])}; a line is a word and its symbols")
    return lexicon


Lexicon = Annotated[str, AfterValidator(_check_lexicon)]
"""The lines of a lexicon: a word and its symbols each."""


def symbol_problems(symbols: tuple[str, ...], sizes: Sizes, name: str) -> Iterator[tuple[str, str]]:
    """Yield what does not fit between the symbols of a frontend and a model."""
    if sizes.vocab_size != len(symbols):
        yield (
            "type",
            f"the frontend `{name}` has {len(symbols)} symbols, but `vocab_size` is "
            f"{sizes.vocab_size}; set `vocab_size: {len(symbols)}`",
        )
    pad_id = symbols.index(PAD) if PAD in symbols else None
    if pad_id is None or len(set(symbols)) < len(symbols):
        what = "no" if pad_id is None else "twice one"
        yield "symbols", f"`symbols` has {what} {PAD!r} for padding; each symbol stands there once"
    elif sizes.pad_id != pad_id:
        yield (
            "type",
            f"the frontend `{name}` pads with {pad_id}, but `pad_id` is {sizes.pad_id}; "
            f"set `pad_id: {pad_id}`",
        )


def lexicon_problems(lexicon: str, symbols: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield a problem if a lexicon has symbols that the frontend has not."""
    known = set(symbols) - {PAD}
    unknown = list(unknown_symbols(read_lexicon(lexicon)[0], known))
    if unknown:
        listed = ", ".join(f"{symbol!r} in {word!r}" for word, symbol in unknown[:SHOWN])
        yield (
            "lexicon",
            f"the lexicon has {listed}, which {'is' if len(unknown) == 1 else 'are'} not among the "
            f"{len(symbols)} symbols of the frontend; write its words with those",
        )


def normalizer_problems(
    normalizer: NormalizerParams | None, language: str
) -> Iterator[tuple[str, str]]:
    """Yield a problem if a normalizer does not know the language of the voice."""
    known = None if normalizer is None else normalizer.languages
    if normalizer is not None and known is not None and language not in known:
        yield (
            "normalizer",
            f"the normalizer `{normalizer.type}` knows {', '.join(sorted(known))}, but the voice "
            f"speaks {language}; leave it out, and the frontend reads numbers itself",
        )


class EspeakFrontendParams(FrontendParams):
    """Text to IPA phonemes with espeak-ng, which the package espeakng-loader carries.

    Attributes:
        voice: The code of a language of espeak-ng's, such as ``en-us`` or ``en-gb``, with a variant
            if wanted (``en-us+f3``); null: the usual one of the language.
        language: A language by code or English name, in place of a voice; null with null: en-us.
        symbols: The symbol of each phoneme index, ``_`` for padding among them; null: the 63 of
            English.
        normalizer: Writes a text in words before espeak-ng reads it; null: espeak-ng reads numbers
            and abbreviations by its own rules.
        lexicon: Words that are spoken otherwise, a line each: the word and its symbols.
    """

    type: Literal["espeak"] = "espeak"
    voice: Annotated[str, AfterValidator(_check_voice)] | None = None
    language: Annotated[str, AfterValidator(_check_language)] | None = None
    symbols: Seq[Annotated[str, Field(min_length=1)]] | None = None
    normalizer: NormalizerParams | None = None
    lexicon: Lexicon = ""

    @property
    def spoken_voice(self) -> str:
        """The voice that speaks."""
        by_language = None if self.language is None else code_of(self.language)
        return self.voice or by_language or VOICES[0]

    @property
    def all_symbols(self) -> tuple[str, ...]:
        """The symbol of each index."""
        return SYMBOLS if self.symbols is None else self.symbols

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what does not fit between voice, symbols, lexicon and model."""
        voice = self.spoken_voice
        code = voice.partition("+")[0]
        if self.voice is not None and self.language is not None:
            message = "`language` chooses a voice, so `voice` cannot be given as well; give one"
            yield "language", message
        if self.symbols is None and code not in VOICES:
            yield (
                "symbols",
                f"the voice `{voice}` speaks sounds that the 63 symbols of English do not have; "
                f"`symbols` must list those of your corpus, which `kokoro-core phonemize "
                f"--language {code} --file TEXTS --list-symbols` prints",
            )
            return
        yield from symbol_problems(self.all_symbols, sizes, self.type)
        yield from lexicon_problems(self.lexicon, self.all_symbols)
        yield from normalizer_problems(self.normalizer, base_of(voice))

    def build(self, sizes: Sizes) -> Frontend:
        """Return the frontend.

        Raises:
            ValueError: Settings do not fit each other or the model, or espeak-ng has no such voice.
        """
        from kokoro_plugins.speech.espeak import Espeak
        from kokoro_plugins.speech.espeak_library import library_of_this_process
        from kokoro_plugins.speech.frontend import EspeakFrontend

        problems = [message for _, message in self.cross_check(sizes)]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return EspeakFrontend(
            espeak=Espeak(self.spoken_voice, library=library_of_this_process),
            symbols=self.all_symbols,
            normalizer=None if self.normalizer is None else self.normalizer.build(),
            lexicon=read_lexicon(self.lexicon)[0],
        )


class LexiconFrontendParams(FrontendParams):
    """Text to phonemes by a lexicon alone; a word that it does not have is refused by name.

    Attributes:
        lexicon: A line for each word: the word and its symbols.
        symbols: The symbol of each phoneme index, ``_`` for padding among them; null: the 63 of
            English.
        normalizer: Writes a text in words before they are looked up.
        language: Whose abbreviations end no sentence, by code.
    """

    type: Literal["lexicon"] = "lexicon"
    lexicon: Annotated[Lexicon, Field(min_length=1)]
    symbols: Seq[Annotated[str, Field(min_length=1)]] | None = None
    normalizer: NormalizerParams | None = None
    language: Annotated[str, AfterValidator(_check_language)] = "en"

    @property
    def all_symbols(self) -> tuple[str, ...]:
        """The symbol of each index."""
        return SYMBOLS if self.symbols is None else self.symbols

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what does not fit between symbols, lexicon, normalizer and model."""
        yield from symbol_problems(self.all_symbols, sizes, self.type)
        yield from lexicon_problems(self.lexicon, self.all_symbols)
        yield from normalizer_problems(self.normalizer, base_of(code_of(self.language) or ""))

    def build(self, sizes: Sizes) -> Frontend:
        """Return the frontend.

        Raises:
            ValueError: Settings do not fit each other or the model.
        """
        from kokoro_plugins.speech.text.lexicon_frontend import LexiconFrontend

        problems = [message for _, message in self.cross_check(sizes)]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return LexiconFrontend(
            lexicon=read_lexicon(self.lexicon)[0],
            symbols=self.all_symbols,
            normalizer=None if self.normalizer is None else self.normalizer.build(),
            language=base_of(code_of(self.language) or ""),
        )
