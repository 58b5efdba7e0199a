"""What is measured of an utterance to tell whether its text and its recording belong together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.preparing.aligning import Aligned
from kokoro_plugins.speech.preparing.sound import QUIET, levels
from kokoro_plugins.speech.vocabulary import PAUSES, STRESSES

SHORTEST = 0.025
"""Seconds below which a sound is hurried."""


def measures_of(
    aligned: Aligned, samples: NDArray[np.int16], frames: int, audio: AudioSettings
) -> Mapping[str, float]:
    """Return what is measured, by name.

    ``pace``: sounds a second. ``hurried``: the share of sounds of less than `SHORTEST`.
    ``silence``: seconds of the longest silence where the text has no pause, without durations of
    the longest inside. ``distance``: as in `Aligned`.
    """
    frame = audio.hop_length / audio.sample_rate
    sounds = [each for each in aligned.symbols if each not in (*PAUSES, *STRESSES)]
    found = {"pace": len(sounds) / (frames * frame)}
    speaks = np.ones(frames, bool)
    if aligned.durations is not None:
        lengths = lengths_of_sounds(aligned.symbols, aligned.durations)
        found["hurried"] = float(np.mean([each * frame < SHORTEST for each in lengths]))
        is_pause = [each in PAUSES for each in aligned.symbols]
        speaks = ~np.repeat(np.array(is_pause), aligned.durations)
    silent = levels(samples.astype(np.float32), audio.hop_length)[:frames] < -QUIET
    inside = np.flatnonzero(~silent)
    silent[: inside[0]] = silent[inside[-1] :] = False
    found["silence"] = longest_run(silent & speaks[: len(silent)]) * frame
    if aligned.distance is not None:
        found["distance"] = aligned.distance
    return found


def lengths_of_sounds(symbols: Sequence[str], durations: Sequence[int]) -> list[int]:
    """Return the frames of each sound; those of a stress mark belong to the sound after it."""
    lengths, begun = list[int](), 0
    for symbol, frames in zip(symbols, durations, strict=True):
        begun += frames
        if symbol in STRESSES:
            continue
        if symbol not in PAUSES:
            lengths.append(begun)
        begun = 0
    return lengths


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return how many flags in a row are set at most."""
    runs = (len(list(run)) for is_set, run in itertools.groupby(flags.tolist()) if is_set)
    return max(runs, default=0)
