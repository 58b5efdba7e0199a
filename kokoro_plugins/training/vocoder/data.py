"""`VocoderData`: recordings by crops, as Lightning wants them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import final

from torch import Tensor
from torch.utils.data import Dataset

from kokoro_core.contracts import Corpus, Utterance
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.held_out import held_out_count
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.training.data.batching import Position
from kokoro_plugins.training.data.data_module import Batches, Slice, check_holdout
from kokoro_plugins.training.data.statistics import survey
from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.vocoder.batch import VocoderBatch, join
from kokoro_plugins.training.vocoder.crops import Crop, CropBatches, PlannedCrops

VALIDATED = 16
"""Batches of crops that a validation looks at, at most; the end of a training looks at all."""

Mels = Mapping[str, Tensor]
"""Mels by the names of their utterances."""


@final
class Crops(Dataset[VocoderBatch]):
    """Batches by what is cut out for them.

    Args:
        utterances: Of any order.
        audio: Of the mels.
        frames: Of a crop.
        mels: What the vocoder reads instead of the recordings' mels; None: those.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        audio: AudioSettings,
        frames: int,
        mels: Mels | None = None,
    ) -> None:
        self._utterances, self._audio = utterances, audio
        self._frames, self._mels = frames, mels

    def __getitem__(self, planned: PlannedCrops) -> VocoderBatch:
        crops = [self._cut(each) for each in planned.crops]
        return join(crops, self._frames, self._audio, planned.of_step)

    def _cut(self, crop: Crop) -> tuple[Tensor, Tensor]:
        utterance = self._utterances[crop.utterance]
        mel = utterance.mel if self._mels is None else self._mels[utterance.name]
        kept = slice(crop.start, crop.start + self._frames)
        return mel[kept], utterance.features[WAVE][kept]


@final
class VocoderData(TrainingData):
    """Recordings in two parts: the last ones are held out, the others are trained on.

    Every utterance is looked at once here, so what does not fit is found before training.

    Args:
        corpus: With the feature `wave`.
        audio: Of the mels.
        rows: Crops of a batch.
        crop_frames: Frames of a crop.
        holdout: How many utterances are held out; None: those that the corpus sets aside, or
            10 if it does not say.
        seed: Decides the order of training.
        workers: Processes that make batches of training ahead.

    Attributes:
        audio: As above.
        corpus: As above.
        lengths: Frames of each utterance.
        statistics: Of the mels that are trained on.

    Raises:
        CorpusError: Utterances do not fit; the message lists the first problems and counts all.
        ValueError: `holdout` leaves nothing to train on.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        audio: AudioSettings,
        rows: int = 16,
        crop_frames: int = 48,
        holdout: int | None = None,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        holdout = held_out_count(holdout, corpus.held_out)
        check_holdout(holdout, len(corpus))
        first = len(corpus) - holdout
        found = survey(
            corpus, lambda each: problems_of(each, audio), num_training=first, features=[WAVE]
        )
        self.audio = audio
        self.statistics = found.statistics
        self.fingerprint = found.fingerprint
        self.position = Position()
        self.seed = seed
        self.settings = {
            **{"rows": rows, "crop_frames": crop_frames, "holdout": holdout, "seed": seed}
        }
        self._training = Slice(corpus, range(first))
        self._held_out = Slice(corpus, range(first, len(corpus)))
        self.corpus = corpus
        self.lengths = lengths = [frames for frames, _ in found.sizes]
        self._order = CropBatches(lengths[:first], crop_frames=crop_frames, rows=rows, seed=seed)
        self._order_held_out = CropBatches(lengths[first:], crop_frames=crop_frames, rows=rows)
        self._crop_frames = crop_frames
        self._workers = workers
        self._mels: Mels | None = None
        self._accumulate = 1

    def read(self, mels: Mels, fingerprint: str) -> None:
        """Let the vocoder read other mels than the recordings'.

        Args:
            mels: Of all utterances, with as many frames each.
            fingerprint: SHA-256 of them.
        """
        self._mels = mels
        self.fingerprint = f"{self.fingerprint} with mels {fingerprint}"

    def held_out_pairs(self) -> Iterator[tuple[Tensor, Utterance]]:
        """Yield what the vocoder reads of each recording that is held out, and the recording."""
        for each in self.held_out:
            yield each.mel if self._mels is None else self._mels[each.name], each

    @property
    def training(self) -> Slice:
        """What is trained on."""
        return self._training

    @property
    def held_out(self) -> Slice:
        """What is held out."""
        return self._held_out

    @property
    def order(self) -> CropBatches:
        """In which order batches come."""
        return self._order

    def endless(self, *, accumulate: int) -> None:
        """Let batches know what they count for in a step of so many; there is no other order."""
        self._accumulate = accumulate

    def train_dataloader(self) -> Batches[PlannedCrops, VocoderBatch]:
        """Return the batches of training without end, those of this process."""
        rank, processes = 0, 1
        if self.trainer is not None:
            rank, processes = self.trainer.global_rank, self.trainer.world_size
        order = _Share(self._order, self.position, self._accumulate, rank, processes)
        return Batches(self._crops(self.training), order, workers=self._workers)

    def val_dataloader(self) -> Batches[PlannedCrops, VocoderBatch]:
        """Return the batches of what is held out, the same each time."""
        return self._validation

    def val_share(self, rank: int, processes: int) -> Batches[PlannedCrops, VocoderBatch]:
        """Return those batches of what is held out that one of several processes looks at."""
        return self._validation.share(rank, processes)

    @cached_property
    def _validation(self) -> Batches[PlannedCrops, VocoderBatch]:
        batches = self._order_held_out.epoch(0)[:VALIDATED]
        return Batches(self._crops(self.held_out), [PlannedCrops(each) for each in batches])

    def _crops(self, utterances: Sequence[Utterance]) -> Crops:
        return Crops(utterances, self.audio, self._crop_frames, self._mels)


@final
class _Share:
    """One process's batches from a position on, each with what its step holds together.

    Args:
        order: Of the batches of all processes.
        position: Where a step begins in it.
        accumulate: Batches of a step, in each process.
        rank: Which process this is.
        processes: How many there are.
    """

    def __init__(
        self,
        order: CropBatches,
        position: Position,
        accumulate: int,
        rank: int,
        processes: int,
    ) -> None:
        self._order, self._position = order, position
        self._per_step = accumulate * processes
        self._rank, self._processes = rank, processes

    def __iter__(self) -> Iterator[PlannedCrops]:
        batches = self._order.starting_at(self._position)
        while step := list(itertools.islice(batches, self._per_step)):
            of_step = sum(map(len, step)), len(step)
            for crops in step[self._rank :: self._processes]:
                yield PlannedCrops(crops, of_step)


def problems_of(utterance: Utterance, audio: AudioSettings) -> Iterator[str]:
    """Yield what keeps a vocoder from learning from an utterance, in words."""
    mel = utterance.mel
    if mel.dim() != 2 or mel.shape[1] != audio.n_mels or not len(mel):
        yield f"has a mel of shape {tuple(mel.shape)}, which must be (T, {audio.n_mels})."
        return
    if not bool(mel.isfinite().all()):
        yield "has a mel with a NaN or an infinity."
    wave = utterance.features.get(WAVE)
    if not isinstance(wave, Tensor):
        yield f"has no feature `{WAVE}`, the samples of its frames."
    elif wave.shape != (len(mel), audio.hop_length):
        yield (
            f"has a `{WAVE}` of shape {tuple(wave.shape)}, which must be the samples of its "
            f"{len(mel)} frames, ({len(mel)}, {audio.hop_length})."
        )
    elif not bool(wave.isfinite().all()):
        yield f"has a `{WAVE}` with a NaN or an infinity."
