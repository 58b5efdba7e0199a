"""The indices of all shards as one, in the order of the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_core.errors import CorpusError
from kokoro_core.params.held_out import held_out_by_name
from kokoro_plugins.shards.header import Header, part_of
from kokoro_plugins.shards.index_file import COLUMNS, Index, open_index
from kokoro_plugins.shards.records import Unfit
from kokoro_plugins.shards.totals import Totals, name_columns, refuse_twice


def join(
    out: Path, rows: Sequence[NDArray[np.int64]], said: int | None, holdout: int | None
) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Return the index of a whole corpus.

    Args:
        out: The folder.
        rows: The rows of the corpus in each shard.
        said: How many utterances, the last ones, the corpus sets aside; None: it does not say.
        holdout: How many are set aside by the hash of their names; None: what the corpus says, or
            if it does not one in twenty, at most a hundred.

    Raises:
        CorpusError: Names occur twice, or features have not the same form in all shards.
        ValueError: None would be left to train on.
    """
    parts = [open_index(part_of(out, number)) for number in range(len(rows))]
    names = _names(parts, rows)
    refuse_twice(names)
    count = sum(map(len, rows))
    order = np.arange(count)
    if holdout is not None or said is None:
        chosen = held_out_by_name(names, holdout)
        is_held_out = np.fromiter((name in chosen for name in names), bool, count)
        order, said = np.argsort(is_held_out, kind="stable"), len(chosen)
    columns = {
        name: _joined(parts, rows, name, np.dtype(dtype), count)[order]
        for name, dtype in COLUMNS.items()
        if name != "name_end"
    }
    columns |= name_columns(names[row].encode() for row in order)
    return _header(parts, said), columns


def _names(parts: Sequence[Index], rows: Sequence[NDArray[np.int64]]) -> list[str]:
    """Return the names in the order of the corpus."""
    names = [""] * sum(map(len, rows))
    for part, here in zip(parts, rows, strict=True):
        for place, row in enumerate(here.tolist()):
            names[row] = part.name(place)
    return names


def _joined(
    parts: Sequence[Index],
    rows: Sequence[NDArray[np.int64]],
    name: str,
    dtype: np.dtype[Any],
    count: int,
) -> NDArray[Any]:
    """Return a column in the order of the corpus."""
    column = np.empty(count, dtype)
    for part, here in zip(parts, rows, strict=True):
        column[here] = part.columns[name]
    return column


def _header(parts: Sequence[Index], held_out: int | None) -> Header:
    totals = Totals()
    for part in parts:
        try:
            totals.add_header(part.header)
        except Unfit as unfit:
            raise CorpusError(f"`{part.header.shards[0].name}` {unfit}") from unfit
    shards = tuple(shard for part in parts for shard in part.header.shards)
    first = parts[0].header
    return first.model_copy(update={"shards": shards, "held_out": held_out, **totals.said()})
