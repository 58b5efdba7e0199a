"""The corpus `folder`: recordings, texts and durations on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

import soundfile
import torch
from torch import Tensor

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.outer_contracts import Corpus, CorpusError, Frontend, FrontendError, Utterance
from kokoro_core.spec.audio import AudioSettings
from kokoro_plugins.speech import durations_file, metadata_file
from kokoro_plugins.speech.durations_file import Alignment

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """An utterance but for its mel."""

    name: str
    text: str
    phoneme_indices: tuple[int, ...]
    durations: tuple[int, ...]
    audio_path: Path


@final
class FolderCorpus(Corpus):
    """A folder with ``metadata.csv``, whose order it keeps, ``durations.csv`` and ``wavs/ID.wav``.

    Everything is checked when it is opened, from the headers of the recordings; mels are made when
    they are asked for.

    Args:
        path: The folder.
        audio: The settings of the mels.
        frontend: Gives the symbols their indices.
        cache_bytes: Mels are kept in memory up to this size; the rest are made each time.

    Raises:
        CorpusError: Something is missing or does not fit; the message lists every problem.
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
            listed = "".join(f"\n- {each}" for each in problems)
            raise CorpusError(
                f"`{path}` is not a corpus that fits, {len(problems)} problems:{listed}"
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

    def _mel_of(self, index: int) -> Tensor:
        if index in self._cache:
            return self._cache[index]
        samples, _ = soundfile.read(self._entries[index].audio_path, dtype="float32")
        mel: Tensor = self._mel(torch.from_numpy(samples))
        if mel.nbytes <= self._room:
            self._room -= mel.nbytes
            self._cache[index] = mel
        return mel


def _read(
    path: Path, frontend: Frontend, mel: MelSpectrogram
) -> tuple[tuple[Entry, ...], list[str]]:
    """Return the utterances of a folder and every problem of it."""
    texts, problems = _read_lines(path / metadata_file.FILE_NAME, metadata_file.read_metadata)
    alignments, more = _read_lines(path / durations_file.FILE_NAME, durations_file.read_durations)
    problems += more
    entries: list[Entry] = []
    for name, text in texts.items():
        audio_path = path / "wavs" / f"{name}.wav"
        found = _entry(name, text, alignments.get(name), audio_path, frontend, mel)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            problems += [f"`{name}` {each}" for each in found]
    problems += [
        f"`{name}` has durations but no line in {metadata_file.FILE_NAME}."
        for name in alignments
        if name not in texts
    ]
    if not texts and not problems:
        problems.append(f"{metadata_file.FILE_NAME} has no utterance; write one a line.")
    return tuple(entries), problems


def _read_lines(
    file: Path, read: Callable[[Iterable[str]], tuple[dict[str, T], list[str]]]
) -> tuple[dict[str, T], list[str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        return {}, [f"{file.name} cannot be read: {error.strerror}; docs/data.md describes it."]
    except UnicodeDecodeError as error:
        return {}, [f"{file.name} must be UTF-8, but byte {error.start} is not."]
    return read(text.split("\n"))


def _entry(
    name: str,
    text: str,
    alignment: Alignment | None,
    audio_path: Path,
    frontend: Frontend,
    mel: MelSpectrogram,
) -> Entry | list[str]:
    """Return an utterance, or everything that is wrong with it."""
    frames = _frames_of_recording(audio_path, mel)
    problems = [frames] if isinstance(frames, str) else []
    if alignment is None:
        return [*problems, f"has no line in {durations_file.FILE_NAME}; add its durations."]
    indices: list[int] = []
    try:
        indices = frontend.indices(alignment.symbols)
    except FrontendError as error:
        problems.append(f"has symbols that the frontend does not know: {error}")
    total = sum(alignment.frames)
    if isinstance(frames, int) and total != frames:
        problems.append(
            f"has durations that sum to {total} frames, but its mel has {frames}; "
            f"the two must be equal."
        )
    return problems or Entry(name, text, tuple(indices), alignment.frames, audio_path)


def _frames_of_recording(path: Path, mel: MelSpectrogram) -> int | str:
    """Return the mel frames of a recording, or what is wrong with it."""
    where = f"wavs/{path.name}"
    info = _recording(path)
    if isinstance(info, str):
        return info
    if info.samplerate != mel.audio.sample_rate:
        return (
            f"has a recording of {info.samplerate} Hz, {where}, but `audio.sample_rate` is "
            f"{mel.audio.sample_rate}; resample it."
        )
    if info.channels != 1:
        return f"has a recording of {info.channels} channels, {where}; mix it to one."
    try:
        return mel.num_frames(info.frames)
    except ValueError as error:
        return f"has a recording that is too short, {where}: {error}"


def _recording(path: Path) -> Any:
    """Return what soundfile says of a recording, or a text of what is wrong with it."""
    where = f"wavs/{path.name}"
    try:
        return soundfile.info(path) if path.is_file() else f"has no recording; {where} is missing."
    except OSError as error:  # a name that no file system takes, say
        return f"has no recording that can be looked for: {error.strerror}."
    except soundfile.LibsndfileError as error:
        return f"has a recording that cannot be read, {where}: {error.error_string}"
