"""The voice of the box, and sentences that it has not learned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kokoro_core import KokoroModel
from kokoro_core.speaking.vocoding import samples_of

SENTENCES = (
    "She found a small key under the kitchen table.",
    "Nobody saw the man who painted every door bright green.",
    "Snow covered the roofs of the quiet town.",
)


def spoken_by(model: KokoroModel, text: str) -> tuple[NDArray[np.float32], list[int]]:
    """Return the samples and the durations of a text that a model itself reads and speaks."""
    assert model.spec.frontend is not None
    indices = model.spec.frontend.build(model.spec.sizes).encode(text)
    with torch.no_grad():
        made = model.generate(torch.tensor([indices]))
        samples = samples_of(model)(made)
    assert made.durations is not None
    return samples[0].numpy(), made.durations[0].tolist()
