"""Durations of recordings and phonemes alone, as the training of hidden Markov models begins.

All phonemes of an utterance begin with as many frames (a flat start); then the mean sound of each
and the likeliest durations are found in turn (Rabiner, 1989, section VI; the first monophones of
HTK and Kaldi).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.speech.preparing.prepared import Prepared, Unfit
from kokoro_plugins.speech.preparing.refining import LEAST, refine, states_of

ROUNDS = 5
"""More change less than a boundary in a hundred."""

MOST = 300
"""Utterances whose sounds are learned from, spread over all; the durations of the others follow."""


def check_room(symbols: Sequence[str], marks: Collection[str], frames: int) -> None:
    """Refuse an utterance that has no path, whose durations would stay even.

    Args:
        symbols: The phonemes.
        marks: Symbols without a sound of their own.
        frames: Of the utterance.

    Raises:
        Unfit: It has no sound, or fewer frames than parts of sounds.
    """
    needed = sum(not each.is_optional for each in states_of(symbols, marks))
    if not 0 < needed <= frames:
        has = f"{needed} halves of sounds and only {frames} frames" if needed else "no sound"
        raise Unfit(
            "too few frames to align",
            f"has {has}; its text and its recording do not belong together.",
        )


def even_durations(symbols: Sequence[str], marks: Collection[str], frames: int) -> tuple[int, ...]:
    """Return as many frames for each phoneme and none for marks, in sum all.

    Args:
        symbols: The phonemes, at least one of which is no mark.
        marks: Symbols without a sound of their own.
        frames: Of the utterance.
    """
    sounds = list(itertools.accumulate(int(each not in marks) for each in symbols))
    ends = [round(frames * each / sounds[-1]) for each in sounds]
    return tuple(b - a for a, b in itertools.pairwise([0, *ends]))


def viterbi_training(
    utterances: Sequence[Prepared],
    out: Path,
    mel: MelSpectrogram,
    console: Console,
    marks: Collection[str],
) -> list[Prepared]:
    """Return utterances with the durations that their recordings make likeliest.

    Args:
        utterances: With even durations; their recordings are in the folder.
        out: The folder.
        mel: Of the recordings.
        console: Where progress is shown.
        marks: Symbols without a sound of their own.

    Raises:
        CorpusError: There is too little speech for the mean of a sound.
    """
    seconds = sum(each.frames for each in utterances) * mel.audio.hop_length / mel.audio.sample_rate
    if seconds < LEAST:
        raise CorpusError(
            f"`--align viterbi` learns sounds from the recordings themselves and needs {LEAST:.0f} "
            f"seconds of speech, not {seconds:.0f}; take another `--align`, or more recordings."
        )
    learned = list(utterances[:: -(-len(utterances) // MOST)])
    for _ in range(ROUNDS):
        learned = refine(learned, out, mel, console, marks=marks)
    return refine(utterances, out, mel, console, marks=marks, learn_from=learned)
