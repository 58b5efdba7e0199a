"""Promises of a whole model: in training, in generation, and in a file."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.output import ModelOutput
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_core.testing.check import Check, first_reason
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import (
    assert_all_identical,
    assert_finite_gradients,
    assert_identical,
    assert_same,
)
from kokoro_core.testing.data.extras import (
    drawn_extras,
    extras_of_row,
    spoken_extras,
    unknown_extras,
    wider_extras,
)
from kokoro_core.testing.data.noise_tape import rows_drawing_from
from kokoro_core.testing.subjects.model_subject import ModelSubject

if TYPE_CHECKING:
    from kokoro_core.generation import Generation

FRAMES = 12
"""Limit of generated frames."""

PHONEME_FIELDS = ("phoneme_indices", "padding_mask", "durations")
FRAME_FIELDS = ("mel_specs", "mel_padding_mask", "stop_token_targets")


def refuses_extras(subject: ModelSubject) -> str | None:
    extras = unknown_extras(subject.component)
    return (
        f"it takes side inputs that the kit does not make: {', '.join(extras)}" if extras else None
    )


def _parallel(subject: ModelSubject) -> str | None:
    made_in_steps = isinstance(subject.component.acoustic.decoder, AutoregressiveDecoder)
    return None if made_in_steps else "it makes all frames at once"


def _no_durations(subject: ModelSubject) -> str | None:
    return "it has no duration predictor" if subject.spec.duration_predictor is None else None


model_check = partial(Check, slots=("model",), skip=refuses_extras)


def training_batch(
    subject: ModelSubject, batch: RaggedBatch, *, extra_frames: int = 0
) -> TrainingBatch:
    """Return a training batch with this structure; phonemes last 1 to 3 frames."""
    sizes, mask = subject.spec.sizes, batch.padding_mask
    durations = batch.integers(1, 4, stream=1).masked_fill(mask, 0)
    lengths = durations.sum(1)
    width = int(lengths.max()) + extra_frames
    mel_padding = padding_mask_from_lengths(lengths, width)
    mels = RaggedBatch(tuple(lengths.tolist()), extra_frames, batch.seed)
    mel_specs = mels.floats(sizes.mel_dim, stream=2).masked_fill(mel_padding.unsqueeze(2), 0)
    stop_targets = (torch.arange(width) == lengths.unsqueeze(1) - 1).double()
    return TrainingBatch(
        phoneme_indices=batch.indices(sizes),
        padding_mask=mask,
        durations=durations,
        mel_specs=mel_specs,
        mel_padding_mask=mel_padding,
        stop_token_targets=stop_targets,
        extras=drawn_extras(subject.component, batch, mels),
    )


def train(model: KokoroModel, data: TrainingBatch, first_seed: int = 0) -> ModelOutput:
    """Call a model as training does, with a seed for the noise of each row."""
    if model.acoustic.regulator is None:
        data = replace(data, durations=None)
    with rows_drawing_from(model, range(first_seed, first_seed + len(data))):
        output: ModelOutput = model(data)
    return output


def row_of(model: KokoroModel, data: TrainingBatch, row: int) -> TrainingBatch:
    """Return a row alone, without padding."""
    phonemes, frames = int((~data.padding_mask[row]).sum()), int(data.lengths[row])
    widths = dict.fromkeys(PHONEME_FIELDS, phonemes) | dict.fromkeys(FRAME_FIELDS, frames)
    one = slice(row, row + 1)
    own = {name: getattr(data, name)[one, :num] for name, num in widths.items()}
    extras = extras_of_row(model, data.extras, row, phonemes, frames)
    return replace(data, **own, extras=extras)


@model_check(
    "model-rows",
    cases=BATCHES,
    bug="espnet#6333, PaddleSpeech#3032: parts that are right alone and leak together",
)
def model_rows(subject: ModelSubject, batch: RaggedBatch) -> None:
    """In training each row gives what it gives alone, through all parts."""
    model = subject.component
    data = training_batch(subject, batch, extra_frames=1)
    together = train(model, data)
    for row in range(len(batch.lengths)):
        own = row_of(model, data, row)
        alone = train(model, own, first_seed=row)
        for name in ("mel", "duration_pred", "stop_logits"):
            got, expected = getattr(together, name), getattr(alone, name)
            if expected is not None:
                promise = f"`{name}` of row {row} must be the same alone and in a batch"
                assert_same(got[row, : expected.shape[1]], expected[0], promise)


@model_check(
    "model-losses",
    cases=BATCHES,
    bug="EveryVoice PR#887, NVIDIA/tacotron2#244: a loss that counts padded frames",
)
def model_losses(subject: ModelSubject, batch: RaggedBatch) -> None:
    """More padding changes no loss, and every loss is finite with finite gradients."""
    model = subject.build()
    data = training_batch(subject, batch)
    before, after = train(model, data), train(model, _padded(model, data, phonemes=2, frames=3))
    for name, loss in before.losses.items():
        assert bool(loss.isfinite().all()), f"the loss `{name}` must be finite"
        assert_same(after.losses[name], loss, f"the loss `{name}` must not count padding")
    assert before.loss is not None, "training must give a loss"
    before.loss.backward()  # type: ignore[no-untyped-call]
    assert_finite_gradients(dict(model.named_parameters()))


def _padded(model: KokoroModel, data: TrainingBatch, phonemes: int, frames: int) -> TrainingBatch:
    """Return the batch with more padding: another phoneme and frames that are not silent."""
    padding = {
        "phoneme_indices": int(data.phoneme_indices[0, 0]),
        "padding_mask": True,
        "durations": 0,
        "mel_specs": 7.0,
        "mel_padding_mask": True,
        "stop_token_targets": 0.0,
    }
    wider: dict[str, Any] = {}
    for name, value in padding.items():
        tensor: Tensor = getattr(data, name)
        steps = phonemes if name in PHONEME_FIELDS else frames
        more = tensor.new_full((len(tensor), steps, *tensor.shape[2:]), value)
        wider[name] = torch.cat([tensor, more], 1)
    extras = wider_extras(model, data.extras, phonemes, frames)
    return replace(data, **wider, extras=extras)


def generate(model: KokoroModel, data: TrainingBatch, **options: Any) -> Generation:
    """Generate a few frames, with a seed for each row."""
    seeds = list(range(len(data.phoneme_indices)))
    if model.acoustic.regulator is None:
        options["durations"] = None
    given = {"seed": seeds, **spoken_extras(model, data), **options}
    if options.get("durations") is None and model.acoustic.duration_predictor is not None:
        given["min_frames"] = 1  # a model that is not trained may predict none, as specs may allow
    return model.generate(data.phoneme_indices, data.padding_mask, max_mel_len=FRAMES, **given)


@model_check(
    "speaking-rows",
    cases=BATCHES,
    bug="NeMo#3229, SWivid/F5-TTS#1179, transformers#25908: speech that changes with the batch",
)
def speaking_rows(subject: ModelSubject, batch: RaggedBatch) -> None:
    """Each row speaks alone what it speaks in a batch, as long, and ends for the same reason."""
    model = subject.component
    data = training_batch(subject, batch)
    for durations in (None, data.durations):
        together = generate(model, data, durations=durations)
        for row in range(len(batch.lengths)):
            own = row_of(model, data, row)
            given = None if durations is None else own.durations
            alone = generate(model, own, durations=given, seed=[row])
            frames = int(alone.lengths[0])
            assert int(together.lengths[row]) == frames, (
                f"row {row} must have as many frames alone as in a batch: {frames}, "
                f"{int(together.lengths[row])}"
            )
            assert together.stop_reasons[row] == alone.stop_reasons[0], (
                f"row {row} must end for the same reason alone and in a batch"
            )
            promise = f"the mel of row {row} must be the same alone and in a batch"
            assert_same(together.mel[row, :frames], alone.mel[0, :frames], promise)
            rest = together.mel[row, frames:]
            assert bool((rest == 0).all()), f"row {row} must be 0 after its end"


def _drawing(subject: ModelSubject) -> str | None:
    draws = getattr(subject.component.acoustic.decoder, "draws_in_step", False)
    return "its steps draw, and training draws otherwise" if draws else None


@model_check(
    "speaking-is-training",
    cases=ONE_BATCH,
    skip=first_reason(refuses_extras, _parallel, _drawing),
    bug="a loop that starts or shifts otherwise than training: the loss is low, the speech noise",
)
def speaking_is_training(subject: ModelSubject, batch: RaggedBatch) -> None:
    """Fed with what it spoke, training gives the same frames: both start and shift alike."""
    model = subject.component
    data = training_batch(subject, RaggedBatch((4, 3), 0, batch.seed))
    result = generate(model, data, durations=data.durations, stop_threshold=1.0)
    frames = result.mel.shape[1]
    assert data.stop_token_targets is not None
    if model.acoustic.postnet is not None:
        return  # what the decoder was fed is not what came out
    again = train(
        model,
        replace(
            data,
            mel_specs=result.mel,
            mel_padding_mask=data.mel_padding_mask[:, :frames],
            stop_token_targets=data.stop_token_targets[:, :frames],
        ),
    )
    for row, length in enumerate(result.lengths.tolist()):
        promise = f"the frames that row {row} spoke must be those of training"
        assert_same(again.mel[row, :length], result.mel[row, :length], promise)


@model_check(
    "stream",
    cases=ONE_BATCH,
    bug="streams that begin or end elsewhere than the whole",
)
def stream(subject: ModelSubject, batch: RaggedBatch) -> None:
    """Streamed frames, one after the other, are those that are made at once."""
    model = subject.component
    data = training_batch(subject, RaggedBatch((5,), 0, batch.seed))
    whole = generate(model, data, durations=data.durations, stop_threshold=1.0)
    pieces = list(
        model.stream(
            data.phoneme_indices,
            data.padding_mask,
            durations=None if model.acoustic.regulator is None else data.durations,
            max_mel_len=FRAMES,
            stop_threshold=1.0,
            chunk_frames=2,
            seed=[0],
            **spoken_extras(model, data),
        )
    )
    streamed = torch.cat(pieces, 1)
    frames = int(whole.lengths[0])
    if model.acoustic.postnet is None:
        assert_same(streamed[:, :frames], whole.mel[:, :frames], "streamed frames must be the same")
    assert streamed.shape[1] >= frames, "a stream must have every frame"


@model_check(
    "durations-of-speech",
    cases=BATCHES,
    skip=first_reason(refuses_extras, _no_durations),
    bug="espnet PR#6680, ming024/FastSpeech2, TensorFlowTTS#107: rounded, scaled, cut",
)
def durations_of_speech(subject: ModelSubject, batch: RaggedBatch) -> None:
    """Durations are frames / speed rounded once, at least 1 for a phoneme, and 0 at padding."""
    model, data = subject.build(), training_batch(subject, batch)
    # an untrained model would predict less than a frame for all, rounded up to one
    frames = batch.floats(1, stream=6)[:, :, 0].abs() * 6
    up = getattr(model.acoustic.duration_predictor, "rounding", "nearest") == "up"
    model.acoustic.predict_frames = lambda *_: frames.masked_fill(data.padding_mask, 0)  # type: ignore[method-assign]
    for speed in (0.5, 1.0, 2.0):
        durations = generate(model, data, speed=speed).durations
        assert durations is not None, "a model that predicts durations must tell them"
        assert not durations.is_floating_point(), "durations must be whole numbers"
        whole = torch.ceil(frames / speed) if up else torch.floor(frames / speed + 0.5)
        expected = whole.clamp_min(1).long()
        promise = f"at speed {speed:g} durations must be frames / speed, rounded once, at least 1"
        assert_identical(durations, expected.masked_fill(data.padding_mask, 0), promise)


@model_check(
    "speaking-is-pure",
    cases=ONE_BATCH,
    bug="Megatron-LM PR#411: a mode that is changed behind the caller's back",
)
def speaking_is_pure(subject: ModelSubject, batch: RaggedBatch) -> None:
    """Speaking keeps the mode, weights, inputs and random state, and repeats itself."""
    model = subject.build()
    data = training_batch(subject, batch)
    kept = {name: each.clone() for name, each in model.state_dict().items()}
    indices = data.phoneme_indices.clone()
    for training in (False, True):
        model.train(training)
        before = torch.get_rng_state()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it speaks in training mode is meant here
            first, second = generate(model, data), generate(model, data)
        assert torch.equal(before, torch.get_rng_state()), "speaking must draw nothing unasked"
        assert_identical(second.mel, first.mel, "speech must be the same each time")
        modes = {part.training for part in model.modules()}
        assert modes == {training}, "speaking must keep the mode of every part"
    assert torch.equal(data.phoneme_indices, indices), "the phonemes must not be written to"
    assert_all_identical(model.state_dict(), kept, "speaking must not change `{}`")


@model_check(
    "model-file",
    cases=ONE_BATCH,
    bug="transformers#43159, safetensors#98: a model that is another one after loading",
)
def model_file(subject: ModelSubject, batch: RaggedBatch) -> None:
    """Saved and loaded it speaks the same to the bit."""
    model = subject.build().float()
    data = training_batch(subject, batch)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        model.save(path)
        loaded = KokoroModel.load(path)
    assert_identical(
        generate(loaded.eval(), data).mel,
        generate(model, data).mel,
        "a loaded model must speak the same",
    )
