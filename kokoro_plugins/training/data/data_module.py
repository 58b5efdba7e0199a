"""`AlignedSpeech`: a corpus as Lightning wants it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar, final

import torch
from torch.utils.data import DataLoader, Dataset

from kokoro_core.contracts import Corpus, CorpusFacts, Utterance
from kokoro_core.model import TrainingBatch
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.features import Feature
from kokoro_core.params.held_out import held_out_count
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.training.data.batching import (
    LengthBatches,
    PlannedBatch,
    Position,
    in_order_of_length,
    padding_share,
)
from kokoro_plugins.training.data.collate import collate, problems_of
from kokoro_plugins.training.data.feature_problems import FeatureCheck
from kokoro_plugins.training.data.feature_statistics import Moments, add_features
from kokoro_plugins.training.data.grouped import FileBatches
from kokoro_plugins.training.data.known_facts import fact_problems, known_moments
from kokoro_plugins.training.data.orders import EpochOrder, StepOrder
from kokoro_plugins.training.data.sizes import Sizes
from kokoro_plugins.training.data.statistics import refuse, survey
from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.signals import ignore_stop_signals


@final
class Collated(Dataset[TrainingBatch]):
    """Batches by the indices of their utterances.

    Args:
        utterances: Of any order.
        audio: Its mean and std normalise the mels.
        pad_id: Stands for padding among the phoneme indices.
        sizes: Frames and phonemes of each utterance.
        features: What the model takes beside phonemes and mels, by name.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        audio: AudioSettings,
        pad_id: int,
        sizes: Sizes,
        features: Mapping[str, Feature],
    ) -> None:
        self._features = features
        self._utterances = utterances
        self._audio = audio
        self._pad_id = pad_id
        self._longest = sizes.most

    def __getitem__(self, planned: PlannedBatch) -> TrainingBatch:
        return collate(
            [self._utterances[index] for index in planned.indices],
            self._audio,
            self._pad_id,
            grid_up_to=self._longest,
            of_step=planned.of_step,
            features=self._features,
        )


Planned = TypeVar("Planned")
Made = TypeVar("Made")


@final
class Batches(Generic[Planned, Made]):
    """An iterable of batches; what is in each is decided by what is planned.

    Args:
        dataset: Makes a planned batch when it is indexed by it.
        sampler: What is planned, in order. If it has a length this has one, and Lightning tells it
            the epoch as it tells any sampler.
        workers: Processes that make batches ahead; 0: they are made when they are asked for, which
            is enough for a corpus that keeps its mels.
    """

    def __init__(
        self, dataset: Dataset[Made], sampler: Iterable[Planned], *, workers: int = 0
    ) -> None:
        self.sampler = sampler
        self.batch_sampler = None  # Lightning asks for it where there is a sampler
        self._dataset = dataset
        self._workers = workers

    def __len__(self) -> int:
        return len(self.sampler)  # type: ignore[arg-type]  # TypeError where there is no end

    def share(self, rank: int, processes: int) -> Batches[Planned, Made]:
        """Return the batches of one of several processes; there is an end to them."""
        planned = itertools.islice(self.sampler, rank, None, processes)
        return Batches(self._dataset, [*planned], workers=self._workers)

    def __iter__(self) -> Iterator[Made]:
        if self._workers:
            yield from self._loader()  # not before the first batch is asked for
        else:
            yield from (self._dataset[planned] for planned in self.sampler)

    def _loader(self) -> DataLoader[Made]:
        """Return a loader that draws nothing from torch's own generator."""
        return DataLoader(
            self._dataset,
            sampler=self.sampler,
            batch_size=None,
            num_workers=self._workers,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),
        )


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
class AlignedSpeech(TrainingData):
    """A corpus in two parts: the last utterances are held out, the others are trained on.

    Every utterance is looked at once here, so what does not fit is found before training; of a
    corpus that gives facts (`Corpus.facts`) a few are, and the facts say the rest.

    In a trainer of one's own an epoch is every utterance once: the batches are cut once and come in
    another order in each epoch. `fit` asks for `endless` ones, which are cut anew in each.

    Args:
        corpus: Aligned utterances.
        audio: Its mean and std normalise the mels.
        pad_id: Stands for padding among the phoneme indices.
        vocab_size: Phoneme indices must be below it; None: whatever there is.
        batch_frames: The most frames of a batch, padding included.
        holdout: How many utterances are held out; None: those that the corpus sets aside, or
            10 if it does not say.
        seed: Decides the order of training.
        workers: Processes that make batches of training ahead.
        features: What the model takes beside phonemes and mels, by name, as the corpus has it.
        names: What the features that are names, such as the speaker, may be called.
        needs_durations: Whether every utterance must have durations.

    Attributes:
        features: As above.
        moments: Mean and standard deviation of those that are numbers, over all utterances.
        corpus: What both parts are of.
        training: What is trained on.
        held_out: What is not.
        sizes: Frames and phonemes of each utterance.
        statistics: Of what is trained on.
        fingerprint: SHA-256 of all utterances: names, phonemes, durations, mels, features.
        uniform: How many utterances have durations that are all equal.
        texts: Some of the utterances, without their mels.
        mels: Some of the mels, by the index of their utterance.
        position: Where training begins in the order, and then where it was last saved.
        seed: Decides the order of training.
        settings: What decides which batches there are.

    Raises:
        CorpusError: Utterances do not fit; the message lists the first problems and counts all.
        ValueError: `holdout` leaves nothing to train on, or `batch_frames` is below 1.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        audio: AudioSettings,
        pad_id: int,
        vocab_size: int | None = None,
        batch_frames: int = 2000,
        holdout: int | None = None,
        seed: int = 0,
        workers: int = 0,
        features: Mapping[str, Feature] | None = None,
        names: Mapping[str, Sequence[str]] | None = None,
        needs_durations: bool = False,
    ) -> None:
        super().__init__()
        self.features = dict(features or {})
        holdout = held_out_count(holdout, corpus.held_out)
        check_holdout(holdout, len(corpus))
        first_held_out = len(corpus) - holdout
        self.moments = {
            name: Moments()
            for name, each in self.features.items()
            if each.kind == "float" and name != WAVE  # samples are as they are
        }
        check = FeatureCheck(self.features, names or {})
        facts = corpus.facts()
        if facts is not None:
            problems = fact_problems(
                facts,
                pad_id=pad_id,
                vocab_size=vocab_size,
                features=self.features,
                names=names or {},
                needs_durations=needs_durations,
            )
            refuse(list(problems))

        def more(each: Utterance) -> Iterator[str]:
            if needs_durations and each.durations is None:
                yield "has no durations, and the model no `aligner` to find them."
            problems = list(check.problems_of(each))
            if not problems:
                add_features(each, self.moments)
            yield from problems

        found = survey(
            corpus,
            lambda each: [*problems_of(each, audio, pad_id, vocab_size), *more(each)],
            num_training=first_held_out,
            features=sorted(self.features),
        )
        if facts is not None:
            self.moments = {each: known_moments(facts)[each] for each in self.moments}
        self.audio = audio
        self.pad_id = pad_id
        self.corpus = corpus
        self._training = Slice(corpus, range(first_held_out))
        self._held_out = Slice(corpus, range(first_held_out, len(corpus)))
        self.sizes = found.sizes
        self.statistics = found.statistics
        self.fingerprint = found.fingerprint
        self.uniform = found.uniform
        self.texts = found.texts
        self.mels = found.mels
        self.position = Position()
        self.seed = seed
        by_file = {} if facts is None or facts.files is None else {"files": facts.files_at_once}
        self.settings = {"batch_frames": batch_frames, "holdout": holdout, "seed": seed, **by_file}
        self._batch_frames = batch_frames
        self._workers = workers
        self._accumulate: int | None = None
        self._order = self._ordered(facts)

    def _ordered(self, facts: CorpusFacts | None) -> LengthBatches | FileBatches:
        """Return the order of training: of all utterances, or a few files after the other."""
        lengths = self.statistics.lengths
        if facts is None or facts.files is None:
            return LengthBatches(lengths, batch_frames=self._batch_frames, seed=self.seed)
        return FileBatches(
            lengths,
            facts.files[: len(lengths)],
            at_once=facts.files_at_once,
            batch_frames=self._batch_frames,
            seed=self.seed,
        )

    @property
    def training(self) -> Slice:
        """What is trained on."""
        return self._training

    @property
    def held_out(self) -> Slice:
        """What is not."""
        return self._held_out

    @property
    def order(self) -> LengthBatches | FileBatches:
        """In which order batches come."""
        return self._order

    @property
    def padding_share(self) -> float:
        """Share of padding in the frames of the first epoch."""
        return padding_share(self._order.epoch(0), self.statistics.lengths)

    def endless(self, *, accumulate: int) -> None:
        """Give batches without end from now on, from `position` on, as `fit` wants them.

        Args:
            accumulate: As many batches of each process make a step; each is told the frames and the
                phonemes of all of them, so that its losses can be weighed.
        """
        self._accumulate = accumulate

    def train_dataloader(self) -> Batches[PlannedBatch, TrainingBatch]:
        """Return the batches of training: of one epoch, or without end.

        Of several processes each takes its share of one order, so that the order does not depend on
        their number.
        """
        rank, processes = 0, 1
        if self.trainer is not None:
            rank, processes = self.trainer.global_rank, self.trainer.world_size
        sizes = self.sizes[: len(self.training)]
        order: EpochOrder | StepOrder = EpochOrder(self._order.epoch(0), self.seed, rank, processes)
        if self._accumulate is not None:
            order = StepOrder(self._order, self.position, sizes, self._accumulate, rank, processes)
        dataset = Collated(self.training, self.audio, self.pad_id, sizes, self.features)
        return Batches(dataset, order, workers=self._workers)

    def val_dataloader(self) -> Batches[PlannedBatch, TrainingBatch]:
        """Return the batches of what is held out, the same each time."""
        return self._validation

    def val_share(self, rank: int, processes: int) -> Batches[PlannedBatch, TrainingBatch]:
        """Return those batches of what is held out that one of several processes looks at."""
        return self._validation.share(rank, processes)

    @cached_property
    def _validation(self) -> Batches[PlannedBatch, TrainingBatch]:
        sizes = self.sizes[len(self.training) :]
        order = in_order_of_length(sizes.frames.tolist(), self._batch_frames)
        dataset = Collated(self.held_out, self.audio, self.pad_id, sizes, self.features)
        return Batches(dataset, [PlannedBatch(indices) for indices in order])


def check_holdout(holdout: int, utterances: int) -> None:
    """Refuse to hold out what leaves nothing to train on.

    Raises:
        ValueError: It does, or there is nothing at all.
    """
    if not utterances:
        raise ValueError("`corpus` has no utterance; one at least is trained on.")
    if not 0 <= holdout < utterances:
        raise ValueError(
            f"`holdout` must be from 0 to {utterances - 1}, not {holdout}; the corpus has "
            f"{utterances} utterances, of which one at least is trained on."
        )
