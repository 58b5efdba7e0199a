"""Batches: aligned utterances, checked, normalised and padded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kokoro_core.contracts import Utterance
from kokoro_core.contracts import utterances as checks
from kokoro_core.model import TrainingBatch
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.features import Feature
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.training.data.batching import FRAME_GRID, PHONEME_GRID, round_up
from kokoro_plugins.training.data.sizes import Size
from kokoro_plugins.training.data.statistics import refuse


def collate(
    utterances: Sequence[Utterance],
    audio: AudioSettings,
    pad_id: int,
    *,
    grid_up_to: Size | None = None,
    of_step: tuple[int, int, int] | None = None,
    features: Mapping[str, Feature] | None = None,
) -> TrainingBatch:
    """Join utterances to a batch.

    Args:
        utterances: At least one.
        audio: Its mean and std normalise the mels.
        pad_id: Stands for padding among the phoneme indices.
        grid_up_to: Pad to lengths of a coarse grid, so that few shapes occur in a training, but
            never beyond these numbers of frames and phonemes; None: pad as little as can be.
        of_step: As in `TrainingBatch`; None: the batch is a step of its own.
        features: What the model takes beside phonemes and mels, by name.

    Raises:
        CorpusError: Utterances do not fit; the message lists every problem.
    """
    check_utterances(utterances, audio, pad_id)
    phonemes = [each.phoneme_indices for each in utterances]
    mels = [normalise(each.mel, audio) for each in utterances]
    of_step = of_step or (sum(map(len, mels)), sum(map(len, phonemes)), 1)
    frames, symbols = max(map(len, mels)), max(map(len, phonemes))
    if grid_up_to is not None:
        frames = min(round_up(frames, FRAME_GRID), max(frames, grid_up_to[0]))
        symbols = min(round_up(symbols, PHONEME_GRID), max(symbols, grid_up_to[1]))
    return TrainingBatch(
        phoneme_indices=_pad(phonemes, symbols, pad_id),
        padding_mask=_padding(phonemes, symbols),
        durations=_durations(utterances, symbols),
        mel_specs=_pad(mels, frames, 0),
        mel_padding_mask=_padding(mels, frames),
        extras={
            name: _feature([each.features[name] for each in utterances], feature, frames, symbols)
            for name, feature in (features or {}).items()
        },
        of_step=torch.tensor(of_step),
    )


def _durations(utterances: Sequence[Utterance], num: int) -> Tensor | None:
    """Return the durations (B, N), or None where not all utterances have them."""
    found = [each.durations for each in utterances if each.durations is not None]
    return _pad(found, num, 0) if len(found) == len(utterances) else None


def _feature(values: Sequence[Any], feature: Feature, frames: int, symbols: int) -> Any:
    """Return a feature of all rows, 0 at padding; names stay names, which the model knows."""
    if any(isinstance(each, str) for each in values):
        return list(values)
    if feature.per == "row":
        return torch.stack([torch.as_tensor(each) for each in values])
    return _pad(list(values), symbols if feature.per == "phoneme" else frames, 0)


def normalise(mel: Tensor, audio: AudioSettings) -> Tensor:
    """Return a log mel with the mean of the audio's settings at 0 and their std at 1."""
    return (mel - audio.mean) / audio.std


def denormalise(mel: Tensor, audio: AudioSettings) -> Tensor:
    """Return what `normalise` was given."""
    return mel * audio.std + audio.mean


def check_utterances(utterances: Sequence[Utterance], audio: AudioSettings, pad_id: int) -> None:
    """Refuse utterances whose parts do not fit together.

    Raises:
        CorpusError: The message lists the first problems and counts all.
    """
    refuse(
        [
            f"`{utterance.name}` {problem}"
            for utterance in utterances
            for problem in problems_of(utterance, audio, pad_id)
        ]
    )


def problems_of(
    utterance: Utterance, audio: AudioSettings, pad_id: int, vocab_size: int | None = None
) -> list[str]:
    """Return what is wrong with an utterance, in words.

    Args:
        utterance: Of any corpus.
        audio: Says how many channels a mel has.
        pad_id: No phoneme has this index.
        vocab_size: Phoneme indices are below it; None: of any size.
    """
    return checks.problems_of(utterance, audio.n_mels, pad_id, vocab_size)


def _pad(rows: Sequence[Tensor], num: int, value: int) -> Tensor:
    """Return rows of any lengths as one tensor, filled up to `num` places."""
    padded = rows[0].new_full((len(rows), num, *rows[0].shape[1:]), value)
    for row, each in zip(padded, rows, strict=True):
        row[: len(each)] = each
    return padded


def _padding(rows: Sequence[Tensor], num: int) -> Tensor:
    return padding_mask_from_lengths(torch.tensor([len(each) for each in rows]), num)
