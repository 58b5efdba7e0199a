"""The corpus `folder`: recordings, texts and durations on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, final

import torch
from torch import Tensor

from kokoro_core.contracts import Corpus, Frontend, Utterance
from kokoro_core.errors import CorpusError, FrontendError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech import durations_file, metadata_file
from kokoro_plugins.speech.corpus_problems import (
    LineProblem,
    NearMatches,
    Problems,
    UtteranceProblem,
    recordings_in,
)
from kokoro_plugins.speech.durations_file import Alignment
from kokoro_plugins.speech.recordings import frames_of_recording, read_samples

T = TypeVar("T")


@dataclass(frozen=True)
class FolderEntry:
    """An utterance but for its mel."""

    name: str
    text: str
    phoneme_indices: tuple[int, ...]
    durations: tuple[int, ...]
    audio_path: Path


@final
class FolderCorpus(Corpus):
    """A folder with ``metadata.csv``, whose order it keeps, ``durations.csv`` and ``wavs/ID.wav``.

    Everything is checked when it is opened, the samples of the recordings too; mels are made when
    they are asked for.

    Args:
        path: The folder.
        audio: The settings of the mels.
        frontend: Gives the symbols their indices.
        cache_bytes: Mels are kept in memory up to this size; the rest are made each time.

    Raises:
        CorpusError: Something is missing or does not fit; the message lists every problem, of
            each kind ten examples and a count.
    """

    def __init__(
        self,
        *,
        path: Path,
        audio: AudioSettings,
        frontend: Frontend,
        cache_bytes: int = 512 * 2**20,
    ) -> None:
        self._mel = MelSpectrogram(audio=audio)
        self._cache: dict[int, Tensor] = {}
        self._room = cache_bytes
        self._entries, problems = _read(path, frontend, self._mel)
        if problems:
            raise CorpusError(
                f"`{path}` is not a corpus that fits, {len(problems):,} problems:{problems}"
            )

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Utterance:
        entry = self._entries[index]
        return Utterance(
            name=entry.name,
            text=entry.text,
            phoneme_indices=torch.tensor(entry.phoneme_indices),
            durations=torch.tensor(entry.durations),
            mel=self._mel_of(index % len(self)),
            audio_path=entry.audio_path,
        )

    def durations_of(self, index: int) -> Tensor:
        """Return the durations of one utterance without making its mel, (N,) int64."""
        return torch.tensor(self._entries[index].durations)

    def _mel_of(self, index: int) -> Tensor:
        if index in self._cache:
            return self._cache[index]
        samples = read_samples(self._entries[index].audio_path)
        mel: Tensor = self._mel(torch.from_numpy(samples))
        if mel.nbytes <= self._room:
            self._room -= mel.nbytes
            self._cache[index] = mel
        return mel


def _read(
    path: Path, frontend: Frontend, mel: MelSpectrogram
) -> tuple[tuple[FolderEntry, ...], Problems]:
    """Return the utterances of a folder and every problem of it."""
    problems = Problems()
    texts, bad_texts = _read_lines(
        path / metadata_file.FILE_NAME, metadata_file.read_metadata, problems
    )
    alignments, bad_alignments = _read_lines(
        path / durations_file.FILE_NAME, durations_file.read_durations, problems
    )
    nearby = recordings_in(path / "wavs")
    entries: list[FolderEntry] = []
    for name, text in (texts or {}).items():
        audio_path = path / "wavs" / f"{name}.wav"
        frames = frames_of_recording(audio_path, mel, nearby)
        if isinstance(frames, UtteranceProblem):
            problems.add(frames.kind, f"`{name}` {frames.message}")
        if alignments is None or name in bad_alignments:
            continue  # the cause has been told
        found = _entry(name, text, alignments, audio_path, frontend, frames)
        if isinstance(found, FolderEntry):
            entries.append(found)
        for each in () if isinstance(found, FolderEntry) else found:
            problems.add(each.kind, f"`{name}` {each.message}")
    if texts is not None:
        near, told = NearMatches(texts), {*texts, *bad_texts}
        for name in [each for each in alignments or {} if each not in told]:
            problems.add("durations without a text", _without_text(name, near.find(name)))
    if texts == {} and not problems:
        message = f"{metadata_file.FILE_NAME} has no utterance; write one a line."
        problems.add("no utterance", message)
    return tuple(entries), problems


def _without_text(name: str, near: str | None) -> str:
    hint = f", which has one for {near!r}" if near is not None else ""
    return f"`{name}` has durations but no line in {metadata_file.FILE_NAME}{hint}."


def _read_lines(
    file: Path,
    read: Callable[[Iterable[str]], tuple[dict[str, T], list[LineProblem]]],
    problems: Problems,
) -> tuple[dict[str, T] | None, set[str]]:
    """Return what a file says of each utterance, None if it cannot be read, and the bad names."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror}; docs/data.md describes it."
        problems.add(f"{file.name} cannot be read", message)
        return None, set()
    except UnicodeDecodeError as error:
        message = f"{file.name} must be UTF-8, but byte {error.start} is not."
        problems.add(f"{file.name} is not UTF-8", message)
        return None, set()
    found, bad = read(text.split("\n"))
    for each in bad:
        problems.add(f"bad lines of {file.name}", str(each))
    return found, {each.name for each in bad}


def _entry(
    name: str,
    text: str,
    alignments: Mapping[str, Alignment],
    audio_path: Path,
    frontend: Frontend,
    frames: int | UtteranceProblem,
) -> FolderEntry | list[UtteranceProblem]:
    """Return an utterance, or everything that is wrong with it but for its recording."""
    alignment = alignments.get(name)
    if alignment is None:
        near = NearMatches(alignments).find(name)
        hint = f"it has one for {near!r}" if near is not None else "add its durations"
        message = f"has no line in {durations_file.FILE_NAME}; {hint}."
        return [UtteranceProblem("no durations", message)]
    problems: list[UtteranceProblem] = []
    indices: list[int] = []
    try:
        indices = frontend.indices(alignment.symbols)
    except FrontendError as error:
        message = f"has symbols that the frontend does not know: {error}"
        problems.append(UtteranceProblem("unknown symbols", message))
    total = sum(alignment.frames)
    if isinstance(frames, int) and total != frames:
        message = (
            f"has durations that sum to {total} frames, but its mel has {frames}; "
            f"the two must be equal."
        )
        problems.append(UtteranceProblem("durations of another length", message))
    if problems or isinstance(frames, UtteranceProblem):
        return problems
    return FolderEntry(name, text, tuple(indices), alignment.frames, audio_path)
