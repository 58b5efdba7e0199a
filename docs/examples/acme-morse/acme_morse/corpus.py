"""`MorseCorpus`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import Corpus, Frontend, Utterance
from kokoro_core.errors import CorpusError, FrontendError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CODES = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - "
    "..- ...- .-- -..- -.-- --.."
)
CODES = dict(zip(_LETTERS, _CODES.split(), strict=True))

LETTER_GAP, WORD_GAP = 3, 7
"""Units of silence after a letter, and between words."""


@final
class MorseCorpus(Corpus):
    """Every line of a file, keyed as a tone.

    Args:
        path: The file.
        audio: The settings of the mels.
        frontend: Its symbols must be letters, and a blank.
        unit: Frames of a dot.
        pitch: Of the tone, in Hz.

    Raises:
        CorpusError: The file is missing, or has something that Morse code does not.
    """

    def __init__(
        self, *, path: Path, audio: AudioSettings, frontend: Frontend, unit: int, pitch: float
    ) -> None:
        if not path.is_file():
            raise CorpusError(f"`{path}` must be a text file, a line for each utterance.")
        if audio.padding != "same":
            raise CorpusError(
                f"`audio.padding` must be `same`, so that the frames of a sound are its samples "
                f"divided by the hop, not `{audio.padding}`."
            )
        self._mel = MelSpectrogram(audio=audio)
        self._unit, self._pitch = unit, pitch
        self._lines = [each.strip().lower() for each in path.read_text("utf-8").splitlines()]
        problems = [
            f"line {number} must be letters and blanks, not {line!r}"
            for number, line in enumerate(self._lines, start=1)
            if not line or not set(line) <= {*CODES, " "}
        ]
        if problems:
            raise CorpusError(f"`{path}`: {'; '.join(problems)}.")
        self._indices = [_indices(line, frontend) for line in self._lines]

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Utterance:
        line = self._lines[index]
        return Utterance(
            name=f"line-{index % len(self) + 1}",
            text=line,
            phoneme_indices=torch.tensor(self._indices[index]),
            durations=self.durations_of(index),
            mel=self._mel(self._wave(line)),
        )

    def durations_of(self, index: int) -> Tensor:
        """Return the frames of each letter and blank, (N,) int64, without making the mel."""
        return torch.tensor([len(units(each)) * self._unit for each in self._lines[index]])

    def _wave(self, line: str) -> Tensor:
        """Return the keyed tone of a line, (S,)."""
        keys = torch.tensor([float(on) for letter in line for on in units(letter)])
        keyed = keys.repeat_interleave(self._unit * self._mel.audio.hop_length)
        seconds = torch.arange(len(keyed), dtype=torch.float64) / self._mel.audio.sample_rate
        return 0.5 * keyed * (2 * math.pi * self._pitch * seconds).sin().float()


def units(letter: str) -> list[bool]:
    """Return whether the key is down in each unit of a letter with the gap after it, or a blank."""
    if letter == " ":
        return [False] * (WORD_GAP - LETTER_GAP)
    down = [
        unit for sign in CODES[letter] for unit in ([True] * (3 if sign == "-" else 1), [False])
    ]
    return [key for unit in down[:-1] for key in unit] + [False] * LETTER_GAP


def _indices(line: str, frontend: Frontend) -> list[int]:
    """Return the phoneme indices of a line, one for each of its letters and blanks."""
    try:
        indices = frontend.encode(line)
    except FrontendError as error:
        raise CorpusError(f"`{line}` cannot be read by the frontend: {error}") from error
    if len(indices) != len(line):
        raise CorpusError(
            f"`{line}` has {len(line)} letters and blanks, but the frontend makes {len(indices)} "
            f"symbols of it; take `symbols` with `split: characters`."
        )
    return indices
