"""Whether the parts of an utterance fit together."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kokoro_core.contracts.speech import Utterance

FEW_PHONEMES = 5
"""Shorter utterances may well have equal durations by chance."""


def problems_of(
    utterance: Utterance, n_mels: int, pad_id: int | None = None, vocab_size: int | None = None
) -> list[str]:
    """Return what is wrong with an utterance, in words.

    Args:
        utterance: Of any corpus.
        n_mels: Channels of a mel.
        pad_id: No phoneme has this index; None: whichever that is.
        vocab_size: Phoneme indices are below it; None: of any size.
    """
    phonemes, mel = utterance.phoneme_indices, utterance.mel
    if mel.dim() != 2 or mel.shape[1] != n_mels:
        return [f"has a mel of shape {tuple(mel.shape)}, which must be (T, {n_mels})."]
    problems = _type_problems(utterance)
    problems += _duration_problems(utterance)
    if not bool(mel.isfinite().all()):
        problems.append("has a mel with a NaN or an infinity.")
    return problems + index_problems(set(phonemes.tolist()), pad_id, vocab_size)


def is_uniform(durations: Tensor) -> bool:
    """Return whether durations are a length divided by the number of phonemes, not an alignment."""
    inner = durations[:-1]  # the last one takes what the division leaves over
    return len(durations) >= FEW_PHONEMES and int(inner.max() - inner.min()) <= 1


def index_problems(
    indices: set[int] | frozenset[int], pad_id: int | None, vocab_size: int | None
) -> list[str]:
    """Return which of the indices of phonemes a model does not have, in words."""
    problems = []
    if pad_id in indices:
        problems.append(f"has the phoneme index {pad_id}, which means padding.")
    beyond = sorted(each for each in indices if not 0 <= each < (vocab_size or math.inf))
    if beyond:
        most = "any number" if vocab_size is None else str(vocab_size - 1)
        problems.append(
            f"has the phoneme index {beyond[0]}, but those of the model are from 0 to {most}; "
            f"its frontend has more symbols than `vocab_size`."
        )
    return problems


def _duration_problems(utterance: Utterance) -> list[str]:
    phonemes, durations, frames = len(utterance.phoneme_indices), utterance.durations, utterance.mel
    if durations is None:
        if phonemes <= len(frames):
            return []
        return [
            f"has {phonemes} phonemes but only {len(frames)} frames, so that no alignment gives "
            f"each a frame; its text and its recording do not belong together."
        ]
    problems = []
    if durations.shape != utterance.phoneme_indices.shape:
        problems.append(f"has {phonemes} phonemes but {len(durations)} durations.")
    if int(durations.sum()) != len(frames):
        problems.append(
            f"has durations of {int(durations.sum())} frames in sum, but its mel has "
            f"{len(frames)}; the two must be equal."
        )
    if bool((durations < 0).any()):
        problems.append(f"has a duration of {int(durations.min())}; durations are 0 or more.")
    return problems


def _type_problems(utterance: Utterance) -> list[str]:
    """Return what no tensor operation would make clear later: wrong types, and nothing at all."""
    wanted = {
        "phoneme_indices": torch.int64,
        "durations": torch.int64,
        "mel": torch.float32,
    }
    problems = []
    for name, dtype in wanted.items():
        tensor: Tensor | None = getattr(utterance, name)
        if tensor is None:
            continue
        if tensor.dtype != dtype:
            problems.append(f"has `{name}` of {tensor.dtype}, which must be {dtype}.")
        if not len(tensor):
            problems.append(f"has `{name}` of length 0, which must be 1 or more.")
    return problems
