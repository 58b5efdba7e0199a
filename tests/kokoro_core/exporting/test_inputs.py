"""What a graph is given beside phonemes and speed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.exporting.inputs import graph_inputs, with_masks
from kokoro_core.params.features import Feature
from tests.kokoro_core.exporting.small import small_model


@pytest.fixture(scope="module")
def matcha() -> KokoroModel:
    return small_model("matcha-small", **{"decoder.channels": [16]})


def with_features(model: KokoroModel, **features: Feature | None) -> KokoroModel:
    """Return what looks like a model whose parts need these features."""
    wiring = SimpleNamespace(given=lambda: features)
    stand_in = SimpleNamespace(spec=model.spec, acoustic=SimpleNamespace(wiring=wiring))
    return cast("KokoroModel", stand_in)


def test_options_with_a_fraction_vary_and_whole_ones_are_numbers_of_the_graph(matcha):
    inputs = graph_inputs(matcha, {}, 11)
    [temperature] = inputs.variable
    assert (temperature.name, temperature.meaning) == ("decoder_temperature", "decoder.temperature")
    assert torch.equal(temperature.example, torch.tensor([0.2]))
    assert inputs.fixed == {"decoder.steps": 10}


def test_any_option_can_be_fixed(matcha):
    inputs = graph_inputs(matcha, {"decoder.temperature": 0.3, "decoder.steps": 2.0}, 11)
    assert not inputs.variable
    assert inputs.fixed == {"decoder.temperature": 0.3, "decoder.steps": 2}


def test_what_is_given_is_read_by_full_names(matcha):
    inputs = graph_inputs(matcha, {}, 11)
    read = inputs.options({"decoder_temperature": torch.tensor([0.25])})
    assert (read["decoder.temperature"], read["decoder.steps"]) == (0.25, 10)
    assert inputs.features({"decoder_temperature": torch.tensor([0.25])}) == {}


def test_an_option_that_no_part_has_is_refused(matcha):
    with pytest.raises(ValueError, match=r"no part of this model has the option `decoder.stops`"):
        graph_inputs(matcha, {"decoder.stops": 2}, 11)


def test_features_of_speaking_have_examples_with_their_sizes(matcha):
    model = with_features(
        matcha,
        speaker=Feature(kind="index"),
        style=Feature(width=4),
        weight=Feature(),
        accent=Feature("phoneme", "index", 3),
        tone=Feature("phoneme", width=2),
        reference=Feature("recording"),
        reference_padding_mask=Feature("recording"),
        pitch=Feature("frame", when="training"),
    )
    found = {each.name: each for each in graph_inputs(model, {}, 7).variable if not each.is_option}
    shapes = {name: (tuple(each.example.shape), dict(each.axes)) for name, each in found.items()}
    assert shapes == {
        "speaker": ((1,), {}),
        "style": ((1, 4), {}),
        "weight": ((1,), {}),
        "accent": ((1, 7), {1: "phonemes"}),
        "tone": ((1, 7, 2), {1: "phonemes"}),
        "reference": ((1, 29, 80), {1: "recording"}),
    }
    assert found["speaker"].example.dtype is found["accent"].example.dtype is torch.int64
    masks = with_masks({"reference": found["reference"].example}, model)
    assert not masks.pop("reference_padding_mask").any()
    assert masks.keys() == {"reference"}


@pytest.mark.parametrize(
    ("feature", "why"),
    [(Feature("frame"), "a value for each frame"), (None, "must describe it in `features`")],
)
def test_a_feature_that_no_graph_can_be_given_is_refused_by_name(
    matcha: KokoroModel, feature: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=f"`curve` .*{why}"):
        graph_inputs(with_features(matcha, curve=feature), {}, 7)
