"""SpeechT5's parts beyond the reference: the small spec, speakers, the guide, the stop rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel, load_spec
from kokoro_plugins.speecht5.guide import Guide

TINY: dict[str, Any] = {
    **{"hidden_dim": 16, "mel_dim": 5, "audio": None, "vocoder": None, "frontend": None},
    **{f"{part}.ff_dim": 24 for part in ("encoder", "decoder")},
    **{f"{part}.num_layers": 1 for part in ("encoder", "decoder")},
    **{"decoder.prenet_dim": 8, "postnet.channels": 8, "decoder.reduction_factor": 2},
}
INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
LENGTHS = torch.tensor([9, 4])


def tiny(**settings: Any) -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec("speecht5-small", overrides={**TINY, **settings})


def batch() -> tuple[Tensor, Tensor, Tensor]:
    mask = torch.arange(9) >= LENGTHS[:, None]
    mel = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(1))
    return INDICES, mel.masked_fill(mask.unsqueeze(2), 0), mask


def test_the_small_spec_trains_is_saved_and_speaks_the_same_when_loaded(tmp_path: Path) -> None:
    model = KokoroModel.from_spec("speecht5-small").train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    torch.manual_seed(0)
    mel = torch.randn(2, 9, 80).masked_fill(torch.arange(9)[:, None] >= LENGTHS[:, None, None], 0)
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        output = model(INDICES, mel, mel_padding_mask=torch.arange(9) >= LENGTHS[:, None])
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[1] < losses[0]
    model.save(tmp_path / "small.safetensors")
    loaded = KokoroModel.load(tmp_path / "small.safetensors")
    spoken, again = (
        each.eval().generate(INDICES, seed=3, max_mel_len=12) for each in (model, loaded)
    )
    assert torch.equal(spoken.mel, again.mel)
    assert spoken.lengths.tolist() == again.lengths.tolist()


def test_a_row_that_drops_in_speaking_is_the_same_alone_and_in_a_batch() -> None:
    model = tiny().double().eval()
    options: dict[str, Any] = {"stop_threshold": 1.0, "max_mel_len": 12}
    both = model.generate(INDICES, seed=[1, 2], **options)
    alone = model.generate(INDICES[1:, :2], seed=2, **options)
    torch.testing.assert_close(both.mel[1], alone.mel[0], rtol=1e-9, atol=1e-12)
    other = model.generate(INDICES, seed=[3, 2], **options)
    assert not torch.allclose(other.mel[0], both.mel[0])
    quiet = tiny(**{"decoder.speaking_dropout": False}).double().eval()
    first, second = (quiet.generate(INDICES, seed=seed, **options).mel for seed in (1, 2))
    assert torch.equal(first, second)


def test_speakers_by_name_take_the_place_of_an_x_vector() -> None:
    conditioners = {"speaker": {"type": "lookup", "dim": 6}}
    model = tiny(
        **{"speakers": ["anna", "ben"], "conditioners": conditioners, "decoder.speaker_dim": 6}
    )
    indices, mel, mask = batch()
    speaker = torch.tensor([0, 1])
    model.train()(indices, mel, mel_padding_mask=mask, speaker=speaker).loss.backward()
    gradient = model.acoustic.get_parameter("conditioners.speaker.table.weight").grad
    assert gradient is not None
    assert gradient.abs().sum(1).min() > 0
    voices = [
        model.eval().generate(INDICES, speaker=who, seed=1, stop_threshold=1.0, max_mel_len=4).mel
        for who in (speaker, speaker.flip(0))
    ]
    assert not torch.allclose(voices[0], voices[1])


def test_a_speakers_vector_of_another_width_is_found_before_anything_is_built() -> None:
    overrides = {
        **{"speakers": ["anna", "ben"], "decoder.speaker_dim": 6},
        "conditioners": {"speaker": {"type": "lookup", "dim": 5}},
    }
    wanted = r"`speaker_embedding` of width 6 and `conditioners\.speaker`.* makes it of width 5"
    with pytest.raises(ValueError, match=wanted) as raised:
        load_spec("speecht5-small", overrides=overrides)
    assert "[width-mismatch]" in str(raised.value)


def test_the_speakers_vector_counts_by_its_direction_alone() -> None:
    model = tiny(**{"decoder.speaker_dim": 6}).double().eval()
    indices, mel, mask = batch()
    vector = torch.randn(2, 6, dtype=torch.float64)
    given = [vector, 7 * vector, -vector]
    made = [
        model(indices, mel.double(), mel_padding_mask=mask, speaker_embedding=each).mel
        for each in given
    ]
    torch.testing.assert_close(made[0], made[1])
    assert not torch.allclose(made[0], made[2])
    with pytest.raises(TypeError, match="`speaker_embedding` is missing"):
        model(indices, mel.double(), mel_padding_mask=mask)


def test_the_loss_of_the_guide_can_be_weighed_and_left_out() -> None:
    indices, mel, mask = batch()
    model = tiny().eval()
    output = model(indices, mel, mel_padding_mask=mask)
    names = ("mel_l1", "mel_l1_coarse", "stop")
    rest = sum(output.losses[name] for name in names)
    guided = output.losses["decoder.guided_attention"]
    torch.testing.assert_close(output.loss, rest + 10 * guided)
    heavy = tiny(**{"loss.decoder.guided_attention": 3.0}).eval()
    torch.testing.assert_close(heavy(indices, mel, mel_padding_mask=mask).loss, rest + 3 * guided)
    free = tiny(**{"decoder.guided_heads": 0}).eval()
    assert set(free(indices, mel, mel_padding_mask=mask).losses) == set(names)


def test_the_penalty_grows_with_the_distance_from_the_diagonal() -> None:
    padding, groups = torch.arange(4) >= torch.tensor([[4], [2]]), torch.zeros(2, 3) > 0
    groups[1, 1:] = True
    guide = Guide.of(
        heads=1, sigma=0.4, padding_mask=padding, group_mask=groups, like=torch.zeros(1).double()
    )
    for row, (phonemes, frames) in enumerate([(4, 3), (2, 1)]):
        wanted = np.zeros((3, 4))
        for t, n in np.ndindex(frames, phonemes):
            wanted[t, n] = 1 - np.exp(-((n / phonemes - t / frames) ** 2) / (2 * 0.4**2))
        np.testing.assert_allclose(guide.penalty[row], wanted, rtol=1e-12, atol=1e-15)
    assert int(guide.count) == 4 * 3 + 2 * 1


@pytest.mark.parametrize(
    ("probabilities", "threshold", "wanted"),
    [
        ([0.2, 0.2, 0.3, 0.3], 0.5, [False, False, False, True]),
        ([0.5, 0.0, 0.0, 0.0], 0.5, [False, True, False, False]),
        ([0.9, 0.9, 0.0, 0.2], 1.0, [False, False, False, False]),
    ],
)
def test_a_group_ends_a_row_if_its_probabilities_reach_the_threshold_in_sum(
    probabilities: list[float], threshold: float, wanted: list[bool]
) -> None:
    decoder: Any = tiny().acoustic.decoder
    logits = torch.tensor([probabilities], dtype=torch.float64).logit()
    assert decoder.ends(logits, threshold).tolist() == [wanted]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"encoder.num_heads": 5}, "5 heads do not divide the width 192"),
        ({"decoder.guided_heads": 5}, "5 heads cannot be guided, as a layer has 4"),
    ],
)
def test_settings_that_do_not_fit_are_named(override: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_spec("speecht5-small", overrides=override)


def test_positions_and_room_that_run_out_are_named() -> None:
    model = tiny(**{"decoder.positional_encoding.max_len": 3}).eval()
    indices, mel, mask = batch()
    with pytest.raises(ValueError, match="knows 3 positions but the sequence has 5"):
        model(indices, mel, mel_padding_mask=mask)
    decoder: Any = model.acoustic.decoder
    state = decoder.init_state(torch.zeros(1, 2, 16), torch.zeros(1, 2) > 0, 3)
    with pytest.raises(ValueError, match="has room for 2 groups but was asked for group 3"):
        decoder.step(torch.zeros(1, 6, 5), state)
    spoken_to = tiny(**{"decoder.speaker_dim": 6}).acoustic.decoder
    with pytest.raises(ValueError, match="`speaker_embedding` is missing; `speaker_dim` asks"):
        spoken_to(torch.zeros(1, 2, 16), torch.zeros(1, 2) > 0, mel[:1], mask[:1])
