"""Utterances that a model and its graph are both given, and what the model makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.exporting.inputs import GraphInputs, with_masks
from kokoro_core.exporting.noise import GivenNoise, GraphNoise, drawing_from
from kokoro_core.exporting.parallel import finished
from kokoro_core.exporting.planning import EXAMPLE, most_frames, most_phonemes, plan_durations

LENGTHS = (5, 17, 31)
"""Phonemes of the random utterances; none is that of the example."""
SPEEDS = (1.0, 0.8, 1.25)


@dataclass(frozen=True)
class Trial:
    """An utterance.

    Attributes:
        name: What it is.
        phoneme_indices: (1, N) int64.
        speed: Above 1 is faster.
        given: The graph's other inputs by name.
    """

    name: str
    phoneme_indices: Tensor
    speed: float
    given: Mapping[str, Tensor]


def random_trials(model: KokoroModel, inputs: GraphInputs) -> Iterator[Trial]:
    """Yield utterances of random phonemes, of other lengths than the example's."""
    sizes, most = model.spec.sizes, most_phonemes(model.acoustic)
    symbols = torch.tensor([each for each in range(sizes.vocab_size) if each != sizes.pad_id])
    generator = torch.Generator().manual_seed(0)
    paces = SPEEDS if model.acoustic.regulator is not None else (1.0,) * len(SPEEDS)
    for length, speed in zip(LENGTHS, paces, strict=True):
        if most is None or length <= most:
            drawn = torch.randint(len(symbols), (1, length), generator=generator)
            name = f"{length} random phonemes at speed {speed:g}"
            yield Trial(name, symbols[drawn], speed, examples(inputs, length))


def examples(inputs: GraphInputs, phonemes: int) -> dict[str, Tensor]:
    """Return the examples of a graph's other inputs, for another number of phonemes."""
    found = {}
    for each in inputs.variable:
        of_phonemes = each.axes.get(1) == "phonemes"
        places = torch.arange(phonemes) % EXAMPLE
        found[each.name] = each.example[:, places] if of_phonemes else each.example
    return found


def spoken(
    model: KokoroModel,
    trial: Trial,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    noise: GraphNoise | GivenNoise,
    durations: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return what the checkpoint makes of an utterance, by the names of a graph's outputs.

    Args:
        model: In evaluation mode.
        trial: The utterance.
        inputs: Of the graph.
        vocoder: That is inside the graph, or None.
        noise: Where random numbers come from.
        durations: (1, N) int64 that stand for the model's own.
    """
    pace: dict[str, Any] = {} if trial.speed == 1 else {"speed": trial.speed}
    if durations is not None:
        pace = {"durations": durations}
    features: dict[str, Any] = {**with_masks(inputs.features(trial.given), model)}
    with drawing_from(model.acoustic, noise), torch.no_grad():
        made = model.generate(
            trial.phoneme_indices,
            max_mel_len=most_frames(model.acoustic),
            options={name: float(each) for name, each in inputs.options(trial.given).items()},
            **pace,
            **features,
        )
        result = dict(finished(model, made.mel, vocoder))
    return result if made.durations is None else {**result, "durations": made.durations}


@torch.no_grad()
def own_durations(
    model: KokoroModel, trial: Trial, inputs: GraphInputs, noise: GraphNoise | GivenNoise
) -> Tensor | None:
    """Return the durations that the checkpoint itself plans, (1, N), or None without a plan."""
    speed = torch.tensor([trial.speed])
    return plan_durations(model, trial.phoneme_indices, speed, trial.given, inputs, noise)
