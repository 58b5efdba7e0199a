"""`AlignedSpeech`: a corpus as Lightning wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import final

from lightning import LightningDataModule

from kokoro_core.outer_contracts import Corpus, Utterance
from kokoro_core.spec.audio import AudioSettings
from kokoro_plugins.training.batching import LengthBatches, in_order_of_length, padding_share
from kokoro_plugins.training.data import Batch, check_utterances, collate
from kokoro_plugins.training.statistics import measure


@final
class Batches:
    """An iterable of batches; what is in each is decided by lists of utterance indices.

    It is no torch `DataLoader`: mels are small and kept by the corpus, so worker processes would
    only cost.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        indices: Iterable[Sequence[int]],
        audio: AudioSettings,
        pad_id: int,
    ) -> None:
        self._utterances = utterances
        self._indices = indices
        self._audio = audio
        self._pad_id = pad_id
        frames = (int(each.durations.sum()) for each in utterances)
        phonemes = (len(each.phoneme_indices) for each in utterances)
        self._longest = (max(frames, default=0), max(phonemes, default=0))

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._indices:
            chosen = [self._utterances[index] for index in batch]
            yield collate(chosen, self._audio, self._pad_id, grid_up_to=self._longest)


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

    Attributes:
        training: What is trained on.
        held_out: What is not.
        statistics: Of what is trained on.

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
        self._batch_frames = batch_frames
        self._order = LengthBatches(self.statistics.lengths, batch_frames=batch_frames, seed=seed)

    @property
    def padding_share(self) -> float:
        """Share of padding in the frames of the first epoch."""
        return padding_share(self._order.epoch(0), self.statistics.lengths)

    def train_dataloader(self) -> Batches:
        """Return batches of training without end."""
        return Batches(self.training, self._order, self.audio, self.pad_id)

    def val_dataloader(self) -> Batches:
        """Return the batches of what is held out, the same each time."""
        return self.in_order(self.held_out)

    def in_order(self, utterances: Sequence[Utterance]) -> Batches:
        """Return batches of utterances in order of length."""
        lengths = [int(each.durations.sum()) for each in utterances]
        indices = in_order_of_length(lengths, self._batch_frames)
        return Batches(utterances, indices, self.audio, self.pad_id)
