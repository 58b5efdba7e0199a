"""Durations that somebody wrote down, in frames or in seconds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path

from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.corpus_problems import Problems
from kokoro_plugins.speech.durations_file import SPACE, read_durations
from kokoro_plugins.speech.preparing.source import GivenAlignment


def read_table(
    file: Path, audio: AudioSettings, problems: Problems
) -> Mapping[str, GivenAlignment]:
    """Return the alignment of each utterance; a table with a decimal point is in seconds.

    Args:
        file: Lines ``ID|symbols|numbers``, as many numbers as symbols.
        audio: Says how long a frame is.
        problems: Where lines that cannot be read are noted.
    """
    lines = file.read_text(encoding="utf-8-sig").split("\n")
    if any("." in line.rpartition("|")[2] for line in lines):
        return _in_seconds(file, lines, problems)
    said, bad = read_durations(lines)
    for each in bad:
        problems.add(f"bad lines of {file.name}", str(each))
    frame = audio.hop_length / audio.sample_rate
    return {
        name: GivenAlignment(
            each.symbols, tuple(n * frame for n in itertools.accumulate(each.frames))
        )
        for name, each in said.items()
    }


def _in_seconds(file: Path, lines: list[str], problems: Problems) -> Mapping[str, GivenAlignment]:
    found: dict[str, GivenAlignment] = {}
    for number, line in enumerate(lines, start=1):
        left, _, right = line.rpartition("|")
        name, _, written = left.partition("|")
        symbols = tuple(" " if each == SPACE else each for each in written.split())
        seconds = [_number(each) for each in right.split()]
        if line.strip() and (not symbols or len(symbols) != len(seconds) or None in seconds):
            message = f"{file.name}:{number}: `{name}` must have as many seconds as symbols."
            problems.add(f"bad lines of {file.name}", message)
        elif line.strip():
            ends = itertools.accumulate(each for each in seconds if each is not None)
            found[name] = GivenAlignment(symbols, tuple(ends))
    return found


def _number(text: str) -> float | None:
    """Return seconds, or None for what is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
