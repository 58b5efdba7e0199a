"""What was understood beside what was to be said: errors of words and characters."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from kokoro_plugins.evaluation.recognition import INSTALL

NOTHING = "∅"
"""Stands for the word that is missing on one side of a confusion."""

_TYPOGRAPHY = str.maketrans("‘’ʼ“”…—–", "'''\"\"   ")
"""Marks of printed texts as those of a keyboard, which the normalisation looks for."""


@dataclass(frozen=True)
class TextErrors:
    """Errors of a transcript, after both texts were normalised.

    Attributes:
        wanted: The text that was to be said, as it was compared.
        heard: The transcript, as it was compared.
        word_errors: Words substituted, deleted and inserted.
        words: Of the text that was to be said.
        character_errors: Likewise.
        characters: Likewise.
        runs: Both texts in pieces: words that were to be said, and those that were heard there;
            either may be empty, and pieces that agree stand between pieces that do not.
    """

    wanted: str
    heard: str
    word_errors: int
    words: int
    character_errors: int
    characters: int
    runs: tuple[tuple[str, str], ...]

    @property
    def confusions(self) -> tuple[tuple[str, str], ...]:
        """Each run of words that was to be said, and what was heard instead."""
        differ = (run for run in self.runs if run[0] != run[1])
        return tuple((wanted or NOTHING, heard or NOTHING) for wanted, heard in differ)


def comparable(text: str, language: str = "en") -> str:
    """Return a text as it is compared: whisper's normalisation (Radford et al., 2022, appendix C).

    In English numbers become digits, contractions and abbreviations words, and spelling American;
    in any language letters become small, and marks and what stands in brackets are left out.
    """
    return " ".join(_normalizer(language)(text.translate(_TYPOGRAPHY)).split())


@cache
def _normalizer(language: str) -> Any:
    try:
        if language == "en":
            from whisper_normalizer.english import EnglishTextNormalizer

            return EnglishTextNormalizer()
        from whisper_normalizer.basic import BasicTextNormalizer
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return BasicTextNormalizer()


def compare(wanted: str, heard: str, language: str = "en") -> TextErrors:
    """Return the errors of a transcript.

    Args:
        wanted: The text that was to be said.
        heard: What was understood.
        language: Of both.

    Raises:
        ValueError: The text has no word.
        ModuleNotFoundError: jiwer or whisper-normalizer is not installed.
    """
    try:
        import jiwer
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    reference, hypothesis = comparable(wanted, language), comparable(heard, language)
    if not reference:
        raise ValueError(f"{wanted!r} has no word, so nothing of it can be understood.")
    words = jiwer.process_words(reference, hypothesis)
    characters = jiwer.process_characters(reference, hypothesis)
    return TextErrors(
        wanted=reference,
        heard=hypothesis,
        word_errors=words.substitutions + words.deletions + words.insertions,
        words=len(reference.split()),
        character_errors=characters.substitutions + characters.deletions + characters.insertions,
        characters=len(reference),
        runs=tuple(_runs(words)),
    )


def _runs(words: Any) -> Iterator[tuple[str, str]]:
    """Yield the pieces of both texts; what differs is one piece as long as nothing agrees."""
    [reference], [hypothesis], [chunks] = words.references, words.hypotheses, words.alignments
    for _, group in itertools.groupby(chunks, key=lambda chunk: chunk.type == "equal"):
        pieces = list(group)
        yield (
            " ".join(reference[pieces[0].ref_start_idx : pieces[-1].ref_end_idx]),
            " ".join(hypothesis[pieces[0].hyp_start_idx : pieces[-1].hyp_end_idx]),
        )


def most_confused(errors: Iterable[TextErrors]) -> list[tuple[str, str, int]]:
    """Return what was to be said, what was heard instead and how often, the most frequent first."""
    counts = Counter(pair for each in errors for pair in each.confusions)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(wanted, heard, count) for (wanted, heard), count in ordered]


def _missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"Comparing texts needs `{error.name}`, which is not installed; `{INSTALL}` brings it.",
        name=error.name,
    )
