"""Words as a frontend reads them, and what it puts around a text and between two words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from kokoro_core.contracts import Frontend
from kokoro_core.errors import ExportError, FrontendError

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
WHOLE = re.compile(WORD.pattern + r"(?![\w'-])")
MARKS = ",.;:!?"
PAIRS = 50
"""Pairs of words that are read together to learn what stands between two words."""

Symbols = tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """What a frontend makes of words.

    Attributes:
        before: What every text begins with.
        after: What every text ends with.
        between: What stands between two words.
        words: The symbols of each word, which is in small letters.
        left_out: Words that the frontend cannot read.
    """

    before: Symbols
    after: Symbols
    between: Symbols
    words: Mapping[str, Symbols]
    left_out: tuple[str, ...] = ()

    def read(self, text: str, known: Iterable[str]) -> Symbols:
        """Return the symbols of a sentence, without what stands around them.

        Args:
            text: Words, and at most one mark, at the end.
            known: The symbols that there are; other marks are passed over.

        Raises:
            ValueError: There is another mark, or a word that is not in the lexicon.
        """
        words = text.rstrip(MARKS + " ").lower().split()
        unknown = [each for each in words if each not in self.words]
        if unknown or not words:
            raise ValueError(
                f"{text!r} has what the lexicon has not: {', '.join(unknown) or 'no word'}; its "
                f"words must be among `--words`, without marks between them, at which sherpa-onnx "
                f"parts a text."
            )
        end = text.rstrip()[-1]
        return (*self._joined(words), *((end,) if end in MARKS and end in set(known) else ()))

    def _joined(self, words: Sequence[str]) -> Iterator[str]:
        for number, word in enumerate(words):
            yield from self.between if number else ()
            yield from self.words[word]


def words_of(text: str) -> list[str]:
    """Return the words of a text, each once, as they are first written."""
    found: dict[str, str] = {}
    for word in WORD.findall(text.replace("’", "'")):
        found.setdefault(word.lower(), word)
    return list(found.values())


def make_lexicon(frontend: Frontend, text: str) -> Lexicon:
    """Return what a frontend makes of the words of a text.

    A word is read as it most often is in the sentences of the text, where the frontend tells which
    symbols are of which word, and else as it is read alone.

    Raises:
        ExportError: No two words can be told from what stands around them.
    """
    read: dict[str, Symbols] = {}
    left_out = []
    for word in words_of(text):
        try:
            read[word] = tuple(frontend.phonemize(word))
        except FrontendError:
            left_out.append(word)
    before = _shared(list(read.values()))
    after = _shared([each[len(before) :][::-1] for each in read.values()])[::-1]
    alone = {word: each[len(before) : len(each) - len(after)] for word, each in read.items()}
    between = _between(frontend, before, after, alone)
    words = {word.lower(): each for word, each in alone.items()}
    for word, counted in _in_company(frontend, text, {*before, *after, *between, *MARKS}).items():
        if word in words:
            words[word] = counted.most_common(1)[0][0]
    return Lexicon(before, after, between, words, tuple(left_out))


def _in_company(frontend: Frontend, text: str, around: Set[str]) -> Mapping[str, Counter[Symbols]]:
    """Return how often each word of a text is read in which way within its sentence.

    Args:
        frontend: The frontend.
        text: The text.
        around: Symbols that are of no word.
    """
    found: dict[str, Counter[Symbols]] = {}
    for sentence in frontend.sentences(unicodedata.normalize("NFC", text.replace("’", "'"))):
        for place, symbols in _by_place(frontend, sentence).items():
            word = WHOLE.match(sentence, place)
            heard = tuple(each for each in symbols if each not in around)
            if word and heard:
                found.setdefault(word[0].lower(), Counter())[heard] += 1
    return found


def _by_place(frontend: Frontend, sentence: str) -> Mapping[int, list[str]]:
    """Return the symbols of each word by where it begins; nothing if it is not known."""
    try:
        symbols, places = frontend.phonemize(sentence), frontend.positions(sentence)
    except FrontendError:  # its words are read alone, or not at all
        return {}
    found: dict[int, list[str]] = {}
    for symbol, place in zip(symbols, places or [], strict=False):
        found.setdefault(place, []).append(symbol)
    return found


def _shared(rows: Sequence[Symbols]) -> Symbols:
    """Return what all rows begin with."""
    count = 0
    while rows and all(len(row) > count and row[count] == rows[0][count] for row in rows):
        count += 1
    return rows[0][:count] if rows else ()


def _between(
    frontend: Frontend, before: Symbols, after: Symbols, inner: Mapping[str, Symbols]
) -> Symbols:
    """Return what most often stands between two words."""
    found: Counter[Symbols] = Counter()
    for (first, left), (second, right) in list(pairwise(inner.items()))[:PAIRS]:
        both = tuple(frontend.phonemize(f"{first} {second}"))
        start, end = (*before, *left), (*right, *after)
        rest = both[len(start) : len(both) - len(end)]
        if both == (*start, *rest, *end) and len(rest) <= 1:
            found[rest] += 1
    if not found:
        raise ExportError(
            f"`{type(frontend).__name__}` reads no two of the {len(inner)} words in a row as it "
            f"reads them alone, so that there can be no lexicon; more words may help."
        )
    return found.most_common(1)[0][0]
