"""`ExampleCorpus`."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import Corpus, Frontend, Utterance
from kokoro_core.errors import CorpusError, FrontendError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings

LIST = "texts.tsv"


@dataclass(frozen=True)
class ExampleEntry:
    """An utterance but for its mel.

    Attributes:
        name: Of the recording.
        text: What is said.
        phoneme_indices: The same as the model reads it.
    """

    name: str
    text: str
    phoneme_indices: list[int]


@final
class ExampleCorpus(Corpus):
    """Recordings of 16 bits and their texts.

    Args:
        path: The folder.
        audio: The settings of the mels.
        frontend: Turns the texts into phoneme indices.

    Raises:
        CorpusError: The folder does not fit; the message lists every problem.
    """

    def __init__(self, *, path: Path, audio: AudioSettings, frontend: Frontend) -> None:
        self._path = path
        self._mel = MelSpectrogram(audio=audio)
        self._entries: list[ExampleEntry] = []
        if not (path / LIST).is_file():
            raise CorpusError(
                f"`{path}` must have a file `{LIST}`, a name, a tab and a text a line."
            )
        problems: list[str] = []
        for line in (path / LIST).read_text(encoding="utf-8").splitlines():
            try:
                self._entries.append(self._checked(line, frontend))
            except (ValueError, FrontendError) as error:
                problems.append(str(error))
        if problems:
            raise CorpusError("\n".join([f"`{path}` has {len(problems)} problems:", *problems]))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Utterance:
        entry = self._entries[index]
        path = self._recording(entry.name)
        indices, mel = torch.tensor(entry.phoneme_indices), self._mel(read_wave(path))
        return Utterance(entry.name, entry.text, indices, None, mel, path)

    def _checked(self, line: str, frontend: Frontend) -> ExampleEntry:
        name, tab, text = line.partition("\t")
        if not tab:
            raise ValueError(f"`{line}` must be a name, a tab and a text.")
        path, rate = self._recording(name), self._mel.audio.sample_rate
        if not path.is_file():
            raise ValueError(f"`{name}` has no recording; `{path.name}` is missing.")
        with wave.open(str(path)) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
        if form != (1, 2, rate):
            raise ValueError(
                f"`{path.name}` must have 1 channel of 2 bytes a sample and {rate} Hz, not "
                f"{form[0]} of {form[1]} and {form[2]}."
            )
        return ExampleEntry(name, text, frontend.encode(text))

    def _recording(self, name: str) -> Path:
        return self._path / f"{name}.wav"


def read_wave(path: Path) -> Tensor:
    """Return the samples (S,) in [-1, 1] of a recording of 16 bits."""
    with wave.open(str(path)) as file:
        samples = bytearray(file.readframes(file.getnframes()))
    return torch.frombuffer(samples, dtype=torch.int16).float() / 2**15
