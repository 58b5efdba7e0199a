"""What a graph is given beside phonemes and speed: options of the parts, and features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Sizes
from kokoro_core.spec.rules.names import checked_options

MASK = "_padding_mask"
RECORDED = 29
"""Frames of the recordings of examples."""


@dataclass(frozen=True)
class GraphInput:
    """A tensor that a graph is given.

    Attributes:
        name: In the graph.
        meaning: The full name of the option, or the feature.
        example: What a graph is traced with.
        axes: The name of the size of each axis that may be of any length.
        is_option: Whether it is an option of a part, or else a feature.
    """

    name: str
    meaning: str
    example: Tensor
    axes: Mapping[int, str] = field(default_factory=dict)
    is_option: bool = False


@dataclass(frozen=True)
class GraphInputs:
    """What a model's graph is given beside phonemes and speed.

    Attributes:
        variable: Given with each call.
        fixed: The options, by full name, that are numbers of the graph.
    """

    variable: tuple[GraphInput, ...]
    fixed: Mapping[str, float]

    def features(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the features among what a graph is given, by name."""
        return {each.meaning: given[each.name] for each in self.variable if not each.is_option}

    def options(self, given: Mapping[str, Tensor]) -> dict[str, float | Tensor]:
        """Return all options by full name: those that are given, as 0-d tensors, and the fixed."""
        varied = {each.meaning: given[each.name][0] for each in self.variable if each.is_option}
        return {**self.fixed, **varied}


def graph_inputs(model: KokoroModel, fixed: Mapping[str, float], phonemes: int) -> GraphInputs:
    """Return what the graph of a model is given.

    Options that are numbers with a fraction may vary; whole ones shape the graph and are fixed.

    Args:
        model: The model.
        fixed: Options that are to be fixed, by full name.
        phonemes: How many the examples have.

    Raises:
        ValueError: A part needs what cannot be given to a graph, or no part has an option.
        TypeError: An option is not a number.
    """
    spoken = checked_options(model.spec, fixed)
    stay = {name: each for name, each in spoken.items() if name in fixed or isinstance(each, int)}
    numbers = [
        GraphInput(name.replace(".", "_"), name, torch.tensor([value]), is_option=True)
        for name, value in spoken.items()
        if name not in stay
    ]
    return GraphInputs((*numbers, *_features(model, phonemes)), stay)


def _features(model: KokoroModel, phonemes: int) -> Iterator[GraphInput]:
    given = model.acoustic.wiring.given()
    for name, feature in sorted(given.items()):
        if name.endswith(MASK) and name.removesuffix(MASK) in given:
            continue  # the graph makes it: of one utterance nothing is padding
        if feature is None:
            raise ValueError(
                f"The feature `{name}` cannot be given to a graph, since its form is unknown; the "
                f"params of the part that needs it must describe it in `features`."
            )
        if feature.is_required(training=False):
            yield _input(name, feature, phonemes, model.spec.sizes)


def _input(name: str, feature: Feature, phonemes: int, sizes: Sizes) -> GraphInput:
    if feature.per == "frame":
        raise ValueError(
            f"The feature `{name}` has a value for each frame and cannot be given to a graph, in "
            f"which alone it is known how many frames there are."
        )
    steps, axes = {
        "row": ((), {}),
        "phoneme": ((phonemes,), {1: "phonemes"}),
        "recording": ((RECORDED,), {1: "recording"}),
    }[feature.per]
    width = sizes.mel_dim if feature.per == "recording" else feature.width
    if feature.kind == "index":
        return GraphInput(name, name, torch.zeros(1, *steps, dtype=torch.int64), axes)
    shape = (1, *steps) if width is None else (1, *steps, width)
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return GraphInput(name, name, numbers, axes)


def with_masks(features: Mapping[str, Tensor], model: KokoroModel) -> dict[str, Tensor]:
    """Return features with the masks of recordings, nothing of which is padding."""
    masked = {name.removesuffix(MASK) for name in model.acoustic.wiring.given()} & set(features)
    masks = {
        f"{name}{MASK}": torch.zeros(
            features[name].shape[:2], dtype=torch.bool, device=features[name].device
        )
        for name in masked
        if f"{name}{MASK}" in model.acoustic.wiring.given()
    }
    return {**features, **masks}
