"""Speaking in training mode changes no running statistics, in one go or as a stream."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.spec.load import load_spec
from kokoro_core.testing.subjects.model_subject import small_model

PHONEMES = torch.tensor([[3, 4, 5, 6]])
DURATIONS = torch.tensor([[2, 3, 2, 2]])


def spoken(model: KokoroModel) -> torch.Tensor:
    return model.generate(PHONEMES, durations=DURATIONS, stop_threshold=1.0).mel


def streamed(model: KokoroModel) -> torch.Tensor:
    return torch.cat(list(model.stream(PHONEMES, durations=DURATIONS, stop_threshold=1.0)), 1)


def in_half(model: KokoroModel) -> torch.Tensor:
    options: dict[str, Any] = {
        "durations": DURATIONS,
        "stop_threshold": 1.0,
        "dtype": torch.bfloat16,
    }
    return model.generate(PHONEMES, **options).mel


@pytest.mark.parametrize("speak", [spoken, streamed, in_half])
def test_a_postnet_with_batch_normalisation_tracks_nothing_that_is_spoken(
    speak: Callable[[KokoroModel], torch.Tensor],
) -> None:
    torch.manual_seed(0)
    spec = small_model(load_spec("small", overrides={"postnet": {"type": "conv"}})).spec
    model = KokoroModel.from_spec(spec).train()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    assert any(name.endswith("running_mean") for name in before)
    with warnings.catch_warnings(action="ignore"):  # that it speaks in training mode
        speak(model)
    after = model.state_dict()
    for name, each in before.items():
        assert torch.equal(after[name], each), name
    assert all(part.training for part in model.modules())
