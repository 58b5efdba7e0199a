"""The flow head against that of Pocket-TTS in transformers, with the same weights."""

from __future__ import annotations

import pytest
import torch
from transformers.models.pocket_tts.configuration_pocket_tts import PocketTTSFlowHeadConfig
from transformers.models.pocket_tts.modeling_pocket_tts import PocketTTSFlowHead

from kokoro_plugins.latent.flow_head import FlowHead

RENAMED = {
    "input_proj": "latent_in",
    "cond_proj": "condition_in",
    "timestep_embeddings.0.fc1": "time.first",
    "timestep_embeddings.0.fc2": "time.second",
    "timestep_embeddings.0.norm.weight": "time.scale",
    "layers": "blocks",
    "final_layer.adaln_proj": "modulation",
    "final_layer.proj": "out",
    "adaln_proj": "modulation",
    "fc1": "first",
    "fc2": "second",
}


def renamed(name):
    for theirs, ours in RENAMED.items():
        name = name.replace(theirs, ours)
    return name


@pytest.fixture(scope="module")
def both():
    """Return our head and theirs, every parameter random and the same, in float64."""
    torch.manual_seed(0)
    config = PocketTTSFlowHeadConfig(
        hidden_size=10,
        num_hidden_layers=2,
        latent_dim=6,
        condition_dim=7,
        frequency_embedding_size=8,
    )
    theirs = PocketTTSFlowHead(config).double()
    ours = FlowHead(latent_dim=6, condition_dim=7, width=10, num_layers=2, frequencies=8).double()
    pairs = []
    for name, value in theirs.named_parameters():
        if name.startswith(
            "timestep_embeddings.1"
        ):  # the end of a step, which theirs may leave out
            continue
        value.data.normal_()
        mine = ours.get_parameter(renamed(name))
        mine.data.copy_(value)
        pairs.append((mine, value))
    assert len(pairs) == len(list(ours.parameters()))
    return ours, theirs, pairs


def inputs():
    generator = torch.Generator().manual_seed(1)
    shapes = (5, 6), (5, 7), (5, 1)
    return [torch.rand(s, generator=generator, dtype=torch.float64) * 2 - 1 for s in shapes]


def assert_exact(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_velocities_and_every_gradient_are_those_of_pocket_tts(both):
    ours, theirs, pairs = both
    latents, condition, times = inputs()
    times = times.abs()
    velocity = ours(latents, condition, times)
    wanted = theirs(latents, condition, times=[times])
    assert_exact(velocity, wanted)
    mine, true = zip(*pairs, strict=True)
    got = torch.autograd.grad(velocity.square().sum(), mine)
    for a, b in zip(got, torch.autograd.grad(wanted.square().sum(), true), strict=True):
        assert_exact(a, b)


@pytest.mark.parametrize("steps", [1, 3])
def test_samples_are_euler_steps_of_pocket_tts_s_velocities(both, steps):
    ours, theirs, _ = both
    noise, condition, _ = inputs()
    latents = noise
    for step in range(steps):
        start = torch.full((5, 1), step / steps, dtype=torch.float64)
        latents = latents + theirs(latents, condition, times=[start]) / steps
    assert_exact(ours.sample(noise, condition, steps), latents)
