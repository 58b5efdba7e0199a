"""`check`: whether shards are what was written, byte for byte."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kokoro_plugins.shards.header import INDEX, ShardFile
from kokoro_plugins.shards.index_file import Index, open_index
from kokoro_plugins.shards.tar_files import file_problems

SHOWN = 5


def check(folder: Path, watch: Callable[[ShardFile], object] = lambda shard: None) -> list[str]:
    """Read every file once and return what is wrong, in sentences.

    Args:
        folder: With an index.
        watch: Is given each file before it is read.

    Raises:
        CorpusError: The index itself is missing or damaged.
    """
    index = open_index(folder / INDEX)
    problems: list[str] = []
    for number, shard in enumerate(index.header.shards):
        watch(shard)
        found = file_problems(folder, [shard])
        problems += found or _content_problems(folder, index, number)
    return problems


def _content_problems(folder: Path, index: Index, number: int) -> Iterator[str]:
    shard = index.header.shards[number]
    with (folder / shard.name).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256:
            return
    damaged = list(_damaged(folder / shard.name, index, number))
    listed = ", ".join(f"`{name}`" for name in damaged[:SHOWN]) or "none of its utterances"
    more = f" and {len(damaged) - SHOWN:,} more" if len(damaged) > SHOWN else ""
    yield f"`{shard.name}` is not what was written; damaged are {listed}{more}."


def _damaged(file: Path, index: Index, number: int) -> Iterator[str]:
    """Yield the names of utterances whose records are not what was written."""
    columns = index.columns
    with file.open("rb") as opened:
        for row in np.flatnonzero(columns["shard"] == number).tolist():
            opened.seek(int(columns["offset"][row]))
            content = opened.read(int(columns["size"][row]))
            if zlib.crc32(content) != int(columns["crc"][row]):
                yield index.name(row)
