"""An utterance as a few members of a tar file, with names as `webdataset` wants them.

``000000007.json`` has its texts, ``000000007.mel.safetensors`` its mel,
``000000007.features.pitch.safetensors`` a feature, ``000000007.wav`` the recording as it was. All
members of one lie side by side.
"""

from __future__ import annotations

import json
import math
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from kokoro_core.contracts import FeatureFacts, Utterance
from kokoro_core.contracts.utterances import is_uniform, problems_of

BLOCK = 512
TENSOR = "values"
"""What the only tensor of a member is called."""
NAMES = ("speaker", "language")
"""Features that are names; they are written whenever a corpus has them."""


@dataclass(frozen=True)
class Form:
    """What all utterances have alike of a feature.

    Attributes:
        dtype: Of its tensor.
        rest: Its shape without the first dimension.
        first: What the first dimension may be: ``phonemes``, ``frames``, a number.
    """

    dtype: str
    rest: tuple[int, ...]
    first: tuple[str, ...]

    def meet(self, other: Form) -> Form | None:
        """Return what two forms have alike; None: they are not the same."""
        both = tuple(each for each in self.first if each in other.first)
        same = both and (self.dtype, self.rest) == (other.dtype, other.rest)
        return Form(self.dtype, self.rest, both) if same else None

    def __str__(self) -> str:
        shape = ", ".join([self.first[0], *map(str, self.rest)])
        return f"({shape}) {self.dtype}"


@dataclass(frozen=True)
class Record:
    """An utterance as bytes, and what the index says of it.

    Attributes:
        content: Members of a tar file.
        name: Of the utterance.
        frames: Of its mel.
        phonemes: How many.
        is_aligned: Whether it has durations.
        is_uniform: Whether they are all equal.
        symbols: That occur among its phonemes.
        names: Its features that are names.
        figures: Of its features that are numbers.
        forms: The form of each feature that is a number.
        mel_sum: (M,), over its frames.
        mel_squares: (M,), likewise.
    """

    content: bytes
    name: str
    frames: int
    phonemes: int
    is_aligned: bool
    is_uniform: bool
    symbols: frozenset[str]
    names: Mapping[str, str]
    figures: Mapping[str, FeatureFacts]
    forms: Mapping[str, Form]
    mel_sum: NDArray[np.float64]
    mel_squares: NDArray[np.float64]


class Unfit(Exception):
    """An utterance that cannot be written; the message ends a sentence begun by its name."""


@final
class Packer:
    """Turns utterances into records.

    Args:
        symbols: The symbol of each phoneme index.
        n_mels: Channels of a mel.
        features: Names of those that are written.
        keeps_mels: Whether mels are.
        keeps_recordings: Whether recordings are.
    """

    def __init__(
        self,
        *,
        symbols: Sequence[str],
        n_mels: int,
        features: Sequence[str],
        keeps_mels: bool,
        keeps_recordings: bool,
    ) -> None:
        self._symbols = symbols
        self._index_of = {symbol: index for index, symbol in enumerate(symbols)}
        self._n_mels = n_mels
        self._features = features
        self._keeps_mels = keeps_mels
        self._keeps_recordings = keeps_recordings

    def pack(self, utterance: Utterance, row: int) -> Record:
        """Return an utterance as a record, which is called by the row.

        Raises:
            Unfit: Its parts do not fit together, or it lacks what is to be written.
        """
        for problem in problems_of(utterance, self._n_mels, vocab_size=len(self._symbols)):
            raise Unfit(problem)
        symbols = self._symbols_of(utterance)
        names, numbers = self._features_of(utterance)
        arrays = {"mel.safetensors": _bytes_of(utterance.mel)} if self._keeps_mels else {}
        arrays |= {
            f"features.{name}.safetensors": _bytes_of(value) for name, value in numbers.items()
        }
        ending, recording = self._recording_of(utterance)
        durations = utterance.durations
        said = {
            "name": utterance.name,
            "text": utterance.text,
            "symbols": symbols,
            "durations": None if durations is None else durations.tolist(),
            "names": names,
            "recording": ending,
        }
        text = json.dumps(said, ensure_ascii=False).encode()
        members = {"json": text, **arrays, **({ending: recording} if ending else {})}
        wide = utterance.mel.double()
        return Record(
            content=b"".join(_members(f"{row:09d}", members)),
            name=utterance.name,
            frames=len(utterance.mel),
            phonemes=len(symbols),
            is_aligned=durations is not None,
            is_uniform=durations is not None and is_uniform(durations),
            symbols=frozenset(symbols),
            names=names,
            figures={name: _figures(value) for name, value in numbers.items()},
            forms={name: _form(value, utterance) for name, value in numbers.items()},
            mel_sum=wide.sum(0).numpy(),
            mel_squares=wide.square().sum(0).numpy(),
        )

    def _symbols_of(self, utterance: Utterance) -> list[str]:
        indices = utterance.phoneme_indices.tolist()
        symbols = [self._symbols[index] for index in indices]
        if [self._index_of[symbol] for symbol in symbols] != indices:
            raise Unfit("has a phoneme whose symbol stands for two indices of the frontend.")
        return symbols

    def _features_of(self, utterance: Utterance) -> tuple[dict[str, str], dict[str, Tensor]]:
        names: dict[str, str] = {}
        numbers: dict[str, Tensor] = {}
        for name in dict.fromkeys((*NAMES, *self._features)):
            try:
                value = utterance.features[name]
            except KeyError:
                if name in self._features:
                    raise Unfit(f"has no feature `{name}`, which is to be written.") from None
                continue
            if isinstance(value, str):
                names[name] = value
            else:
                numbers[name] = torch.as_tensor(value)
                if not bool(numbers[name].isfinite().all()):
                    raise Unfit(f"has `{name}` with a NaN or an infinity.")
        return names, numbers

    def _recording_of(self, utterance: Utterance) -> tuple[str | None, bytes]:
        """Return the ending of a recording's file and its bytes; None: it is not written."""
        if not self._keeps_recordings:
            return None, b""
        path = utterance.audio_path
        if path is None:
            raise Unfit("has no file with a recording, so only its mel can be written.")
        return path.suffix.removeprefix(".").lower() or "wav", path.read_bytes()


def members_of(content: bytes) -> dict[str, bytes]:
    """Return the members of a record by what follows the first dot of their names."""
    found: dict[str, bytes] = {}
    place = 0
    while place < len(content):
        # POSIX ustar: the name at 0, the size in octal at 124
        name = content[place : place + 100].partition(b"\0")[0].decode()
        size = int(content[place + 124 : place + 135], 8)
        found[name.partition(".")[2]] = content[place + BLOCK : place + BLOCK + size]
        place += BLOCK + math.ceil(size / BLOCK) * BLOCK
    return found


def tensor_of(content: bytes) -> Tensor:
    """Return the tensor that a member holds."""
    return load(content)[TENSOR]


def _members(key: str, members: Mapping[str, bytes]) -> Iterator[bytes]:
    for ending, content in members.items():
        info = tarfile.TarInfo(f"{key}.{ending}")
        info.size = len(content)
        yield info.tobuf(tarfile.USTAR_FORMAT)
        yield content
        yield bytes(-len(content) % BLOCK)


def _bytes_of(value: Tensor) -> bytes:
    return save({TENSOR: value.contiguous()})


def _figures(value: Tensor) -> FeatureFacts:
    wide = value.double()
    return FeatureFacts(
        count=wide.numel(),
        total=float(wide.sum()),
        squares=float(wide.square().sum()),
        least=float(wide.min()) if wide.numel() else math.inf,
        most=float(wide.max()) if wide.numel() else -math.inf,
    )


def _form(value: Tensor, utterance: Utterance) -> Form:
    if not value.dim():
        return Form(str(value.dtype), (), ("one number",))
    lengths = {"phonemes": len(utterance.phoneme_indices), "frames": len(utterance.mel)}
    first = len(value)
    may_be = [name for name, each in lengths.items() if each == first]
    return Form(str(value.dtype), tuple(value.shape[1:]), (*may_be, str(first)))
