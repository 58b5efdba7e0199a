"""What an index says of all its utterances: JSON at the start of the file, read without torch."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError

from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import StrictModel

INDEX = "index.safetensors"
PARTS = "parts"
"""The folder with an index of each shard, from which the whole is joined."""

KEY = "kokoro-shards"
"""Under which the JSON lies in the metadata of the safetensors file, behind its SHA-256.

It is one key, since safetensors writes several in an order that changes from run to run.
"""

FORMAT: Final = 1
MOST_BYTES = 64 * 2**20
"""A longer header is none."""


def part_of(out: Path, number: int) -> Path:
    """Return where the index of a shard is."""
    return out / PARTS / f"{shard_name(number)}.safetensors"


def shard_name(number: int) -> str:
    """Return the name of a shard without its ending."""
    return f"shard-{number:05d}"


class ShardFile(StrictModel):
    """A tar file.

    Attributes:
        name: In the folder of the index.
        size: In bytes.
        sha256: Of the whole file.
        utterances: How many it holds.
    """

    name: str = Field(pattern=r"^shard-[0-9]+\.tar$")
    size: int = Field(ge=1)
    sha256: str
    utterances: int = Field(ge=1)


class Figures(StrictModel):
    """Of a feature that is a number: as `FeatureFacts`, and the form that all have alike."""

    dtype: str
    rest: tuple[int, ...]
    first: tuple[str, ...]
    count: int
    total: float
    squares: float
    least: float
    most: float


class Header(StrictModel):
    """What an index says of all its utterances, or of those of one shard.

    Attributes:
        format: Of the files.
        identity: Of what they were made; equal if the same call would write the same.
        data_sha256: Of the columns, which follow in the file.
        audio: The settings of the mels; their mean and std do not count.
        keeps_mels: Whether mels are in the shards.
        keeps_recordings: Whether recordings are.
        shards: The files.
        held_out: How many utterances, the last ones, are not trained on; None: nobody says.
        aligned: How many have durations.
        uniform: How many have durations that are all equal.
        symbols: Those that occur among the phonemes, sorted.
        names: The values of features that are names, sorted.
        features: Of those that are numbers.
        mel_frames: Frames of all mels.
        mel_sums: The sum of each channel over them.
        mel_squares: The sum of the squares.
    """

    format: int
    identity: str
    data_sha256: str
    audio: AudioSettings
    keeps_mels: bool
    keeps_recordings: bool
    shards: tuple[ShardFile, ...]
    held_out: int | None
    aligned: int
    uniform: int
    symbols: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    features: dict[str, Figures]
    mel_frames: int
    mel_sums: tuple[float, ...]
    mel_squares: tuple[float, ...]

    @property
    def utterances(self) -> int:
        """How many there are."""
        return sum(each.utterances for each in self.shards)


def read_header(path: Path) -> tuple[Header, int]:
    """Return the header of an index, and where the columns begin in the file.

    Raises:
        CorpusError: There is no such file, or it is none, or one of another version.
    """
    if not path.is_file():
        raise CorpusError(_missing(path))
    try:
        text, start = _metadata(path)
        said = json.loads(text)
        version = said["format"]
        if version == FORMAT:
            return Header.model_validate_json(text), start
    except (OSError, ValueError, KeyError, TypeError, RecursionError, struct.error) as error:
        raise CorpusError(
            f"`{path}` is no index of shards, or is damaged ({_brief(error)}); write the shards "
            f"again."
        ) from error
    raise CorpusError(
        f"`{path}` is an index of format {version}, and this version of kokoro-core reads format "
        f"{FORMAT}; write the shards again, or read them with the version that wrote them."
    )


def _metadata(path: Path) -> tuple[str, int]:
    """Return the text under `KEY`, and where the data begins."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MOST_BYTES:
            raise ValueError(f"a header of {length:,} bytes")
        header: Any = json.loads(file.read(length))
    digest, _, text = str(header["__metadata__"][KEY]).partition(" ")
    if digest != _sha256(text):
        raise ValueError("its header is not the one that was written")
    return text, 8 + length


def metadata_of(header: Header) -> dict[str, str]:
    """Return the metadata of an index file."""
    text = header.model_dump_json()
    return {KEY: f"{_sha256(text)} {text}"}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _missing(path: Path) -> str:
    folder = path.parent
    if (folder / PARTS).is_dir():
        return (
            f"`{folder}` holds shards that were not written to the end; the command that began "
            f"them goes on where it was stopped."
        )
    return (
        f"`{folder}` has no {path.name}, so it holds no shards; write them with `kokoro-core "
        f"shards`, or with `--shards` of `kokoro-core prepare`."
    )


def _brief(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) or type(error).__name__
