"""The command ``phonemize``: what a frontend makes of a text, stage by stage."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from kokoro_core.cli.toolkit import (
    JsonOption,
    SetOption,
    load_any,
    print_error,
    print_json,
    print_table,
    print_yaml,
    session_of,
    text_given,
)
from kokoro_core.contracts import Frontend
from kokoro_core.errors import FrontendError, FrontendWarning
from kokoro_core.speaking.words import SpokenWord, words_of


@dataclass
class Stages:
    """What becomes of a sentence.

    Attributes:
        sentence: As it is written.
        normalized: In words.
        words: Each word and pause with its symbols.
        indices: The index of each symbol.
        problems: Why it cannot be spoken, or what is surely not read as it is meant.
    """

    sentence: str
    normalized: str
    words: list[SpokenWord] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def phonemize(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The text; '-' reads standard input.")] = None,
    file: Annotated[Path | None, typer.Option(help="Read the text from this file.")] = None,
    spec: Annotated[
        str, typer.Option(metavar="SPEC|CHECKPOINT", help="Whose frontend reads it.")
    ] = "small",
    settings: SetOption = None,
    language: Annotated[
        str | None, typer.Option(help="With --list-symbols: a language of espeak-ng.")
    ] = None,
    list_symbols: Annotated[
        bool,
        typer.Option("--list-symbols", help="Print the symbols of the text as a spec has them."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what becomes of a text: sentences, words as they are read, phonemes, indices.

    Exits with status 1 if a sentence cannot be spoken or is certainly misread.
    """
    words = text_given(text, file, "phonemize")
    if list_symbols:
        _list_symbols(words, language or "en-us")
        return
    if language is not None:
        raise typer.BadParameter("--language goes with --list-symbols; --set frontend.language=…")
    checked = load_any(spec, settings, session_of(ctx))
    if checked.frontend is None:
        raise ValueError(f"`{spec}` has no `frontend`, which reads a text; set `frontend.type`.")
    frontend = checked.frontend.build(checked.sizes)
    found = [stages_of(frontend, each) for each in frontend.sentences(words)]
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        _print(found)
    for each in found:
        for problem in each.problems:
            print_error(problem)
    if any(each.problems for each in found):
        raise typer.Exit(1)


def stages_of(frontend: Frontend, sentence: str) -> Stages:
    """Return what becomes of a sentence."""
    written = sentence.strip()
    stages = Stages(written, frontend.normalize(written))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FrontendWarning)
            symbols = frontend.phonemize(written)
        places = frontend.positions(written) or [0] * len(symbols)
        stages.words = words_of(written, symbols, places)
        stages.indices = frontend.indices(symbols)
        stages.problems += [str(each.message) for each in caught]
    except FrontendError as error:
        stages.problems.append(str(error))
    return stages


def _print(found: list[Stages]) -> None:
    for number, each in enumerate(found):
        print(("\n" if number else "") + " ".join(each.sentence.split()))
        if each.normalized != each.sentence:
            print(f"→ {' '.join(each.normalized.split())}")
        rows: list[tuple[str, ...]] = [
            (word.text or "(pause)", " ".join(word.symbols), _indices(word, each.indices))
            for word in each.words
        ]
        if rows:
            print_table(("word", "phonemes", "indices"), rows)


def _indices(word: SpokenWord, indices: list[int]) -> str:
    own = indices[word.first : word.first + len(word.symbols)]
    return " ".join(map(str, own))


def _list_symbols(text: str, language: str) -> None:
    """Print a language and its symbols in a text as settings of a spec."""
    from kokoro_plugins.speech.espeak import Espeak
    from kokoro_plugins.speech.text.languages import code_of
    from kokoro_plugins.speech.text.symbol_set import symbols_of_texts

    code = code_of(language)
    if code is None:
        raise ValueError(f"`--language {language}` is no language of espeak-ng, by code or name.")
    # In `metadata.csv` a name stands before the text.
    texts = (line.partition("|")[2] or line for line in text.splitlines())
    lines = [each.replace("|", " ") for each in texts if each.strip()]
    symbols = symbols_of_texts(Espeak(code), lines)
    frontend: dict[str, Any] = {"type": "espeak", "language": code, "symbols": list(symbols)}
    print_yaml({"vocab_size": len(symbols), "frontend": frontend})
