"""Run inside a copy of the source that has the trial slot: train, save, load and speak."""

from __future__ import annotations

import json
import sys

import torch

from kokoro_core import KokoroModel
from kokoro_core.slots import MODEL_SLOTS


def main(spec: str) -> None:
    """Print what the model with a style does."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec(spec)
    phonemes, durations = (
        torch.tensor([[7, 41, 28, 2], [9, 5, 0, 0]]),
        torch.tensor([[3, 2, 4, 1], [2, 4, 0, 0]]),
    )
    mels = torch.randn(2, 10, 80).masked_fill(
        torch.arange(10)[None, :, None] >= durations.sum(1)[:, None, None], 0
    )
    weight = model.get_parameter("acoustic.style.linear.weight")
    before = weight.detach().clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss = model(phonemes, mels, durations).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    spoken = model.inference(phonemes[:1], max_mel_len=20)
    model.save("styled.safetensors")
    again = KokoroModel.load("styled.safetensors")
    reloaded = again.inference(phonemes[:1], max_mel_len=20)
    row = again.acoustic.encode(phonemes[1:, :2], torch.zeros(1, 2, dtype=torch.bool), {}).hidden
    both = again.acoustic.encode(phonemes, phonemes == 0, {}).hidden
    with torch.no_grad():
        again.get_parameter("acoustic.style.linear.weight").zero_()
        again.get_parameter("acoustic.style.linear.bias").fill_(2.0)
    other = again.inference(phonemes[:1], max_mel_len=20)
    print(
        json.dumps(
            {
                "slots": list(MODEL_SLOTS),
                "losses": losses,
                "learned": not torch.equal(before, weight),
                "frames": spoken.shape[1],
                "finite": bool(spoken.isfinite().all()),
                "same after loading": torch.equal(spoken, reloaded),
                "same with another style": spoken.shape == other.shape
                and torch.equal(spoken, other),
                "rows apart": bool(torch.allclose(row, both[1:, :2], atol=1e-6)),
            }
        )
    )


main(*sys.argv[1:])
