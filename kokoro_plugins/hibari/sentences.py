"""English sentences with a wide vocabulary, joined to utterances of one to three.

They are example sentences of WordNet 3.0 (Princeton University, 2006), about 7,000 in
``sentences.txt``. Each belongs to one of two parts for good, so that what a voice is reported by
was never trained on.
"""

from __future__ import annotations

import random
import re
from collections import deque
from importlib.resources import files
from typing import Literal
from zlib import crc32

Part = Literal["training", "reporting"]
LONGEST = 140
"""Characters of an utterance; no sentence has fewer than 20."""

_REPORTED = 8
"""One of so many sentences is for reporting."""

_SMALL = frozenset(
    (
        *(
            "The",
            "A",
            "An",
            "This",
            "These",
            "That",
            "There",
            "All",
            "Some",
            "Many",
            "No",
            "Please",
        ),
        *("He", "She", "They", "We", "You", "It", "My", "Your", "His", "Her", "Our", "Their"),
        *("When", "After", "Before", "If", "In", "On", "At", "By", "For", "From", "To", "As"),
    )
)
"""Words that begin no name."""

_FORMS = (
    *("{A}", "{A}", "{A} {B}", "{A} {B}", "{A} {B}", "{A} {B} {C}", "{A} {B} {C}"),
    *("{a}, and {b}", "{a}, but {b}", "{a}; {b}", "{a}: {b}", "{a} — {b}", "{a}… {B}"),
    *("“{A}” {B}", "“{a},” she said. {B}", "{a} ({b0}). {C}"),
)


def make_sentences(count: int, seed: int = 0, part: Part = "training") -> list[str]:
    """Return that many distinct utterances in random order, the same for the same seed.

    About 3,000 use up the sentences; from then on they come again in other company.
    """
    generator = random.Random(seed)
    pool = _Pool(sentences_of(part), generator)
    made: dict[str, None] = {}
    while len(made) < count:
        form = generator.choice(_FORMS)
        drawn = pool.draw(form.count("{"))
        utterance = _fill(form, drawn)
        if utterance is None or len(utterance) > LONGEST:
            pool.put_back(drawn)
        else:
            made[utterance] = None
    return list(made)


def sentences_of(part: Part) -> list[str]:
    """Return the single sentences of a part, in the order of the file."""
    file = files("kokoro_plugins.hibari") / "sentences.txt"
    wanted = part == "reporting"
    return [
        line
        for line in file.read_text("utf-8").splitlines()
        if (crc32(line.encode()) % _REPORTED == 0) == wanted
    ]


class _Pool:
    """Sentences in random order, each once before one comes again."""

    def __init__(self, sentences: list[str], generator: random.Random) -> None:
        self._sentences = sentences
        self._generator = generator
        self._waiting: deque[str] = deque()

    def draw(self, count: int) -> list[str]:
        while len(self._waiting) < count:
            self._waiting += self._generator.sample(self._sentences, len(self._sentences))
        return [self._waiting.popleft() for _ in range(count)]

    def put_back(self, drawn: list[str]) -> None:
        self._waiting.extendleft(reversed(drawn))


def _fill(form: str, sentences: list[str]) -> str | None:
    """Return a form with sentences in it, or None if one does not fit into it.

    {A} takes a sentence as it is, {a} without its full stop, {b} within another, {b0} both.
    """
    for slot, sentence in zip(re.findall(r"\{\w+\}", form), sentences, strict=True):
        if slot in ("{a}", "{b0}"):
            if not sentence.endswith("."):
                return None
            sentence = sentence[:-1]  # noqa: PLW2901
        if slot in ("{b}", "{b0}"):
            sentence = _small(sentence)  # noqa: PLW2901
        form = form.replace(slot, sentence, 1)
    return form


def _small(sentence: str) -> str:
    """Return a sentence that begins small, if its first word is surely no name."""
    first = sentence.partition(" ")[0]
    return sentence[0].lower() + sentence[1:] if first in _SMALL else sentence
