"""Which crops make up batches, what is in them, and which recordings are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.contracts import Utterance
from kokoro_core.errors import CorpusError
from kokoro_plugins.training.data.batching import Position
from kokoro_plugins.training.vocoder.beginning import build_vocoder
from kokoro_plugins.training.vocoder.crops import Crop, CropBatches, PlannedCrops
from kokoro_plugins.training.vocoder.data import VocoderData
from kokoro_plugins.training.vocoder.task import VocoderTask
from registry import installed_plugins
from tests.kokoro_plugins.training.conftest import ListCorpus
from tests.kokoro_plugins.training.vocoder.recordings import CROP, HOP, MELS, SPEC, corpus, data

SILENCE = math.log(1e-5)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(1, 12), st.integers(1, 5))
@example([1], 5, 1)
@example([10, 5, 4], 5, 2)
def test_an_epoch_has_as_many_crops_as_there_is_room_for_and_none_overlaps(
    lengths: list[int], frames: int, rows: int
) -> None:
    batches = CropBatches(lengths, crop_frames=frames, rows=rows).epoch(3)
    crops = [crop for batch in batches for crop in batch]
    assert all(len(batch) == rows for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= rows
    for index, length in enumerate(lengths):
        starts = sorted(crop.start for crop in crops if crop.utterance == index)
        assert len(starts) == max(1, length // frames)
        assert all(later - start == frames for start, later in pairwise(starts))
        assert starts[0] >= 0
        assert starts[-1] + frames <= length or starts == [0]


def test_epochs_differ_begin_anywhere_and_go_on_from_any_position() -> None:
    order = CropBatches([20, 33], crop_frames=8, rows=2, seed=1)
    assert order.epoch(0) == order.epoch(0) != order.epoch(1)
    assert order.epoch(0) != CropBatches([20, 33], crop_frames=8, rows=2, seed=2).epoch(0)
    starts = {
        crop.start % 8 for number in range(40) for batch in order.epoch(number) for crop in batch
    }
    assert starts == {0, 1, 2, 3, 4}  # where two crops of 8 frames fit into 20
    whole = list(islice(order.starting_at(Position()), 9))
    position = order.moved(Position(), 5)
    assert position == Position(1, 2)
    assert list(islice(order.starting_at(position), 4)) == whole[5:]


def test_a_batch_has_the_mels_and_the_samples_of_its_crops_and_silence_behind_short_ones() -> None:
    made, utterances = data(rows=3), corpus()
    batch = made.train_dataloader()._dataset[PlannedCrops([Crop(1, 5), Crop(2, 0)])]
    assert batch.mel_specs.shape == (2, CROP, MELS)
    assert torch.equal(batch.mel_specs[0], utterances[1].mel[5 : 5 + CROP])
    wave = utterances[1].features["wave"].flatten()
    assert torch.equal(batch.wave[0], wave[5 * HOP : (5 + CROP) * HOP])
    short = len(utterances[2].mel)
    assert torch.equal(batch.mel_specs[1, :short], utterances[2].mel)
    torch.testing.assert_close(
        batch.mel_specs[1, short:], torch.full((CROP - short, MELS), SILENCE)
    )
    assert batch.lengths.tolist() == [CROP, short]
    assert not batch.wave[1, short * HOP :].any()
    assert batch.wave_padding_mask[1].sum() == (CROP - short) * HOP
    assert not batch.wave_padding_mask[0].any()


def test_batches_count_for_as_many_rows_as_they_have_of_their_step() -> None:
    """Five crops of three recordings make batches of 4 and 1 row again and again."""
    made = data(rows=4)
    made.endless(accumulate=2)
    batches = list(islice(made.train_dataloader(), 2))
    assert [len(each) for each in batches] == [4, 1]
    task = VocoderTask(spec=SPEC, plugins=installed_plugins(), vocoder=build_vocoder(SPEC))
    losses = [torch.tensor(3.0), torch.tensor(8.0)]
    shares = [
        task.by_share({"mel": loss}, batch)["mel"]
        for loss, batch in zip(losses, batches, strict=True)
    ]
    assert float(sum(shares)) / 2 == pytest.approx((4 * 3 + 1 * 8) / 5)
    [alone] = made.val_dataloader()
    assert task.by_share({"mel": losses[0]}, alone) == {"mel": losses[0]}


def test_what_is_held_out_is_the_same_in_every_validation() -> None:
    made = data()
    first, second = ([each.wave for each in made.val_dataloader()] for _ in range(2))
    assert len(first) == 1
    assert torch.equal(first[0], second[0])
    assert len(first[0]) == 2  # the last recording has room for two crops


def test_mels_of_others_are_read_and_are_part_of_what_must_stay_the_same() -> None:
    made, plain = data(), data()
    mels = {each.name: torch.full_like(each.mel, -3.0) for each in made.corpus}
    made.read(mels, "abc")
    assert made.fingerprint == f"{plain.fingerprint} with mels abc"
    for ours, theirs in zip(made.val_dataloader(), plain.val_dataloader(), strict=True):
        assert torch.equal(ours.wave, theirs.wave)
        assert (ours.mel_specs == -3.0).all()
    [(mel, utterance)] = made.held_out_pairs()
    assert (mel == -3.0).all()
    assert utterance.name == "u3"


def without(utterance: Utterance, **changed: Any) -> Utterance:
    wave = utterance.features["wave"]
    features = {
        "no wave": {},
        "other hop": {"wave": wave[:, 1:]},
        "not finite": {"wave": wave * torch.nan},
    }
    return replace(utterance, features=features[changed["wave"]])


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        ("no wave", "`u0` has no feature `wave`, the samples of its frames"),
        ("other hop", r"`u0` has a `wave` of shape \(70, 31\), which must be .* \(70, 32\)"),
        ("not finite", "`u0` has a `wave` with a NaN or an infinity"),
    ],
)
def test_recordings_that_no_vocoder_learns_from_are_refused(wave: str, message: str) -> None:
    first, *others = corpus().utterances
    wrong = ListCorpus([without(first, wave=wave), *others])
    assert SPEC.audio is not None
    with pytest.raises(CorpusError, match=message):
        VocoderData(corpus=wrong, audio=SPEC.audio, holdout=1)


def test_mels_that_are_none_are_refused() -> None:
    first, *others = corpus().utterances
    assert SPEC.audio is not None
    for mel, message in (
        (first.mel[:, 1:], r"`u0` has a mel of shape \(70, 5\), which must be \(T, 6\)"),
        (first.mel * torch.inf, "`u0` has a mel with a NaN or an infinity"),
    ):
        wrong = ListCorpus([replace(first, mel=mel), *others])
        with pytest.raises(CorpusError, match=message):
            VocoderData(corpus=wrong, audio=SPEC.audio, holdout=1)
