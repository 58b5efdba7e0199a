"""The mels that an acoustic model makes of a corpus, frame by frame those of its recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.contracts import Corpus
from kokoro_core.errors import AudioMismatch
from kokoro_core.model import TrainingBatch
from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.rules.intake import features_for_training
from kokoro_core.spec.rules.own_losses import replaced_losses
from kokoro_plugins.training.data.batching import in_order_of_length
from kokoro_plugins.training.data.collate import collate, denormalise
from kokoro_plugins.training.evaluation import durations_of, generate_batch, predict
from kokoro_plugins.training.loop.random_states import undrawn

BATCH_FRAMES = 4000


def refuse_other_mels(model: ModelSpec, audio: AudioSettings, spec: str) -> None:
    """Refuse a model whose mels are not those that the vocoder is to read.

    Args:
        model: Of the model.
        audio: Of the vocoder's mels.
        spec: What the spec of the vocoder is called.

    Raises:
        AudioMismatch: They are not.
        ValueError: The model makes none.
    """
    if model.audio is None or model.frontend is None:
        raise ValueError(
            f"The model `{model.name}` of `--mels-of` has no `audio` or no `frontend`, so it makes "
            f"no mels of a corpus."
        )
    if found := audio.differences(model.audio):
        raise AudioMismatch(
            f"The model `{model.name}` of `--mels-of` makes other mels than the spec `{spec}` "
            f"says: {'; '.join(found)} (spec against model)."
        )


def mels_of(model: KokoroModel, corpus: Corpus, lengths: Sequence[int]) -> dict[str, Tensor]:
    """Return what a model makes of each utterance, (T, M) log mels by its name.

    The model is fed the true durations, features and, where it reads frames, frames, so that each
    frame is of the same sound as the recording's. A decoder that samples is not fed its target: it
    makes its mels as in speaking, at the true durations.

    Args:
        model: Its spec has audio and a frontend, with which the corpus was opened.
        corpus: Aligned, unless the model aligns.
        lengths: Frames of each utterance.

    Raises:
        ValueError: What the model makes has other lengths than the recordings.
    """
    assert model.spec.audio is not None
    audio, made = model.spec.audio, dict[str, Tensor]()
    features = features_for_training(model.spec)
    model.eval()
    with undrawn():
        for indices in in_order_of_length(lengths, BATCH_FRAMES):
            utterances = [corpus[index] for index in indices]
            batch = collate(utterances, audio, model.spec.pad_id, features=features)
            torch.manual_seed(0)
            mels = denormalise(_matching(model, batch), audio)
            for each, mel in zip(utterances, mels, strict=True):
                made[each.name] = mel[: len(each.mel)].clone()
    return made


def _matching(model: KokoroModel, batch: TrainingBatch) -> Tensor:
    """Return normalised mels with the frames of a batch's recordings, (B, T, M)."""
    if "mel" not in replaced_losses(model.spec):
        return predict(model, batch)
    spoken = generate_batch(model, batch, durations=durations_of(model, batch))
    if not torch.equal(spoken.lengths, batch.lengths):
        raise ValueError(
            f"The model `{model.spec.name}` of `--mels-of` makes mels of "
            f"{spoken.lengths.tolist()} frames of recordings of {batch.lengths.tolist()}, so that "
            f"a vocoder cannot learn from them which wave belongs to which frame; take a model "
            f"whose durations decide how long it speaks."
        )
    return spoken.mel


def fingerprint_of(mels: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of mels."""
    digest = hashlib.sha256()
    for part in _bytes_of(mels):
        digest.update(part)
    return digest.hexdigest()


def _bytes_of(mels: Mapping[str, Tensor]) -> Iterator[bytes]:
    for name in sorted(mels):
        yield name.encode()
        yield mels[name].contiguous().numpy().tobytes()
