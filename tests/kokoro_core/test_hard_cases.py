"""The contracts carry architectures of quite other shapes, without a change to the core."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import AutoregressiveDecoder
from registry import ComponentRegistry, Plugins, Registration, installed_plugins
from tests.kokoro_core.hard_cases import COMPONENTS

INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 3, 4, 0]])
DURATIONS = torch.tensor([[2, 0, 3, 2], [4, 1, 0, 0], [1, 1, 4, 0]])
ROWS = [4, 2, 3]
SPEAKER = torch.randn(3, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def plugins() -> Plugins:
    own = [Registration(each, "hard", "hard-cases", "1") for each in COMPONENTS]
    return replace(
        installed_plugins(), components=ComponentRegistry([*installed_plugins().components, *own])
    )


def model(**slots: Any) -> KokoroModel:
    spec = {
        "vocab_size": 12,
        "mel_dim": 5,
        "hidden_dim": 16,
        "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        **slots,
    }
    torch.manual_seed(0)
    return KokoroModel.from_spec(spec, plugins=plugins()).double().eval()


def mels(num: int) -> Tensor:
    return torch.randn(3, num, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def assert_rows_alone_are_rows_together(tts: KokoroModel, **options: Any) -> None:
    together = tts.generate(INDICES, seed=[4, 5, 6], **options)
    for row, count in enumerate(ROWS):
        one: dict[str, Any] = {
            name: value[row : row + 1, :count] if name == "durations" else value[row : row + 1]
            for name, value in options.items()
            if isinstance(value, Tensor)
        }
        other = {name: value for name, value in options.items() if not isinstance(value, Tensor)}
        alone = tts.generate(INDICES[row : row + 1, :count], seed=4 + row, **one, **other)
        length = int(alone.lengths[0])
        assert int(together.lengths[row]) == length
        torch.testing.assert_close(together.mel[row, :length], alone.mel[0], atol=1e-9, rtol=0)
        assert (together.mel[row, length:] == 0).all()


def test_non_attentive_tacotron_has_a_recurrent_state_and_gaussian_upsampling() -> None:
    tacotron = model(decoder={"type": "lstm_cell"}, regulator={"type": "gaussian"})
    output = tacotron(INDICES, mels(7), DURATIONS)
    assert set(output.losses) == {"mel_l1", "duration", "stop"}
    assert_rows_alone_are_rows_together(tacotron, durations=DURATIONS, stop_threshold=1.0)


def test_a_recurrent_state_can_be_forked_and_dropped() -> None:
    decoder = model(decoder={"type": "lstm_cell"}).acoustic.decoder
    memory = torch.randn(3, 4, 16, dtype=torch.float64)
    mask = torch.zeros(3, 4, dtype=torch.bool)
    assert isinstance(decoder, AutoregressiveDecoder)
    state: Any = decoder.init_state(memory, mask, 4)
    decoder.step(mels(2), state)
    fork = state.select(torch.tensor([2, 0]))
    assert fork.position == 2
    chosen, _ = decoder.step(mels(3)[[2, 0], 2:], fork)
    assert state.position == 2
    everyone, _ = decoder.step(mels(3)[:, 2:], state)
    torch.testing.assert_close(chosen, everyone[[2, 0]])


def test_speecht5_reads_phonemes_makes_two_frames_a_step_and_knows_the_speaker() -> None:
    speecht5 = model(decoder={"type": "tokens"}, duration_predictor=None, regulator=None)
    mask = torch.arange(7) >= torch.tensor([[7], [5], [6]])
    output = speecht5(INDICES, mels(7), mel_padding_mask=mask, speaker=SPEAKER)
    assert output.mel.shape == (3, 7, 5)
    assert output.duration_pred is None
    assert set(output.losses) == {"mel_l1", "stop"}
    assert_rows_alone_are_rows_together(speecht5, speaker=SPEAKER, max_mel_len=9)
    limited = speecht5.generate(INDICES, speaker=SPEAKER, stop_threshold=1.0)
    assert limited.lengths.tolist() == [80, 40, 60]
    assert limited.stop_reasons == ["planned_length"] * 3


@pytest.mark.parametrize("reduction_factor", [1, 2, 3])
def test_any_reduction_factor_generates_what_teacher_forcing_on_its_own_frames_predicts(
    reduction_factor: int,
) -> None:
    speecht5 = model(
        decoder={"type": "tokens", "reduction_factor": reduction_factor},
        duration_predictor=None,
        regulator=None,
    )
    options: dict[str, Any] = {"speaker": SPEAKER, "stop_threshold": 1.0, "max_mel_len": 7}
    spoken = speecht5.generate(INDICES, **options)
    assert spoken.stop_reasons == ["max_mel_len"] * 3
    mask = torch.zeros(3, 7, dtype=torch.bool)
    echoed = speecht5(INDICES, spoken.mel, mel_padding_mask=mask, speaker=SPEAKER)
    torch.testing.assert_close(echoed.mel, spoken.mel, atol=1e-9, rtol=0)


def test_matcha_has_a_loss_of_its_own_and_samples_with_a_seed_a_row() -> None:
    matcha = model(decoder={"type": "flow"})
    output = matcha(INDICES, mels(7), DURATIONS)
    assert set(output.losses) == {"flow", "duration"}
    assert output.stop_logits is None
    output.loss.backward()
    assert_rows_alone_are_rows_together(matcha, durations=DURATIONS)
    first = matcha.generate(INDICES, durations=DURATIONS, seed=1).mel
    assert torch.equal(first, matcha.generate(INDICES, durations=DURATIONS, seed=1).mel)
    assert not torch.equal(first, matcha.generate(INDICES, durations=DURATIONS, seed=2).mel)


def test_vits_samples_durations_and_brings_their_likelihood_as_its_loss() -> None:
    vits = model(duration_predictor={"type": "drawn"}, decoder={"type": "lstm_cell"})
    output = vits(INDICES, mels(7), DURATIONS)
    assert output.duration_pred is None
    assert set(output.losses) == {"mel_l1", "duration_nll", "stop"}
    assert_rows_alone_are_rows_together(vits, stop_threshold=1.0)
    drawn = [vits.generate(INDICES, seed=seed).durations for seed in range(9)]
    assert len({tuple(each[0].tolist()) for each in drawn if each is not None}) > 1


def test_durations_that_are_handed_back_give_the_same_mel() -> None:
    sampling = model(duration_predictor={"type": "drawn"}, decoder={"type": "flow"})
    first = sampling.generate(INDICES, seed=[4, 5, 6])
    again = sampling.generate(INDICES, seed=[4, 5, 6], durations=first.durations)
    assert torch.equal(first.mel, again.mel)


def test_a_stream_of_a_postnet_that_samples_is_the_mel_of_generate() -> None:
    sampling = model(decoder={"type": "lstm_cell"}, postnet={"type": "noisy"})
    options: dict[str, Any] = {"seed": 4, "durations": DURATIONS, "stop_threshold": 1.0}
    whole = sampling.generate(INDICES, **options).mel
    parts = list(sampling.stream(INDICES, chunk_frames=2, **options))
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-9, rtol=0)


def test_a_side_input_reaches_every_part_that_needs_it_and_no_other() -> None:
    shared = model(encoder={"type": "speaker"}, decoder={"type": "lstm_cell"})
    changed = SPEAKER.clone()
    changed[1] += 1
    first = shared.generate(INDICES, durations=DURATIONS, speaker=SPEAKER, stop_threshold=1.0)
    second = shared.generate(INDICES, durations=DURATIONS, speaker=changed, stop_threshold=1.0)
    assert torch.equal(first.mel[0], second.mel[0])
    assert not torch.equal(first.mel[1], second.mel[1])


def test_a_missing_side_input_is_named() -> None:
    shared = model(encoder={"type": "speaker"}, decoder={"type": "lstm_cell"})
    with pytest.raises(TypeError, match="`speaker` is missing; this model takes the side inputs"):
        shared(INDICES, mels(7), DURATIONS)


def test_an_unknown_side_input_is_named() -> None:
    plain = model(decoder={"type": "lstm_cell"})
    with pytest.raises(TypeError, match=r"`speaker` is not a side input of this .*; it takes none"):
        plain.generate(INDICES, speaker=SPEAKER)
