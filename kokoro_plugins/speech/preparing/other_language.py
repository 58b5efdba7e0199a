"""A spec for a language of espeak-ng, with the symbols of the texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from kokoro_core import ModelSpec, load_spec
from kokoro_core.errors import CorpusError, FrontendError
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.frontend import check_text, compose
from kokoro_plugins.speech.text.languages import code_of
from kokoro_plugins.speech.text.symbol_set import symbols_of_texts
from kokoro_plugins.speech.vocabulary import PAD
from registry import Plugins


def spoken_in(spec: ModelSpec, language: str, texts: Iterable[str], plugins: Plugins) -> ModelSpec:
    """Return a spec whose frontend speaks a language with the symbols of texts.

    Args:
        spec: Of any language.
        language: Of espeak-ng, by code or English name.
        texts: All that the model will learn from.
        plugins: Where components come from.

    Raises:
        CorpusError: espeak-ng has no such language.
        SpecError: The spec does not fit another number of symbols.
    """
    code = code_of(language)
    if code is None:
        raise CorpusError(
            f"`--language {language}` is no language of espeak-ng; it has more than a hundred by "
            f"code or English name, such as `de`, `german` or `pt-br`."
        )
    espeak = Espeak(code)
    symbols = symbols_of_texts(espeak, _readable(espeak, texts))
    changes = {
        "vocab_size": len(symbols),
        "pad_id": symbols.index(PAD),
        "frontend": {"type": "espeak", "language": code, "symbols": list(symbols)},
    }
    return load_spec(spec, overrides=changes, plugins=plugins)


def _readable(espeak: Espeak, texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts that the voice can read; the others are problems of their utterances."""
    for text in texts:
        with suppress(FrontendError):
            check_text(compose(text), espeak.voice)
            yield text
