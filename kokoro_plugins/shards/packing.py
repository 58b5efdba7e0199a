"""Utterances of a corpus as records, read ahead by several processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, final

from torch.utils.data import DataLoader, Dataset

from kokoro_core.contracts import Corpus
from kokoro_core.errors import CorpusError
from kokoro_plugins.shards.records import Packer, Record, Unfit

Packed = Record | str
"""A record, or what is wrong with an utterance, in a sentence."""


@final
class PackedCorpus(Dataset[Packed]):
    """The records of a corpus.

    Args:
        corpus: Read when a record is asked for.
        packer: Makes it.
    """

    def __init__(self, corpus: Corpus, packer: Packer) -> None:
        self._corpus = corpus
        self._packer = packer

    def __getitem__(self, row: int) -> Packed:
        try:
            utterance = self._corpus[row]
        except CorpusError as error:
            return str(error)
        try:
            return self._packer.pack(utterance, row)
        except (CorpusError, Unfit) as error:
            said = str(error)
            return said if said.startswith(f"`{utterance.name}`") else f"`{utterance.name}` {said}"


def pack_all(corpus: Corpus, packer: Packer, rows: Sequence[int], workers: int) -> Iterator[Packed]:
    """Yield the record of each row, in their order.

    Args:
        corpus: What is packed.
        packer: How.
        rows: Which of it.
        workers: Processes; 0: this one.
    """
    dataset = PackedCorpus(corpus, packer)
    if not workers or not rows:
        return (dataset[row] for row in rows)
    loader: Iterable[Any] = DataLoader(
        dataset, sampler=rows, batch_size=None, num_workers=workers, collate_fn=_as_it_is
    )
    return iter(loader)


def _as_it_is(packed: Any) -> Any:
    return packed
