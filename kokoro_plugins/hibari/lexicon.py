"""A lexicon: a word and its sounds a line, with blanks between the sounds or without."""

from __future__ import annotations

from kokoro_plugins.hibari.symbols import SOUNDS


def read_lexicon(lines: str) -> dict[str, str]:
    """Return the sounds of each word."""
    fields = (line.split() for line in lines.splitlines() if line.strip())
    return {word: "".join(sounds) for word, *sounds in fields}


def lexicon_problems(lines: str) -> list[str]:
    """Return what is wrong with each line that is no word with sounds."""
    problems: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(lines.splitlines(), start=1):
        word, *sounds = line.split() or [""]
        unknown = sorted({each for part in sounds for each in part} - SOUNDS)
        if word and not sounds:
            problems.append(f"line {number} has the word {word!r} without sounds")
        elif unknown:
            shown = ", ".join(map(repr, unknown))
            problems.append(f"line {number} has {shown} in {word!r}, no sound of `hibari`")
        elif word in seen:
            problems.append(f"line {number} has {word!r} a second time")
        seen.update([word] if word else [])
    return problems
