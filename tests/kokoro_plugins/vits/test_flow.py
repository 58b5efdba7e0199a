"""The named specs `flow`: their likelihood, what they draw, training, saving, speaking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from kokoro_core import KokoroModel, assemble, load_spec
from kokoro_core.tensors.noise import RowNoise
from tests.kokoro_plugins.vits.reference import close

INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 9, 0]])
LENGTHS = torch.tensor([14, 9])
MEL_MASK = torch.arange(14) >= LENGTHS.unsqueeze(1)
SMALL: dict[str, Any] = {
    **{"mel_dim": 6, "hidden_dim": 8, "audio": None, "frontend": None, "vocoder": None},
    **{"encoder.num_layers": 1, "encoder.ff_dim": 12, "encoder.dropout": 0.0},
    **{"decoder.num_flows": 2, "decoder.num_layers": 1},
    **{"duration_predictor.num_layers": 1, "duration_predictor.dropout": 0.0},
}


VITS: dict[str, Any] = {
    **{"encoder.mean_only": False, "decoder.mean_only": True},
    **{"aligner.log_scale": "log_sigma", "decoder.log_scale": "log_sigma"},
}
"""What makes of Glow-TTS's prior and couplings those of VITS."""


def tts(**overrides: Any) -> KokoroModel:
    torch.manual_seed(0)
    model = KokoroModel.from_spec(load_spec("flow-small", overrides={**SMALL, **overrides}))
    with torch.no_grad():
        for each in model.parameters():  # couplings begin as the identity
            each.add_(0.1 * torch.randn_like(each))
    return model.double()


def part(model: KokoroModel, path: str) -> Any:
    return model.acoustic.get_submodule(path)


def mels() -> Tensor:
    return torch.randn(2, 14, 6).double().masked_fill(MEL_MASK.unsqueeze(2), 0)


@pytest.mark.parametrize("overrides", [{}, VITS, {**VITS, "decoder.mean_only": False}])
def test_the_loss_is_the_mels_likelihood_along_the_path_that_was_found(
    overrides: dict[str, Any],
) -> None:
    model = tts(**overrides)
    given = mels()
    output = model(INDICES, given, mel_padding_mask=MEL_MASK, seed=1)
    assert output.plan is not None
    assert output.plan.durations.sum(1).tolist() == LENGTHS.tolist()
    encoder, flow = part(model, "encoder"), part(model, "decoder.flow")
    summed = 0.0
    for row, (phonemes, frames) in enumerate([(4, 14), (3, 9)]):
        none = torch.zeros(1, phonemes, dtype=torch.bool)
        parts = encoder(INDICES[row : row + 1, :phonemes], none).parts
        durations = output.plan.durations[row, :phonemes]
        log_sigma = parts.get("log_sigma", torch.zeros_like(parts["mu"]))
        mu, log_sigma = (
            each[0].repeat_interleave(durations, 0) for each in (parts["mu"], log_sigma)
        )
        one = given[row : row + 1, :frames]
        mask = torch.zeros(1, frames, dtype=torch.bool)
        z, _ = flow(one, mask)
        jacobian = torch.autograd.functional.jacobian(lambda x, m=mask: flow(x, m)[0], one)
        _, log_det = torch.linalg.slogdet(jacobian.reshape(frames * 6, -1))
        summed += (Normal(mu, log_sigma.exp()).log_prob(z[0]).sum() + log_det).item()
    close(output.losses["decoder.likelihood"].item(), -summed / (23 * 6))
    assert set(output.losses) == {"decoder.likelihood", "duration_predictor.likelihood"}


def test_what_stands_at_the_padding_of_the_prior_reaches_no_loss_and_no_gradient() -> None:
    decoder = part(tts(**VITS), "decoder")
    prior = [torch.randn(2, 14, 6).double().requires_grad_() for _ in range(2)]
    mu, log_sigma = (each.masked_fill(MEL_MASK.unsqueeze(2), torch.nan) for each in prior)
    memory = torch.full((2, 14, 8), torch.nan, dtype=torch.float64)
    given = memory, MEL_MASK, mels(), MEL_MASK
    poisoned = decoder(*given, noise=RowNoise([1, 2]), mu=mu, log_sigma=log_sigma)
    clean = decoder(*given, noise=RowNoise([1, 2]), mu=prior[0], log_sigma=prior[1])
    assert torch.equal(poisoned.losses["likelihood"], clean.losses["likelihood"])
    poisoned.losses["likelihood"].backward()
    for each in prior:
        assert each.grad is not None
        assert not each.grad[MEL_MASK].any()
        assert each.grad[~MEL_MASK].all()


def test_it_speaks_what_the_flow_makes_of_the_prior_with_noise() -> None:
    model = tts(**VITS).eval()
    durations = torch.tensor([[3, 2, 4, 1], [2, 2, 1, 0]])
    spoken = model.generate(
        INDICES, durations=durations, seed=5, options={"decoder.temperature": 0.4}
    )
    assert spoken.lengths.tolist() == [10, 5]
    encoder, flow = part(model, "encoder"), part(model, "decoder.flow")
    parts = encoder(INDICES, INDICES == 0).parts
    noise = RowNoise([5, 5]).of("decoder").normal(10, 6, like=parts["mu"])
    for row, length in enumerate([10, 5]):
        mu, log_sigma = (parts[each][row].repeat_interleave(durations[row], 0) for each in parts)
        z = mu + log_sigma.exp() * 0.4 * noise[row, :length]
        mask = torch.zeros(1, length, dtype=torch.bool)
        close(spoken.mel[row : row + 1, :length], flow.inverse(z.unsqueeze(0), mask))


def test_a_row_is_spoken_alone_as_in_a_batch() -> None:
    model = tts().eval()
    both = model.generate(INDICES, seed=[3, 4])
    alone = model.generate(INDICES[1:, :3], seed=[4])
    length = int(alone.lengths[0])
    assert int(both.lengths[1]) == length
    close(both.mel[1, :length], alone.mel[0])


def test_flow_small_trains_saves_loads_and_speaks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = KokoroModel.from_spec("flow-small")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    given, losses = torch.randn(2, 14, 80).masked_fill(MEL_MASK.unsqueeze(2), 0), []
    for _ in range(2):
        output = model(INDICES, given, mel_padding_mask=MEL_MASK, seed=1)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.losses["decoder.likelihood"].item())
    assert losses[1] < losses[0]
    model.save(tmp_path / "flow.safetensors")
    loaded = KokoroModel.load(tmp_path / "flow.safetensors").eval()
    spoken, again = (each.generate(INDICES, seed=2) for each in (model.eval(), loaded))
    assert torch.equal(spoken.mel, again.mel)
    assert spoken.mel.isfinite().all()
    assert spoken.durations is not None
    assert (spoken.durations[INDICES > 0] >= 1).all()


def test_it_learns_a_mel_that_is_made_of_its_phonemes() -> None:
    model = tts(**VITS).train()
    frames = torch.randn(12, 6).double()
    durations = torch.tensor([[4, 3, 5, 2], [3, 2, 4, 0]])
    rows = [frames[i].repeat_interleave(d, 0) for i, d in zip(INDICES, durations, strict=True)]
    given = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    given = given + 0.1 * torch.randn_like(given).masked_fill(MEL_MASK.unsqueeze(2), 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        output = model(INDICES, given, mel_padding_mask=MEL_MASK)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert output.plan is not None
    assert output.plan.durations.tolist() == durations.tolist()


@pytest.mark.parametrize(("name", "count"), [("flow", 14_609_920), ("flow-small", 2_494_336)])
def test_a_named_spec_has_the_number_of_parameters_that_its_page_says(
    name: str, count: int
) -> None:
    model = assemble(load_spec(name), device="meta")
    assert sum(each.numel() for each in model.parameters()) == count


def test_the_prior_side_of_vits_is_the_flow_over_its_latents() -> None:
    sizes = {"mel_dim": 192, "vocab_size": 38, "audio": None, "frontend": None, "vocoder": None}
    model = assemble(load_spec("flow", overrides={**sizes, **VITS}), device="meta")
    counts = {
        part: sum(each.numel() for each in getattr(model, part).parameters())
        for part in ("encoder", "duration_predictor", "decoder")
    }
    assert counts == {
        **{"encoder": 6_299_904, "duration_predictor": 1_317_168, "decoder": 7_102_080}
    }
