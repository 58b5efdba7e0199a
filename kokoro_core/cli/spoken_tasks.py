"""Speak texts one after the other, and say how it went."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kokoro_core.cli.output import print_error, print_json, write_file

if TYPE_CHECKING:
    from kokoro_core.speech import SynthesisResult, TextToSpeech


@dataclass(frozen=True)
class Task:
    """A text to speak.

    Attributes:
        text: The text, or symbols.
        out: The file to write; None: raw samples to the standard output.
        timings: The file of times, or None.
        options: Those of `speak`.
        problem: Why it cannot be spoken, if that is known already.
    """

    text: str
    out: Path | None
    timings: Path | None
    options: dict[str, Any]
    problem: str | None = None


def speak_all(voiced: TextToSpeech, tasks: list[Task], *, as_json: bool, is_table: bool) -> None:
    """Speak one text after the other, and end with status 1 if one is not spoken as asked."""
    reports: list[dict[str, Any]] = []
    problems = 0
    for task in tasks:
        started = time.perf_counter()
        try:
            result = _speak(voiced, task)
        except ValueError as error:
            if not is_table:
                raise
            problems += 1
            file = None if task.out is None else str(task.out)
            reports.append({"file": file, "error": str(error)})
            print_error(f"{error}" if file is None else f"{file}: {error}")
            continue
        seconds = time.perf_counter() - started
        name = "-" if task.out is None else str(task.out)
        reports.append({"file": name, **figures(result, seconds)})
        if not as_json:
            line = f"{name}: {summary(result, seconds)}"
            print(line) if task.out is not None else print_error(line)
        said = [*result.notes] if result.loss is None else [result.loss, *result.notes]
        for each in said:
            print_error(f"{name}: {each}")
        problems += len(said)
    if as_json:
        print_json(reports if is_table else reports[0])
    if problems:
        raise typer.Exit(1)


def _speak(voiced: TextToSpeech, task: Task) -> SynthesisResult:
    """Speak a text into its file, or into the standard output sentence by sentence."""
    from kokoro_core.speaking.result import joined, raw_chunks
    from kokoro_core.speaking.time_files import times_text
    from kokoro_core.speech import write_sound

    if task.problem is not None:
        raise ValueError(task.problem)
    sentences = voiced.sentences(task.text, **task.options)
    if task.out is None:
        spoken = []
        for sentence, chunk in raw_chunks(sentences):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            spoken.append(sentence)
        result = joined(spoken)
    else:
        result = joined(list(sentences))
        write_sound(task.out, result.samples, result.sample_rate)
    if task.timings is not None:
        write_file(task.timings, times_text(task.timings, result))
    return result


def figures(result: SynthesisResult, seconds: float) -> dict[str, Any]:
    """Return the figures of a synthesized text as JSON values."""
    return {
        "audio_seconds": result.audio_seconds,
        "frames": result.frames,
        "planned_frames": result.planned_frames,
        "stop_reason": result.stop_reason,
        "is_complete": result.is_complete,
        "unspoken": result.unspoken,
        "sentences": len(result.sentences),
        "notes": list(result.notes),
        "wall_seconds": seconds,
        "times_real_time": result.audio_seconds / seconds,
    }


def summary(result: SynthesisResult, seconds: float) -> str:
    """Return the figures of a synthesized text in words."""
    several = len(result.sentences) > 1
    count = f" in {len(result.sentences)} sentences" if several else ""
    return (
        f"{result.audio_seconds:.2f} s of speech ({result.frames} frames{count}), "
        f"ended by {result.stop_reason}, made in {seconds:.2f} s "
        f"({result.audio_seconds / seconds:.1f} times real time)"
    )
