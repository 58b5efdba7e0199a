"""Faults of the original model's first implementation that must not come back."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from kokoro_core import KokoroModel
from kokoro_core.contracts import AutoregressiveDecoder, State
from kokoro_core.tensors.durations import round_durations
from kokoro_plugins.transformer.mlp import MlpDurationPredictor


def tiny() -> KokoroModel:
    return KokoroModel(
        vocab_size=63,
        mel_dim=80,
        hidden_dim=16,
        n_encoder_layers=1,
        n_decoder_layers=1,
        n_heads=2,
        encoder_ff_dim=16,
        decoder_ff_dim=16,
    )


def never_stopping(frames_a_phoneme: int) -> KokoroModel:
    model = tiny().eval()
    with torch.no_grad():
        model.acoustic.decoder.get_parameter("stop_out.bias").fill_(-50.0)
        predictor = model.acoustic.duration_predictor
        assert isinstance(predictor, MlpDurationPredictor)
        last = predictor.layers[-1]
        assert isinstance(last, nn.Linear)
        last.weight.zero_()
        last.bias.fill_(math.log(frames_a_phoneme + 1))
    return model


def test_the_seeds_own_calls_work_word_for_word() -> None:
    model = KokoroModel(
        vocab_size=63, mel_dim=80, hidden_dim=512, n_encoder_layers=6, n_decoder_layers=6
    )
    phoneme_indices = torch.randint(1, 63, (2, 5))
    phoneme_durations = torch.tensor([[2, 2, 2, 2, 2], [1, 2, 3, 2, 2]])
    mel_specs = torch.randn(2, 10, 80)
    stop_token_targets = torch.zeros(2, 10)
    stop_token_targets[:, -1] = 1
    outputs = model(phoneme_indices, mel_specs, phoneme_durations, stop_token_targets)
    mel_pred, duration_pred, stop_pred = outputs
    assert mel_pred.shape == (2, 10, 80)
    assert duration_pred.shape == (2, 5)
    assert stop_pred.shape == (2, 10)
    assert model.get_model_info()["total_parameters"] == 44_650_066
    mel_output = model.eval().inference(phoneme_indices, max_mel_len=1000)
    assert mel_output.shape[0] == 2
    assert mel_output.shape[2] == 80


def test_generation_starts_from_the_zero_frame_and_feeds_no_frame_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = never_stopping(4)
    fed = []
    decoder = model.acoustic.decoder
    assert isinstance(decoder, AutoregressiveDecoder)
    step = decoder.step

    def watched(frames: torch.Tensor, state: State) -> object:
        fed.append(frames.clone())
        return step(frames, state)

    monkeypatch.setattr(decoder, "step", watched)
    mel = model.inference(torch.tensor([[3, 4]]))
    assert (fed[0] == 0).all()
    assert torch.equal(torch.cat(fed[1:], 1), mel[:, :-1])


def test_a_duration_of_2_99_frames_is_3_frames() -> None:
    no_padding = torch.zeros(1, 1, dtype=torch.bool)
    assert round_durations(torch.tensor([[2.99]]), no_padding).item() == 3


def test_it_speaks_more_than_800_frames_if_they_are_asked_for() -> None:
    model = never_stopping(300)
    assert model.inference(torch.tensor([[3, 4, 5]]), max_mel_len=1000).shape == (1, 900, 80)
    assert model.inference(torch.tensor([[3, 4, 5]]), max_mel_len=850).shape == (1, 850, 80)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_it_works_for_a_batch_of_any_size_with_padding(rows: int) -> None:
    model = never_stopping(3)
    indices = torch.randint(1, 63, (rows, 6))
    indices[-1, 4:] = 0
    result = model.generate(indices)
    assert result.lengths.tolist() == [18] * (rows - 1) + [12]
    assert result.mel.shape == (rows, int(result.lengths.max()), 80)


def test_an_error_in_generation_is_raised_and_no_empty_mel_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = never_stopping(3)

    def broken(frames: object, state: object) -> object:
        raise RuntimeError("the device is on fire")

    monkeypatch.setattr(model.acoustic.decoder, "step", broken)
    with pytest.raises(RuntimeError, match="on fire"):
        model.inference(torch.tensor([[3, 4]]))


@pytest.mark.parametrize("frames", [9, 11])
def test_durations_and_mel_that_differ_are_refused_and_nothing_is_padded_or_cut(
    frames: int,
) -> None:
    indices = torch.tensor([[3, 4], [5, 6]])
    durations = torch.tensor([[4, 4], [5, 5]])
    with pytest.raises(ValueError, match=f"row 1, has durations for 10 frames .* has {frames}"):
        tiny()(indices, torch.randn(2, frames, 80), durations)


def test_a_row_whose_durations_differ_from_its_mask_is_named_with_both_numbers() -> None:
    indices = torch.tensor([[3, 4], [5, 6]])
    durations = torch.tensor([[4, 4], [5, 5]])
    mask = torch.arange(10) >= torch.tensor([[7], [10]])
    with pytest.raises(ValueError, match="row 0 has durations for 8 frames and a mel of 7"):
        tiny()(indices, torch.randn(2, 10, 80), durations, mel_padding_mask=mask)
