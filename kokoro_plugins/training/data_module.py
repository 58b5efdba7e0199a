"""`AlignedSpeech`: a corpus as Lightning wants it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from kokoro_core.outer_contracts import Corpus, Utterance
from kokoro_core.spec.audio import AudioSettings
from kokoro_plugins.training.batching import (
    LengthBatches,
    Position,
    in_order_of_length,
    padding_share,
)
from kokoro_plugins.training.data import Batch, check_utterances, collate
from kokoro_plugins.training.signals import ignore_stop_signals
from kokoro_plugins.training.statistics import measure


@final
class Collated(Dataset[Batch]):
    """Batches by the indices of their utterances."""

    def __init__(self, utterances: Sequence[Utterance], audio: AudioSettings, pad_id: int) -> None:
        self._utterances = utterances
        self._audio = audio
        self._pad_id = pad_id
        frames = (int(each.durations.sum()) for each in utterances)
        phonemes = (len(each.phoneme_indices) for each in utterances)
        self._longest = (max(frames, default=0), max(phonemes, default=0))

    def __getitem__(self, indices: Sequence[int]) -> Batch:
        chosen = [self._utterances[index] for index in indices]
        return collate(chosen, self._audio, self._pad_id, grid_up_to=self._longest)


@final
class Batches:
    """An iterable of batches; what is in each is decided by lists of utterance indices.

    Args:
        dataset: Makes a batch of indices.
        indices: Of each batch, in order.
        workers: Processes that make batches ahead; 0: they are made when they are asked for, which
            is enough for a corpus that keeps its mels.
    """

    def __init__(
        self, dataset: Collated, indices: Iterable[Sequence[int]], *, workers: int = 0
    ) -> None:
        self._dataset = dataset
        self._indices = indices
        self._workers = workers

    def __iter__(self) -> Iterator[Batch]:
        if self._workers:
            yield from self._loader()  # not before the first batch is asked for
        else:
            yield from (self._dataset[indices] for indices in self._indices)

    def _loader(self) -> DataLoader[Batch]:
        """Return a loader that draws nothing from torch's own generator."""
        return DataLoader(
            self._dataset,
            sampler=self._indices,
            batch_size=None,
            num_workers=self._workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            worker_init_fn=_start_worker,
            generator=torch.Generator(),
        )


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _start_worker(number: int) -> None:
    ignore_stop_signals()


@final
class Slice(Sequence[Utterance]):
    """Some utterances of a corpus, each read from it when it is asked for."""

    def __init__(self, corpus: Corpus, indices: range) -> None:
        self._corpus = corpus
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Utterance:  # type: ignore[override]
        return self._corpus[self._indices[index]]


@final
class AlignedSpeech(LightningDataModule):
    """A corpus in two parts: the last utterances are held out, the others are trained on.

    Every utterance is looked at once here, so what does not fit is found before training.

    Args:
        corpus: Aligned utterances.
        audio: Its mean and std normalise the mels.
        pad_id: Stands for padding among the phoneme indices.
        batch_frames: The most frames of a batch, padding included.
        holdout: How many utterances are held out.
        seed: Decides the order of training.
        workers: Processes that make batches of training ahead.

    Attributes:
        training: What is trained on.
        held_out: What is not.
        statistics: Of what is trained on.
        position: Where training begins in the order, and then where it was last saved.
        seed: Decides the order of training.
        settings: What decides which batches there are.

    Raises:
        CorpusError: Utterances do not fit; the message lists every problem.
        ValueError: `holdout` leaves nothing to train on.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        audio: AudioSettings,
        pad_id: int,
        batch_frames: int = 2000,
        holdout: int = 10,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= holdout < len(corpus):
            raise ValueError(
                f"`holdout` must be from 0 to {len(corpus) - 1}, not {holdout}; the corpus has "
                f"{len(corpus)} utterances, of which one at least is trained on."
            )
        first_held_out = len(corpus) - holdout
        self.audio = audio
        self.pad_id = pad_id
        self.training = Slice(corpus, range(first_held_out))
        self.held_out = Slice(corpus, range(first_held_out, len(corpus)))
        check_utterances(Slice(corpus, range(len(corpus))), audio, pad_id)
        self.statistics = measure(self.training)
        self.position = Position()
        self.seed = seed
        self.settings = {"batch_frames": batch_frames, "holdout": holdout, "seed": seed}
        self._batch_frames = batch_frames
        self._workers = workers
        self._order = LengthBatches(self.statistics.lengths, batch_frames=batch_frames, seed=seed)

    @property
    def padding_share(self) -> float:
        """Share of padding in the frames of the first epoch."""
        return padding_share(self._order.epoch(0), self.statistics.lengths)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all utterances: names, phonemes, durations and mels, in their order."""
        digest = hashlib.sha256()
        for each in itertools.chain(self.training, self.held_out):
            mel = each.mel.contiguous()
            digest.update(repr((each.name, tuple(mel.shape), str(mel.dtype))).encode())
            for tensor in (each.phoneme_indices, each.durations, mel):
                digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def move_on(self, batches: int) -> None:
        """Note that batches were trained on since `position`, those of all processes counted."""
        self.position = self._order.moved(self.position, batches)

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        return {"epoch": self.position.epoch, "batch": self.position.batch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Begin at a position."""
        self.position = Position(state_dict["epoch"], state_dict["batch"])

    def train_dataloader(self) -> Batches:
        """Return batches of training without end, from `position` on.

        Of several processes each takes its share of one order, so that the order does not depend on
        their number.
        """
        rank, processes = 0, 1
        if self.trainer is not None:
            rank, processes = self.trainer.global_rank, self.trainer.world_size
        order = _Share(self._order, self.position, rank, processes)
        return Batches(self._collated(self.training), order, workers=self._workers)

    def val_dataloader(self) -> Batches:
        """Return the batches of what is held out, the same each time."""
        return self._validation

    @cached_property
    def _validation(self) -> Batches:
        return self.in_order(self.held_out)

    def in_order(self, utterances: Sequence[Utterance]) -> Batches:
        """Return batches of utterances in order of length."""
        lengths = [int(each.durations.sum()) for each in utterances]
        return Batches(self._collated(utterances), in_order_of_length(lengths, self._batch_frames))

    def _collated(self, utterances: Sequence[Utterance]) -> Collated:
        return Collated(utterances, self.audio, self.pad_id)


@final
class _Share:
    """One process's batches of an order, from a position on."""

    def __init__(self, order: LengthBatches, position: Position, rank: int, processes: int) -> None:
        self._order = order
        self._position = position
        self._rank = rank
        self._processes = processes

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order.starting_at(self._position)
        return itertools.islice(order, self._rank, None, self._processes)
