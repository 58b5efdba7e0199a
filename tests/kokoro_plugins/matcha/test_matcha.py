"""Matcha-TTS's parts in this framework: sizes, rows, options, other parts, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kokoro_core import KokoroModel, assemble, load_spec
from kokoro_core.cost.estimate import Workload, cost
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.matcha.blocks import MaskedGroupNorm
from kokoro_plugins.matcha.decoder import FlowMatchingDecoder
from kokoro_plugins.matcha.params import FlowMatchingParams, MatchaEncoderParams

TINY = {
    **{"vocab_size": 12, "mel_dim": 4, "hidden_dim": 8, "audio": None, "frontend": None},
    **{"encoder.num_layers": 1, "encoder.ff_dim": 12, "encoder.dropout": 0.0, "vocoder": None},
    **{"encoder.prenet.dropout": 0.0, "duration_predictor.dropout": 0.0},
    **{"decoder.channels": [24, 24], "decoder.head_dim": 4, "decoder.frequencies": 8},
    **{"decoder.dropout": 0.0},
}
INDICES = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 10, 0, 0]])
FRAMES = torch.tensor([11, 6])
MASK = torch.arange(11) >= FRAMES.unsqueeze(1)


def tiny(**settings: Any) -> KokoroModel:
    torch.manual_seed(0)
    model = KokoroModel.from_spec("matcha-small", overrides={**TINY, **settings})
    return model.double().eval()


def mels() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 11, 4, generator=generator, dtype=torch.float64)


def count(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def test_the_published_settings_have_the_published_number_of_parameters() -> None:
    model = assemble(load_spec("matcha"), device="meta")
    assert count(model) == 18_204_193
    assert model.duration_predictor is not None
    assert model.aligner is not None
    assert count(model.encoder) + count(model.duration_predictor) == 7_195_345
    assert count(model.aligner) == 0


def test_the_small_spec_has_the_parameters_that_it_says() -> None:
    assert count(assemble(load_spec("matcha-small"), device="meta")) == 2_920_833


def test_what_the_small_spec_costs_is_counted_with_its_alignment() -> None:
    counted = cost(load_spec("matcha-small"), Workload(2, 10, 60))
    per_frame = counted["multiply_adds_per_frame"]["slots"]
    # each frame and its square, with the mean and the precision of each phoneme
    assert per_frame["aligner"] == 2 * 10 * 80
    assert per_frame["decoder"] > per_frame["encoder"] > 0


@pytest.mark.parametrize(
    "params",
    [
        FlowMatchingParams(),
        FlowMatchingParams(condition="mu", channels=(16, 8, 24), num_blocks=2, num_mid_stages=0),
        FlowMatchingParams(channels=(8,), num_blocks=0, num_mid_stages=3),
    ],
)
def test_its_size_is_counted_without_building_it(params: FlowMatchingParams) -> None:
    sizes = Sizes(vocab_size=12, pad_id=0, mel_dim=5, hidden_dim=7)
    assert params.size(sizes).parameters == count(params.build(sizes))


def test_the_small_spec_trains_two_steps_and_what_is_saved_speaks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec("matcha-small")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    mel = torch.randn(2, 11, 80).masked_fill(MASK.unsqueeze(2), 0)
    losses = []
    for _ in range(2):
        output = model(INDICES, mel, mel_padding_mask=MASK, seed=3)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
        assert output.losses.keys() == {"duration", "aligner.prior", "decoder.flow"}
    assert losses[1] < losses[0]
    model.eval().save(tmp_path / "model.safetensors")
    spoken, again = (
        each.generate(INDICES, seed=5)
        for each in (model, KokoroModel.load(tmp_path / "model.safetensors"))
    )
    assert torch.equal(spoken.mel, again.mel)
    assert spoken.mel.isfinite().all()


@pytest.mark.parametrize("channels", [[24], [24, 24], [24, 32, 16]])
def test_a_row_is_the_same_alone_and_in_a_batch(channels: list[int]) -> None:
    model = tiny(**{"decoder.channels": channels})
    durations = torch.tensor([[3, 1, 2, 4, 1], [1, 2, 3, 0, 0]])  # rows of 11 and of 6 frames
    both = model.generate(INDICES, durations=durations, seed=[7, 8])
    for row, (phonemes, frames) in enumerate(((5, 11), (3, 6))):
        rows = slice(row, row + 1)
        given = INDICES[rows, :phonemes], durations[rows, :phonemes]
        alone = model.generate(given[0], durations=given[1], seed=[7 + row])
        torch.testing.assert_close(both.mel[row, :frames], alone.mel[0], rtol=1e-9, atol=1e-12)
        assert not both.mel[row, frames:].any()


def test_the_loss_of_a_batch_is_that_of_its_frames_alone() -> None:
    model, mel = tiny(), mels()
    both = model(INDICES, mel, mel_padding_mask=MASK, seed=[7, 8]).losses
    rows = [
        model(INDICES[:1], mel[:1], seed=[7]).losses,
        model(INDICES[1:, :3], mel[1:, :6], seed=[8]).losses,
    ]
    for name in ("aligner.prior", "decoder.flow"):
        wanted = (11 * rows[0][name] + 6 * rows[1][name]) / 17
        torch.testing.assert_close(both[name], wanted, rtol=1e-9, atol=0)


def test_normalisation_of_a_whole_row_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = MaskedGroupNorm(24).double(), nn.GroupNorm(8, 24).double()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        other.data = mine.data = torch.randn(24).double()
    x = torch.randn(2, 5, 24).double()
    wanted = theirs(x.transpose(1, 2)).transpose(1, 2)
    found = ours(x, torch.zeros(2, 5, dtype=torch.bool))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


class Straight(nn.Module):
    """Leads from any place to a mel, in a straight line."""

    def __init__(self, mel: Tensor) -> None:
        super().__init__()
        self.mel = mel
        self.times: list[float] = []

    def forward(self, x: Tensor, condition: Tensor, times: Tensor, padding_mask: Tensor) -> Tensor:
        self.times.append(float(times[0, 0, 0]))
        return (self.mel - x) / (1 - times)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_steps_of_one_size_follow_a_straight_way_to_its_end(steps: int) -> None:
    estimator: Any = Straight(mels())
    decoder = FlowMatchingDecoder(estimator=estimator, mel_dim=4)
    memory, noise = torch.zeros(2, 11, 8).double(), RowNoise([1, 2])
    made = decoder.infer(memory, MASK, noise=noise, steps=steps).mel
    wanted = estimator.mel.masked_fill(MASK.unsqueeze(2), 0)
    torch.testing.assert_close(made, wanted, rtol=1e-9, atol=1e-12)
    assert estimator.times == pytest.approx([step / steps for step in range(steps)])


def test_a_velocity_that_is_right_costs_nothing_and_one_that_is_0_what_it_misses() -> None:
    mel = mels()
    drawn = RowNoise([1, 2]).normal(11, 4, like=mel)

    class Constant(nn.Module):
        def __init__(self, velocity: Tensor) -> None:
            super().__init__()
            self.velocity = velocity

        def forward(self, *_: Tensor) -> Tensor:
            return self.velocity

    right = mel - 0.9 * drawn
    for velocity, wanted in ((right, torch.tensor(0.0)), (0 * right, right[~MASK].square().mean())):
        estimator: Any = Constant(velocity)
        decoder = FlowMatchingDecoder(estimator=estimator, mel_dim=4, sigma_min=0.1)
        output = decoder(torch.zeros(2, 11, 8), MASK, mel, MASK, noise=RowNoise([1, 2]))
        torch.testing.assert_close(output.losses["flow"], wanted.double(), rtol=1e-9, atol=1e-30)
    estimator = Constant(right)
    decoder = FlowMatchingDecoder(estimator=estimator, mel_dim=4, sigma_min=0.1)
    output = decoder(torch.zeros(2, 11, 8), MASK, mel, MASK, noise=RowNoise([1, 2]))
    torch.testing.assert_close(output.mel[~MASK], mel[~MASK], rtol=1e-9, atol=1e-12)


def test_temperature_and_steps_are_options_with_a_range() -> None:
    model = tiny()
    durations = torch.tensor([[3, 1, 2, 4, 1], [1, 2, 3, 0, 0]])

    def spoken(**options: float) -> Tensor:
        of_decoder = {f"decoder.{name}": value for name, value in options.items()}
        mel: Tensor = model.generate(INDICES, durations=durations, seed=1, options=of_decoder).mel
        return mel

    assert torch.equal(spoken(), spoken(steps=10, temperature=0.2))
    assert not torch.equal(spoken(), spoken(steps=4))
    assert not torch.equal(spoken(), spoken(temperature=1.0))
    still = model.generate(
        INDICES, durations=durations, seed=2, options={"decoder.temperature": 0.0}
    )
    assert torch.equal(spoken(temperature=0.0), still.mel)
    with pytest.raises(ValueError, match=r"`decoder.steps` must be from 1 to 1000, not 0"):
        spoken(steps=0)
    with pytest.raises(ValueError, match=r"`decoder.temperature` must be from 0 to 10, not 11"):
        spoken(temperature=11.0)


def test_what_is_spoken_lasts_the_next_whole_number_of_frames() -> None:
    model = tiny()
    assert model.acoustic.duration_predictor is not None
    with torch.no_grad():
        out: Any = model.acoustic.duration_predictor.out
        out.weight.zero_()
        out.bias.fill_(torch.log(torch.tensor(1.0 + 2.1)))
    spoken = model.generate(INDICES, seed=1)
    assert spoken.durations is not None
    assert spoken.durations.tolist() == [[3] * 5, [3, 3, 3, 0, 0]]


def test_pitch_goes_with_the_flow_where_it_sees_the_memory() -> None:
    pitch = {"type": "variance", "channels": 8, "dropout": 0.0}
    model = tiny(
        **{"token_adaptors": {"pitch": pitch}, "features": {"pitch": {"per": "frame"}}},
        **{"decoder.condition": None},
    )
    output = model(
        INDICES, mels(), mel_padding_mask=MASK, seed=1, pitch=torch.randn(2, 11).double()
    )
    assert output.losses.keys() == {
        *("duration", "aligner.prior", "decoder.flow", "pitch.prediction")
    }
    output.loss.backward()
    embedding = model.acoustic.get_parameter("token_adaptors.pitch.embedding.conv.weight")
    assert embedding.grad is not None
    assert embedding.grad.any()
    durations = torch.tensor([[3, 1, 2, 4, 1], [1, 2, 3, 0, 0]])
    one, other = (
        model.generate(INDICES, durations=durations, seed=1, options={"pitch.control": control}).mel
        for control in (1.0, 2.0)
    )
    assert not torch.equal(one, other)


def test_the_encoder_goes_with_an_autoregressive_decoder_and_any_positions() -> None:
    decoder = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8}
    encoder = {"type": "matcha", "num_layers": 1, "ff_dim": 12, "prior": False, "prenet": None}
    spec = {
        **{"vocab_size": 12, "mel_dim": 4, "hidden_dim": 8, "decoder": decoder},
        "encoder": {**encoder, "positional_encoding": {"type": "alibi"}},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "gaussian"},
    }
    model = KokoroModel.from_spec(spec)
    durations = torch.tensor([[3, 1, 2, 4, 1], [1, 2, 3, 0, 0]])
    model(INDICES, mels().float(), durations).loss.backward()
    assert all(each.grad is not None for each in model.parameters())
    assert model.eval().generate(INDICES, durations=durations).mel.isfinite().all()


def test_alignment_begins_with_a_split_that_is_nearly_even() -> None:
    model = tiny()
    output = model(INDICES, mels(), mel_padding_mask=MASK, seed=1)
    assert output.plan is not None
    assert not model.acoustic.get_parameter("encoder.prior.weight").any()
    assert output.plan.durations[1].tolist() == [2, 2, 2, 0, 0]
    assert sorted(output.plan.durations[0].tolist()) == [2, 2, 2, 2, 3]


def test_the_prenet_starts_as_the_identity_and_learns() -> None:
    encoder: Any = tiny().acoustic.encoder
    embedded, mask = torch.randn(1, 4, 8).double(), torch.zeros(1, 4, dtype=torch.bool)
    assert torch.equal(encoder.prenet(embedded, mask), embedded)
    nn.init.ones_(encoder.prenet.out.weight)
    assert not torch.equal(encoder.prenet(embedded, mask), embedded)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"encoder.num_heads": 5}, "5 heads do not divide the width 192"),
        ({"encoder.kernel_size": 4}, "must be odd to have a middle, not 4"),
        ({"encoder.prenet.kernel_size": 2}, "must be odd to have a middle, not 2"),
        ({"encoder.positional_encoding.fraction": 0.27}, "turns 25 of the 96 channels"),
        ({"decoder.channels": [12]}, "multiple of 8"),
        ({"decoder.channels": []}, "at least 1 item"),
    ],
)
def test_settings_that_do_not_fit_are_named(override: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_spec("matcha", overrides=override)


def test_a_memory_without_a_vector_a_frame_is_refused() -> None:
    sizes = Sizes(vocab_size=12, pad_id=0, mel_dim=4, hidden_dim=8)
    decoder = FlowMatchingParams(channels=(8,)).build(sizes)
    memory = torch.zeros(2, 5, 8)
    with pytest.raises(ValueError, match=r"one vector a frame, but there are 5 and a mel of shape"):
        decoder(memory, MASK[:, :5], mels().float(), MASK, noise=RowNoise([1, 2]))


def test_an_encoder_without_a_prior_gives_no_part() -> None:
    sizes = Sizes(vocab_size=12, pad_id=0, mel_dim=4, hidden_dim=8)
    rotary = load_spec("matcha").encoder.positional_encoding  # type: ignore[attr-defined]
    with_prior = MatchaEncoderParams(positional_encoding=rotary)
    assert with_prior.gives_parts(sizes) == {"mu": 4}
    assert not with_prior.model_copy(update={"prior": False}).gives_parts(sizes)
