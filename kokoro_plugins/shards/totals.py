"""`Totals`: what the records of a shard come to, and what shards come to together."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from kokoro_core.contracts import FeatureFacts
from kokoro_core.contracts.corpus_facts import NO_NUMBERS
from kokoro_core.errors import CorpusError
from kokoro_plugins.shards.header import Figures, Header
from kokoro_plugins.shards.index_file import COLUMNS
from kokoro_plugins.shards.records import Form, Record, Unfit


@final
@dataclass
class Totals:
    """Adds up records, holding none of them."""

    aligned: int = 0
    uniform: int = 0
    symbols: set[str] = field(default_factory=set)
    names: dict[str, set[str]] = field(default_factory=dict)
    figures: dict[str, FeatureFacts] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    mel_frames: int = 0
    mel_sums: NDArray[np.float64] | float = 0.0
    mel_squares: NDArray[np.float64] | float = 0.0

    def add(self, record: Record) -> None:
        """Add a record.

        Raises:
            Unfit: A feature has another form than in the records before.
        """
        for name, form in record.forms.items():
            self._add_form(name, form)
        self.aligned += record.is_aligned
        self.uniform += record.is_uniform
        self.symbols |= record.symbols
        for name, value in record.names.items():
            self.names.setdefault(name, set()).add(value)
        for name, figures in record.figures.items():
            self.figures[name] = self.figures.get(name, NO_NUMBERS) + figures
        self.mel_frames += record.frames
        self.mel_sums = self.mel_sums + record.mel_sum
        self.mel_squares = self.mel_squares + record.mel_squares

    def add_header(self, part: Header) -> None:
        """Add what the index of a shard says.

        Raises:
            Unfit: A feature has another form than in the shards before.
        """
        for name, each in part.features.items():
            self._add_form(name, Form(each.dtype, each.rest, each.first))
            figures = FeatureFacts(each.count, each.total, each.squares, each.least, each.most)
            self.figures[name] = self.figures.get(name, NO_NUMBERS) + figures
        self.aligned += part.aligned
        self.uniform += part.uniform
        self.symbols |= set(part.symbols)
        for name, values in part.names.items():
            self.names.setdefault(name, set()).update(values)
        self.mel_frames += part.mel_frames
        self.mel_sums = self.mel_sums + np.array(part.mel_sums)
        self.mel_squares = self.mel_squares + np.array(part.mel_squares)

    def _add_form(self, name: str, form: Form) -> None:
        before = self.forms.get(name, form)
        alike = before.meet(form)
        if alike is None:
            raise Unfit(f"has `{name}` of the form {form}, which others have as {before}.")
        self.forms[name] = alike

    def said(self) -> dict[str, Any]:
        """Return the fields of a header that are sums."""
        return {
            "aligned": self.aligned,
            "uniform": self.uniform,
            "symbols": tuple(sorted(self.symbols)),
            "names": {name: tuple(sorted(each)) for name, each in self.names.items()},
            "features": {
                name: Figures(**vars(self.forms[name]), **vars(each))
                for name, each in self.figures.items()
                if each.count
            },
            "mel_frames": self.mel_frames,
            "mel_sums": tuple(np.asarray(self.mel_sums).tolist()),
            "mel_squares": tuple(np.asarray(self.mel_squares).tolist()),
        }


@final
class Rows:
    """The columns of the records of a shard, while it is written."""

    def __init__(self) -> None:
        self._numbers = {
            name: array("q") for name in ("offset", "size", "crc", "frames", "phonemes")
        }
        self._names: list[bytes] = []

    def add(self, record: Record, offset: int, crc: int) -> None:
        """Add a record that lies at an offset."""
        values = (offset, len(record.content), crc, record.frames, record.phonemes)
        for column, value in zip(self._numbers.values(), values, strict=True):
            column.append(value)
        self._names.append(record.name.encode())

    def columns(self, shard: int) -> dict[str, NDArray[Any]]:
        """Return the columns of an index."""
        count = len(self._names)
        numbers = {**self._numbers, "shard": array("q", [shard]) * count}
        found = {name: np.array(each, COLUMNS[name]) for name, each in numbers.items()}
        return {**found, **name_columns(self._names)}


def name_columns(names: Iterable[bytes]) -> Mapping[str, NDArray[Any]]:
    """Return the columns that hold names."""
    listed = list(names)
    return {
        "names": np.frombuffer(b"".join(listed), np.uint8),
        "name_end": np.cumsum([len(each) for each in listed], dtype=np.int64),
    }


def refuse_twice(names: Iterable[str]) -> None:
    """Refuse names that occur more than once.

    Raises:
        CorpusError: The message has the first of them.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise CorpusError(
            f"`{twice[0]}` is the name of more than one utterance ({len(twice):,} such names); "
            f"each utterance of a corpus has a name of its own."
        )
