"""Files that say when each word is heard: JSON, and WebVTT for players."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kokoro_core.speaking.result import SynthesisResult

SUFFIXES = (".json", ".vtt")


def check_time_file(path: Path) -> None:
    """Refuse a file whose suffix is neither.

    Raises:
        ValueError: It is not.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"`--timings {path}` must end in {' or '.join(SUFFIXES)}.")


def times_text(path: Path, result: SynthesisResult) -> str:
    """Return the text of a file of times in the format of its suffix."""
    if path.suffix.lower() == ".vtt":
        return "\n".join(["WEBVTT", "", *_cues(result)])
    return json.dumps(as_json(result), indent=2, ensure_ascii=False) + "\n"


def as_json(result: SynthesisResult) -> dict[str, Any]:
    """Return sentences, words and phonemes with their times as JSON values."""
    return {
        "seconds": result.audio_seconds,
        "sentences": [
            {
                "text": each.text,
                "start": start,
                "end": start + each.audio_seconds,
                "words": [asdict(word.later(start)) for word in each.words],
            }
            for start, each in zip(result.starts, result.sentences, strict=True)
        ],
    }


def _cues(result: SynthesisResult) -> Iterator[str]:
    """Yield the lines of a cue for each sentence, with the time of each word before it."""
    for start, each in zip(result.starts, result.sentences, strict=True):
        words = [word.later(start) for word in each.words if word.text]
        yield f"{_clock(start)} --> {_clock(start + each.audio_seconds)}"
        yield " ".join(f"<{_clock(word.start)}>{html.escape(word.text, False)}" for word in words)
        yield ""


def _clock(seconds: float) -> str:
    """Return ``00:01:02.500``."""
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"
