"""A lexicon: words and the symbols that they are spoken with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping


def read_lexicon(text: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the words of a lexicon with their symbols, and what is wrong with its lines.

    A line has a word and its symbols, with blanks between them; ``#`` begins a remark. A word is
    written as texts have it; one in small letters stands for capitals too.
    """
    words: dict[str, tuple[str, ...]] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        word, *symbols = line.partition("#")[0].split() or [""]
        if not word:
            continue
        if not symbols:
            wrong.append(f"line {number} has the word {word!r} without symbols")
        elif word in words and words[word] != tuple(symbols):
            wrong.append(f"line {number} has the word {word!r} for a second time, spoken otherwise")
        else:
            words[word] = tuple(symbols)
    return words, wrong


def unknown_symbols(
    lexicon: Mapping[str, tuple[str, ...]], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield each word with a symbol that a frontend does not have."""
    for word, symbols in lexicon.items():
        yield from ((word, each) for each in symbols if each not in known)


def pronunciation(lexicon: Mapping[str, tuple[str, ...]], word: str) -> tuple[str, ...] | None:
    """Return the symbols of a word as it is written, or else of its small letters."""
    return lexicon.get(word) or lexicon.get(word.lower())
