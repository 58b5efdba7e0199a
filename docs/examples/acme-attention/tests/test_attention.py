"""The aligner keeps the promises of its slot, and finds the likeliest path."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from acme_attention.aligner import likeliest
from acme_attention.plugin import AttentionParams

from kokoro_core import KokoroModel
from kokoro_core.testing import conformance_test

test_attention = conformance_test(AttentionParams)


def test_no_other_path_is_likelier() -> None:
    generator = torch.Generator().manual_seed(0)
    chances = torch.randn(7, 3, generator=generator).log_softmax(1)
    frames = torch.arange(7)

    def chance_of(durations: tuple[int, ...]) -> float:
        return float(
            chances[frames, torch.arange(3).repeat_interleave(torch.tensor(durations))].sum()
        )

    every = [each for each in product(range(1, 6), repeat=3) if sum(each) == 7]
    assert tuple(likeliest(chances).tolist()) == max(every, key=chance_of)


def test_fewer_frames_than_phonemes_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 2 frames and 3 phonemes; leave"):
        likeliest(torch.zeros(2, 3))


def test_it_learns_where_sounds_change() -> None:
    """Three phonemes of their own sound each, whose durations nobody says."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec(
        "acme-attention", overrides={"mel_dim": 8, "audio": None, "vocoder": None}
    )
    sounds = 3 * torch.eye(8)[:3]
    truth = torch.tensor([6, 1, 3])
    phonemes, mel = torch.tensor([[7, 8, 9]]), sounds.repeat_interleave(truth, 0).unsqueeze(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    found = []
    for _ in range(60):
        output = model(phonemes, mel)
        found.append(output.plan.durations[0].tolist())
        optimizer.zero_grad()
        output.losses["aligner.path"].backward()
        optimizer.step()
    assert found[0] != truth.tolist()
    assert found[-1] == truth.tolist()
