"""`ShardCorpus`: utterances read from tar files when they are asked for."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from kokoro_core.contracts import Corpus, CorpusFacts, FeatureFacts, Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram, hops_of
from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.shards.header import INDEX
from kokoro_plugins.shards.index_file import open_index
from kokoro_plugins.shards.records import members_of, tensor_of
from kokoro_plugins.shards.tar_files import TarReader, file_problems

SHOWN = 10
"""As many problems are listed, and the rest counted."""


@final
class ShardCorpus(Corpus):
    """Tar files with an index; nothing that is read is kept.

    Args:
        path: The folder.
        audio: The settings of the mels, for which the shards must have been made.
        symbols: Of the frontend; phonemes are known by them.
        files_at_once: Among the utterances of as many files training mixes; None: among all.

    Raises:
        CorpusError: The index or a file is missing or damaged, or was made for other settings of
            audio or other symbols.
    """

    def __init__(
        self,
        *,
        path: Path,
        audio: AudioSettings,
        symbols: Sequence[str],
        files_at_once: int | None = None,
    ) -> None:
        self._made_by = path, audio, symbols, files_at_once
        self._path = path
        self._index = open_index(path / INDEX)
        header = self._index.header
        _check_audio(path, header.audio, audio)
        self._index_of = _indices(path, header.symbols, symbols)
        _refuse(path, file_problems(path, header.shards))
        self.held_out = header.held_out
        self._mel = MelSpectrogram(audio=audio)
        self._files_at_once = files_at_once
        self._tar = TarReader(path, header.shards)

    def __reduce__(self) -> tuple[object, ...]:
        return _open, self._made_by  # another process maps the index itself

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> Utterance:
        members = self._members(index)
        said = json.loads(members["json"])
        features = ShardFeatures(members, said, self._mel)
        return Utterance(
            name=said["name"],
            text=said["text"],
            phoneme_indices=torch.tensor([self._index_of[each] for each in said["symbols"]]),
            durations=_durations(said),
            mel=self._mel_of(members, features),
            features=features,
        )

    def durations_of(self, index: int) -> Tensor | None:
        """Return the durations of one utterance without making its mel, (N,) int64."""
        return _durations(json.loads(self._members(index)["json"]))

    def facts(self) -> CorpusFacts:
        """Return what the index says."""
        header, columns = self._index.header, self._index.columns
        sums, squares = np.array(header.mel_sums), np.array(header.mel_squares)
        mean_frame = sums / header.mel_frames
        mean = float(mean_frame.mean())
        variance = float((squares / header.mel_frames).mean()) - mean**2
        plain = ("count", "total", "squares", "least", "most")
        return CorpusFacts(
            frames=columns["frames"].data,
            phonemes=columns["phonemes"].data,
            aligned=header.aligned,
            uniform=header.uniform,
            phoneme_indices=frozenset(self._index_of[each] for each in header.symbols),
            mean_frame=torch.from_numpy(mean_frame).float(),
            mel_mean=mean,
            mel_std=max(variance, 0.0) ** 0.5,
            fingerprint=hashlib.sha256(header.model_dump_json().encode()).hexdigest(),
            keeps_mels=header.keeps_mels,
            names={name: frozenset(each) for name, each in header.names.items()},
            features={
                name: FeatureFacts(*(getattr(each, field) for field in plain))
                for name, each in header.features.items()
            },
            files=columns["shard"].data if self._files_at_once else None,
            files_at_once=self._files_at_once or 1,
        )

    def _members(self, index: int) -> dict[str, bytes]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"`index` must be below {len(self)}, not {index}.")
        row = index % len(self)
        columns = self._index.columns
        shard, offset, size, crc = (
            int(columns[name][row]) for name in ("shard", "offset", "size", "crc")
        )
        return members_of(self._tar.read(shard, offset, size, crc, self._index.name(row)))

    def _mel_of(self, members: Mapping[str, bytes], features: ShardFeatures) -> Tensor:
        if "mel.safetensors" in members:
            return tensor_of(members["mel.safetensors"])
        mel: Tensor = self._mel(features.samples)  # one of the two was written
        return mel


@final
class ShardFeatures(Mapping[str, Any]):
    """Features of an utterance by name, each decoded when it is asked for.

    Args:
        members: Of its record.
        said: What its JSON says.
        mel: Tells how many frames a recording has.
    """

    def __init__(
        self, members: Mapping[str, bytes], said: Mapping[str, Any], mel: MelSpectrogram
    ) -> None:
        self._members = members
        self._names: Mapping[str, str] = said["names"]
        self._recording: str | None = said["recording"]
        self._mel = mel

    @cached_property
    def samples(self) -> Tensor:
        """The samples of the recording, (S,)."""
        import soundfile

        assert self._recording is not None
        content = io.BytesIO(self._members[self._recording])
        return torch.from_numpy(soundfile.read(content, dtype="float32")[0])

    def __getitem__(self, name: str) -> Any:
        if name in self._names:
            return self._names[name]
        if name == WAVE and self._recording is not None:
            frames = self._mel.num_frames(len(self.samples))
            return hops_of(self.samples, self._mel.audio.hop_length, frames)
        try:
            return tensor_of(self._members[f"features.{name}.safetensors"])
        except KeyError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        yield from self._names
        if self._recording is not None:
            yield WAVE
        for member in self._members:
            if member.startswith("features."):
                yield member.removeprefix("features.").removesuffix(".safetensors")

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _open(
    path: Path, audio: AudioSettings, symbols: Sequence[str], files_at_once: int | None
) -> ShardCorpus:
    return ShardCorpus(path=path, audio=audio, symbols=symbols, files_at_once=files_at_once)


def _durations(said: Mapping[str, Any]) -> Tensor | None:
    return None if said["durations"] is None else torch.tensor(said["durations"])


def _check_audio(path: Path, made_for: AudioSettings, audio: AudioSettings) -> None:
    """Refuse other settings than those that frames, durations and mels were made for.

    Raises:
        CorpusError: The message lists what differs.
    """
    differences = made_for.differences(audio)
    if differences:
        raise CorpusError(
            f"`{path}` was written for other mels than these: {'; '.join(differences)} (shards "
            f"against spec). Write shards for this spec, or take the other settings with `--set "
            f"audio.…`."
        )


def _indices(path: Path, used: Sequence[str], symbols: Sequence[str]) -> dict[str, int]:
    """Return the index of each symbol.

    Raises:
        CorpusError: Phonemes have symbols that the frontend does not have.
    """
    index_of = {symbol: index for index, symbol in enumerate(symbols)}
    unknown = [repr(each) for each in used if each not in index_of]
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise CorpusError(
            f"`{path}` has the symbols {', '.join(unknown[:SHOWN])}{more}, which the frontend of "
            f"the spec does not have; take the frontend that the shards were written with."
        )
    return index_of


def _refuse(path: Path, problems: Sequence[str]) -> None:
    """Refuse a folder whose files are not those of its index.

    Raises:
        CorpusError: There is a problem.
    """
    if problems:
        listed = "".join(f"\n- {each}" for each in problems[:SHOWN])
        more = f"\n- … and {len(problems) - SHOWN:,} more." if len(problems) > SHOWN else ""
        raise CorpusError(
            f"`{path}` has {len(problems):,} files that are not those of its index; copy them "
            f"again, or write the shards again, which makes these alone:{listed}{more}"
        )
