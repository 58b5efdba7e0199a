"""An index of as many utterances as wanted, all of which lie in a few real shards."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from kokoro_plugins.shards.header import INDEX
from kokoro_plugins.shards.index_file import COLUMNS, open_index, write_index
from kokoro_plugins.shards.totals import name_columns


def tile(shards: Path, out: Path, count: int, held_out: int) -> None:
    """Write an index whose rows point to the records of another one again and again."""
    index = open_index(shards / INDEX)
    out.mkdir()
    for shard in index.header.shards:
        shutil.copy(shards / shard.name, out)
    rows = np.arange(count) % len(index)
    columns = {name: index.columns[name][rows] for name in COLUMNS if name != "name_end"}
    columns |= name_columns(f"speaker-1234/book-{row:010d}".encode() for row in range(count))
    shares = np.bincount(columns["shard"], minlength=len(index.header.shards)).tolist()
    counted = [
        shard.model_copy(update={"utterances": share})
        for shard, share in zip(index.header.shards, shares, strict=True)
    ]
    times = count // len(index)
    header = index.header.model_copy(
        update={"shards": tuple(counted), "held_out": held_out, "aligned": count}
    )
    sums: dict[str, object] = {"mel_frames": header.mel_frames * times}
    for name in ("mel_sums", "mel_squares"):
        sums[name] = tuple(each * times for each in getattr(header, name))
    write_index(out / INDEX, header.model_copy(update=sums), columns)
