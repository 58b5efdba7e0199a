"""Noise of graphs: torch's global generator, or numbers that are given in order."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.exporting.noise import GivenNoise, GraphNoise, drawing_from
from kokoro_core.model.acoustic import AcousticModel
from tests.kokoro_core.exporting.small import small_model


def test_a_graph_draws_from_the_global_generator_in_order():
    noise = GraphNoise()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        like = torch.zeros(1)
        drawn = noise.of("decoder").normal(3, 2, like=like), noise.uniform(1, 4, like=like)
        torch.manual_seed(5)
        expected = torch.randn(1, 3, 2), torch.rand(1, 1, 4)
    assert all(map(torch.equal, drawn, expected))


def test_given_numbers_come_in_order_and_in_the_type_that_is_asked_for():
    first, second = torch.randn(1, 3, 2), torch.rand(1, 1, 4)
    noise = GivenNoise([first, second])
    assert torch.equal(noise.of("encoder").normal(3, 2, like=torch.zeros(1)), first)
    got = noise.of("decoder").uniform(1, 4, like=torch.zeros(1, dtype=torch.float64))
    assert torch.equal(got, second.double())
    assert noise.unused == 0


def test_given_numbers_must_be_those_asked_for():
    noise = GivenNoise([torch.zeros(1, 3, 2)]).of("decoder")
    with pytest.raises(ValueError, match=r"\(1, 4, 2\) is asked for, but .* \[\(1, 3, 2\)\]"):
        noise.normal(4, 2, like=torch.zeros(1))
    noise.normal(3, 2, like=torch.zeros(1))
    with pytest.raises(ValueError, match=r"what is left is \[\]"):
        noise.normal(3, 2, like=torch.zeros(1))


def test_after_a_rewind_each_part_has_its_numbers_again_and_a_new_part_the_next():
    drawn = [torch.full((1, 1, 1), float(number)) for number in range(4)]
    noise, like = GivenNoise(drawn), torch.zeros(1)

    def numbers(part: str, count: int) -> list[float]:
        return [float(noise.of(part).normal(1, 1, like=like)) for _ in range(count)]

    assert (numbers("encoder", 1), numbers("duration_predictor", 2)) == ([0], [1, 2])
    noise.rewind()
    assert noise.unused == 1
    assert numbers("encoder", 1) == [0]
    assert numbers("decoder", 1) == [3]  # the predictor is passed over, its numbers stay its own
    assert noise.of("encoder").of("layer") is noise.of("encoder")
    assert noise.unused == 0


def test_a_model_speaks_with_a_given_noise_and_with_its_own_afterwards():
    model = small_model("matcha-small", **{"decoder.channels": [16], "decoder.steps": 1})
    phonemes = torch.tensor([[3, 4, 5]])
    frames = int(model.generate(phonemes, seed=1).lengths[0])
    silence = GivenNoise([torch.zeros(1, frames, model.spec.mel_dim)])
    with drawing_from(model.acoustic, silence):
        given = model.generate(phonemes, seed=1).mel
    cold = model.generate(phonemes, seed=1, options={"decoder.temperature": 0.0}).mel
    assert torch.equal(given, cold)
    assert not torch.equal(model.generate(phonemes, seed=1).mel, cold)
    assert model.acoustic.side_inputs.__func__ is AcousticModel.side_inputs  # type: ignore[attr-defined]
