"""Durations refined by the recordings themselves: one round of Viterbi training.

From durations that are nearly right the mean sound of the parts of each phoneme is taken, and with
those the likeliest durations of each recording are found anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.speech.preparing.prepared import Prepared
from kokoro_plugins.speech.preparing.watching import watch
from kokoro_plugins.speech.recordings import read_samples
from kokoro_plugins.speech.vocabulary import PAUSES, STRESSES

MARKS = frozenset(STRESSES)
SILENT = frozenset((*PAUSES, ";", ":", "…", "—", "–"))
"""Symbols of a pause, whatever the frontend."""

Floats = NDArray[np.float64]
Part = tuple[str, int]
"""A phoneme and which of its parts; a pause has one, and all pauses are `SILENCE`."""

SILENCE: Part = ("", 0)
PARTS = 2
"""Of a phoneme, which lasts as many frames at least."""

LEAST = 60.0
"""Seconds of speech below which sounds have too few frames for a mean."""

CEPSTRA = 20
DYNAMIC_RANGE = 9.0
"""Natural logarithms below the loudest number of a mel, 78 dB, that are told apart."""

FEW = 2.0, 5.0
"""Frames of all sounds that the mean and the variance of each part are given besides."""


@dataclass(frozen=True)
class State:
    """A part of a phoneme of an utterance.

    Attributes:
        part: Whose sound it has.
        owner: The place of its phoneme; that of a stress mark is its sound's.
        is_optional: Whether it may have no frame.
    """

    part: Part
    owner: int
    is_optional: bool


@dataclass
class Sums:
    """Adds up frames."""

    count: int = 0
    total: Floats = field(default_factory=lambda: np.zeros(2 * CEPSTRA))
    squares: Floats = field(default_factory=lambda: np.zeros(2 * CEPSTRA))

    def add(self, frames: Floats) -> None:
        """Add frames (T, C)."""
        self.count += len(frames)
        self.total += frames.sum(0)
        self.squares += np.square(frames).sum(0)

    def normal(self) -> tuple[Floats, Floats]:
        """Return mean and variance of each channel."""
        mean = self.total / self.count
        return mean, np.maximum(self.squares / self.count - mean**2, 1e-6)


def refine(
    utterances: Sequence[Prepared],
    out: Path,
    mel: MelSpectrogram,
    console: Console,
    *,
    marks: Collection[str] = MARKS,
    learn_from: Sequence[Prepared] | None = None,
) -> list[Prepared]:
    """Return utterances with refined durations, which sum to the same frames.

    With less than `LEAST` of speech they stay as they are.

    Args:
        utterances: All aligned; their recordings are in the folder.
        out: The folder.
        mel: Of the recordings.
        console: Where progress is shown.
        marks: Symbols without a sound of their own.
        learn_from: Those of whose sounds the means are taken; None: all.
    """
    if learn_from is None:
        learn_from = utterances
    frame = mel.audio.hop_length / mel.audio.sample_rate
    if sum(each.frames for each in learn_from) * frame < LEAST:
        return list(utterances)
    sums: dict[Part, Sums] = {}
    every = Sums()
    for each in watch(learn_from, len(learn_from), console, "measured"):
        frames = cepstra(mel, out, each)
        every.add(frames)
        for part, run in _runs(each, frames, marks):
            sums.setdefault(part, Sums()).add(run)
    overall = every.normal()
    sounds = {part: _smoothed(found, overall) for part, found in sums.items()}
    return [
        _refined(each, cepstra(mel, out, each), sounds, overall, marks)
        for each in watch(utterances, len(utterances), console, "refined")
    ]


def cepstra(mel: MelSpectrogram, out: Path, utterance: Prepared) -> Floats:
    """Return what the sound of each frame is compared by: cepstra and their slopes, (T, C)."""
    samples = read_samples(out / "wavs" / f"{utterance.name}.wav")
    computed: Tensor = mel(torch.from_numpy(samples))
    logs = computed.double().numpy()
    logs = np.maximum(logs, logs.max() - DYNAMIC_RANGE)
    places = (np.arange(logs.shape[1]) + 0.5) / logs.shape[1]
    cosines = np.cos(np.pi * np.outer(places, np.arange(CEPSTRA))) * np.sqrt(2 / len(places))
    found = logs @ cosines
    return np.concatenate([found, 2 * np.gradient(found, axis=0)], axis=1)


def states_of(symbols: Sequence[str], marks: Collection[str] = MARKS) -> list[State]:
    """Return the parts that an utterance goes through, silence before it included."""
    states = [State(SILENCE, 0, is_optional=True)]
    for index, symbol in enumerate(symbols):
        if symbol in SILENT:
            states.append(State(SILENCE, index, is_optional=True))
        elif symbol not in marks:
            states += [State((symbol, number), index, is_optional=False) for number in range(PARTS)]
    return states


def _runs(
    utterance: Prepared, frames: Floats, marks: Collection[str]
) -> Iterator[tuple[Part, Floats]]:
    """Yield the frames of each part, a phoneme's divided evenly."""
    assert utterance.durations is not None
    start = begun = 0
    for symbol, duration in zip(utterance.symbols, utterance.durations, strict=True):
        end = start + duration
        if symbol in SILENT:
            yield SILENCE, frames[begun:end]
        elif symbol not in marks:
            for number, (a, b) in enumerate(itertools.pairwise(_cuts(begun, end))):
                yield (symbol, number), frames[a:b]
        start, begun = end, begun if symbol in marks else end


def _cuts(start: int, end: int) -> list[int]:
    return [start + (end - start) * number // PARTS for number in range(PARTS + 1)]


def _smoothed(sums: Sums, overall: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Return mean and variance of a part, drawn to those of all sounds where it is rare."""
    if not sums.count:
        return overall
    mean, variance = sums.normal()
    few, several = FEW
    return (
        (mean * sums.count + few * overall[0]) / (sums.count + few),
        (variance * sums.count + several * overall[1]) / (sums.count + several),
    )


def _refined(
    utterance: Prepared,
    frames: Floats,
    sounds: Mapping[Part, tuple[Floats, Floats]],
    overall: tuple[Floats, Floats],
    marks: Collection[str],
) -> Prepared:
    states = states_of(utterance.symbols, marks)
    fits = np.stack([_fit(frames, *sounds.get(each.part, overall)) for each in states])
    path = best_path(fits, [each.is_optional for each in states])
    if path is None:  # fewer frames than parts
        return utterance
    durations = np.bincount([states[each].owner for each in path], minlength=len(utterance.symbols))
    for index, symbol in enumerate(utterance.symbols[:-1]):
        if symbol in marks and durations[index + 1] >= 2:
            durations[index : index + 2] += (1, -1)
    return replace(utterance, durations=tuple(durations.tolist()))


def _fit(frames: Floats, mean: Floats, variance: Floats) -> Floats:
    """Return the log density of each frame but for a constant, (T,)."""
    return np.asarray(-0.5 * (np.square(frames - mean) / variance + np.log(variance)).sum(1))


def best_path(fits: Floats, is_optional: Sequence[bool]) -> list[int] | None:
    """Return the state of each frame on the likeliest way through all states; None: there is none.

    Shape:
        fits: (N, T).
    """
    count, frames = fits.shape
    may_skip = np.array([False, False, *is_optional[1:-1]])[:count]
    total = np.full(count, -np.inf)
    total[0] = fits[0, 0]
    total[1] = fits[1, 0] if is_optional[0] else -np.inf
    steps = np.zeros((frames, count), np.int8)
    for frame in range(1, frames):
        one = np.concatenate([[-np.inf], total[:-1]])
        two = np.where(may_skip, np.concatenate([[-np.inf, -np.inf], total[:-2]]), -np.inf)
        ways = np.stack([total, one, two])
        steps[frame] = ways.argmax(0)
        total = ways.max(0) + fits[:, frame]
    last = count - 1
    if is_optional[last] and total[last - 1] > total[last]:
        last -= 1
    if not np.isfinite(total[last]):
        return None
    path = [last]
    for frame in range(frames - 1, 0, -1):
        path.append(path[-1] - int(steps[frame, path[-1]]))
    return path[::-1]
