"""The sentences that a voice is measured on, and which of them are for choosing."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kokoro_core.contracts import Corpus, Utterance
from kokoro_core.params.held_out import held_out_count

Part = Literal["all", "choosing", "reporting"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Sentence:
    """A sentence to speak.

    Attributes:
        name: Unique among those that are measured.
        text: As it is written.
        utterance: How it was recorded; None: nobody did.
    """

    name: str
    text: str
    utterance: Utterance | None = None


def held_out_sentences(corpus: Corpus, holdout: int | None = None) -> list[Sentence]:
    """Return the last utterances of a corpus, which `train` leaves out.

    Args:
        corpus: Of any kind.
        holdout: How many; None: as many as the corpus sets aside, or 10.

    Raises:
        ValueError: The corpus has not so many, or there would be none.
    """
    holdout = held_out_count(holdout, corpus.held_out)
    if not 1 <= holdout <= len(corpus):
        raise ValueError(
            f"`holdout` must be from 1 to {len(corpus)}, the utterances of the corpus, not "
            f"{holdout}; it is as many as the model was not trained on."
        )
    utterances = (corpus[index] for index in range(len(corpus) - holdout, len(corpus)))
    return [Sentence(each.name, each.text, each) for each in utterances]


def read_texts(path: Path) -> list[Sentence]:
    """Return the texts of a file, one a line, which no one recorded.

    Raises:
        ValueError: It is not UTF-8, or has no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"`{path}` must be UTF-8 text, but byte {error.start} is not.") from None
    found = [
        Sentence(f"{path.stem}-{number:04}", line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not found:
        raise ValueError(f"`{path}` has no text; write a sentence on each line.")
    return found


def choose(sentences: Iterable[Sentence], part: Part, limit: int | None) -> list[Sentence]:
    """Return the sentences of a part, at most so many, in their order.

    Which part a sentence is in, and which come first, follows from a hash of its text: it stays
    where others come or go, and two corpora with the same texts choose alike.

    Args:
        sentences: Of one source.
        part: ``choosing`` and ``reporting`` are about half of all each, and share none.
        limit: The most; None: all.

    Raises:
        ValueError: No sentence is left.
    """
    given = list(sentences)
    inside = [each for each in given if part in ("all", part_of(each.text))]
    if not inside:
        raise ValueError(
            f"None of {len(given)} sentences is for {part}; take `all`, or more sentences."
        )
    first = sorted(inside, key=lambda each: _digest(each.text))[:limit]
    names = {each.name for each in first}
    return [each for each in inside if each.name in names]


def part_of(text: str) -> Part:
    """Return whether a sentence is for choosing between models or for reporting the one chosen."""
    return "choosing" if _digest(text)[0] % 2 else "reporting"


def _digest(text: str) -> bytes:
    return hashlib.sha256(f"evaluate {unicodedata.normalize('NFC', text)}".encode()).digest()


def check_names(sentences: Sequence[Sentence]) -> None:
    """Refuse sentences of which two have one name.

    Raises:
        ValueError: Two have.
    """
    names = [each.name for each in sentences]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"`{twice[0]}` is the name of several sentences; each needs its own.")
