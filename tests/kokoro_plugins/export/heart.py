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
    "The train was late because of heavy snow.",
    "He put the bread on the table and went out.",
    "A young girl was singing in the garden.",
    "We can meet at the station after work.",
    "My uncle grows tomatoes behind his house.",
    "Please leave your wet boots by the door.",
    "The cat slept on an empty box all day.",
)
"""Ten that the lexicon of their words reads as the frontend does."""

IN_COMPANY = (
    "Her brother painted the old fence last summer.",
    "What you want is in the upper drawer.",
    "This is for the children of my friend.",
)
"""What a lexicon reads otherwise: *the* before a vowel, and *my* without stress."""


def symbols_of(model: KokoroModel, text: str) -> list[str]:
    """Return the symbols of a text as a model itself reads it."""
    assert model.spec.frontend is not None
    return model.spec.frontend.build(model.spec.sizes).phonemize(text)


def spoken_by(model: KokoroModel, text: str) -> tuple[NDArray[np.float32], list[int]]:
    """Return the samples and the durations of a text that a model itself reads and speaks."""
    assert model.spec.frontend is not None
    indices = model.spec.frontend.build(model.spec.sizes).encode(text)
    with torch.no_grad():
        made = model.generate(torch.tensor([indices]))
        samples = samples_of(model)(made)
    assert made.durations is not None
    return samples[0].numpy(), made.durations[0].tolist()
