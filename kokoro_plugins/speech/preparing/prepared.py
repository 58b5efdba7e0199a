"""What became of an utterance, and the journal that keeps it while the rest is prepared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kokoro_plugins.speech.corpus_problems import UtteranceProblem
from kokoro_plugins.speech.preparing.moments import Moments
from kokoro_plugins.speech.preparing.source import Source

JOURNAL = "prepared.jsonl"


@dataclass(frozen=True)
class Prepared:
    """An utterance whose recording lies in the folder.

    Attributes:
        name: Of the utterance.
        text: Its text.
        speaker: Who speaks, if it is known.
        language: Likewise.
        symbols: Its phonemes.
        durations: The mel frames of each; None where nobody aligned it.
        frames: Of its mel.
        num_bytes: Of its recording's file.
        seconds: Of the recording as it was.
        gain: By which it was made louder, in dB.
        is_at_peak: Whether the peak and not the loudness decided the gain.
        mel: Moments of the log mel.
        features: Moments of what the model learns from beside it, by name.
        measures: How far the utterance is from others, by what is measured.
        notes: Kinds and sentences about what is odd.
    """

    name: str
    text: str
    speaker: str | None
    language: str | None
    symbols: tuple[str, ...]
    durations: tuple[int, ...] | None
    frames: int
    num_bytes: int
    seconds: float
    gain: float
    is_at_peak: bool
    mel: Moments
    features: Mapping[str, Moments] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()


Outcome = Prepared | UtteranceProblem


class Unfit(Exception):
    """An utterance that cannot be learned from."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.problem = UtteranceProblem(kind, message)


def key_of(source: Source, settings: str) -> str:
    """Return what decides the outcome: the source, size and time of its files, the settings."""
    files = [each for each in (source.audio, source.textgrid) if each is not None]
    states = [(each.resolve(), each.stat().st_size, each.stat().st_mtime_ns) for each in files]
    whole = json.dumps([asdict(source), states, settings], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()


def line_of(key: str, name: str, outcome: Outcome) -> str:
    """Return an outcome as a line of the journal."""
    kind = "prepared" if isinstance(outcome, Prepared) else "problem"
    return json.dumps({"key": key, "name": name, kind: asdict(outcome)}, ensure_ascii=False) + "\n"


def read_journal(lines: Iterable[str]) -> dict[str, Outcome]:
    """Return the outcomes by their keys; a line that was half written counts for nothing."""
    found: dict[str, Outcome] = {}
    for line in lines:
        try:
            said = json.loads(line)
            known = said.get("prepared")
            found[said["key"]] = UtteranceProblem(**said["problem"]) if not known else _read(known)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def is_whole(outcome: Outcome, out: Path) -> bool:
    """Return whether the recording that was written is still there."""
    if isinstance(outcome, UtteranceProblem):
        return True
    try:
        return (out / "wavs" / f"{outcome.name}.wav").stat().st_size == outcome.num_bytes
    except OSError:
        return False


def _read(known: dict[str, Any]) -> Prepared:
    durations = known["durations"]
    return Prepared(
        **known
        | {
            "symbols": tuple(known["symbols"]),
            "durations": None if durations is None else tuple(durations),
            "mel": Moments(**known["mel"]),
            "features": {name: Moments(**each) for name, each in known["features"].items()},
            "notes": tuple((kind, said) for kind, said in known["notes"]),
        }
    )
