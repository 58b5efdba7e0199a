"""The corpus `folder`: recordings, texts and durations on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import Corpus, Frontend, Utterance
from kokoro_core.errors import CorpusError, FrontendError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech import durations_file
from kokoro_plugins.speech.corpus_problems import (
    NearMatches,
    Problems,
    UtteranceProblem,
    recordings_in,
)
from kokoro_plugins.speech.durations_file import Alignment
from kokoro_plugins.speech.features import RecordingFeatures
from kokoro_plugins.speech.folder_files import find_unmatched, read_files
from kokoro_plugins.speech.recordings import frames_of_recording, read_samples


@dataclass(frozen=True)
class FolderEntry:
    """An utterance but for its mel."""

    name: str
    text: str
    phoneme_indices: tuple[int, ...]
    durations: tuple[int, ...] | None
    audio_path: Path
    speaker: str | None = None
    language: str | None = None


@final
class FolderCorpus(Corpus):
    """A folder with ``metadata.csv``, whose order it keeps, ``durations.csv`` and ``wavs/ID.wav``.

    What ``held_out.txt`` lists, if it is there, comes last.

    Everything is checked when it is opened, the samples of the recordings too; mels are made when
    they are asked for.

    Args:
        path: The folder.
        audio: The settings of the mels.
        frontend: Gives the symbols their indices, and without durations makes them of the texts.
        has_durations: Whether there is a file of durations.
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
        has_durations: bool = True,
        cache_bytes: int = 512 * 2**20,
    ) -> None:
        self._mel = MelSpectrogram(audio=audio)
        self._cache: dict[int, Tensor] = {}
        self._kept: dict[int, dict[str, Tensor]] = {}
        self._room = cache_bytes
        self._marks = frozenset(frontend.indices(sorted(frontend.marks)))
        self._entries, self.held_out, problems = _read(path, frontend, self._mel, has_durations)
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
            durations=self.durations_of(index),
            mel=self._mel_of(index % len(self)),
            audio_path=entry.audio_path,
            features=self._features_of(index % len(self)),
        )

    def _features_of(self, index: int) -> RecordingFeatures:
        entry = self._entries[index]
        names = {"speaker": entry.speaker, "language": entry.language}
        known: dict[str, Any] = {what: name for what, name in names.items() if name is not None}
        known["mark"] = torch.tensor([int(each in self._marks) for each in entry.phoneme_indices])
        kept = self._kept.setdefault(index, {})
        return RecordingFeatures(entry.audio_path, self._mel, known, kept)

    def durations_of(self, index: int) -> Tensor | None:
        """Return the durations of one utterance without making its mel, (N,) int64."""
        durations = self._entries[index].durations
        return None if durations is None else torch.tensor(durations)

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
    path: Path, frontend: Frontend, mel: MelSpectrogram, has_durations: bool
) -> tuple[tuple[FolderEntry, ...], int | None, Problems]:
    """Return the utterances of a folder, how many are held out, and every problem of it."""
    problems = Problems()
    written = read_files(path, has_durations, problems)
    texts, alignments = written.texts, written.alignments
    nearby = recordings_in(path / "wavs")
    entries: list[FolderEntry] = []
    for name, text in (texts or {}).items():
        audio_path = path / "wavs" / f"{name}.wav"
        frames = frames_of_recording(audio_path, mel, nearby)
        if isinstance(frames, UtteranceProblem):
            problems.add(frames.kind, f"`{name}` {frames.message}")
        if alignments is None or name in written.bad_alignments:
            continue  # the cause has been told
        entry = partial(FolderEntry, name, text, audio_path=audio_path)
        found = (
            _aligned(name, entry, alignments, frontend, frames)
            if has_durations
            else _phonemized(entry, text, frontend, frames)
        )
        if isinstance(found, FolderEntry):
            speaker, language = written.speakers.get(name), written.languages.get(name)
            entries.append(replace(found, speaker=speaker, language=language))
        for each in () if isinstance(found, FolderEntry) else found:
            problems.add(each.kind, f"`{name}` {each.message}")
    find_unmatched(written, problems)
    if written.held_out is None:
        return tuple(entries), None, problems
    held_out = written.held_out
    in_order = sorted(entries, key=lambda entry: entry.name in held_out)
    return tuple(in_order), sum(entry.name in held_out for entry in entries), problems


def _phonemized(
    entry: Callable[..., FolderEntry], text: str, frontend: Frontend, frames: int | UtteranceProblem
) -> FolderEntry | list[UtteranceProblem]:
    """Return an utterance that nobody has aligned, or what is wrong with it."""
    try:
        indices = tuple(frontend.encode(text))
    except FrontendError as error:
        message = f"has a text that the frontend cannot read: {error}"
        return [UtteranceProblem("unreadable text", message)]
    return [] if isinstance(frames, UtteranceProblem) else entry(indices, None)


def _aligned(
    name: str,
    entry: Callable[..., FolderEntry],
    alignments: Mapping[str, Alignment],
    frontend: Frontend,
    frames: int | UtteranceProblem,
) -> FolderEntry | list[UtteranceProblem]:
    """Return an aligned utterance, or everything that is wrong with it but for its recording."""
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
    return entry(tuple(indices), alignment.frames)
