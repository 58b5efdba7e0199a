"""What the component makes of published settings and names."""

from __future__ import annotations

import torch

from kokoro_core import assemble, load_spec
from kokoro_core.contracts import Published, PublishedSettings
from kokoro_core.scaffold.examples.importer.params import ExampleParams

CONFIG = {"model_type": "example", "layers": 1, "heads": 2, "inner": 16, "width": 8}
NONE = PublishedSettings({})


def published(**settings: object) -> Published:
    return Published(PublishedSettings({**CONFIG, **settings}), None, NONE)


def test_the_settings_become_a_spec_that_can_be_built() -> None:
    plan = ExampleParams().build().plan(published(symbols=9, channels=4))
    model = assemble(load_spec(plan.spec), device="meta")
    parameters = dict(model.named_parameters())
    assert parameters["encoder.embedding.weight"].shape == (9, 8)
    names = [each for name in parameters for each in plan.origin(name).names]
    assert len(set(names)) == len(names)
    assert {name.partition(".")[0] for name in names} == {
        "text_encoder",
        "mel_decoder",
        "duration_predictor",
    }


def test_two_published_tensors_become_one_of_ours() -> None:
    origin = ExampleParams().build().plan(published()).origin("encoder.key_value.weight")
    assert origin.names == ("text_encoder.key.weight", "text_encoder.value.weight")
    made = origin.make(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]]))
    assert made.tolist() == [[1], [2], [3]]


def test_a_setting_that_nobody_knows_is_a_problem() -> None:
    read = published(beam=5, activation="gelu")
    ExampleParams().build().plan(read)
    first, second = sorted(read.config.problems())
    assert first.startswith("`activation` ")
    assert second == "`beam` is 5, and the importer does not know it"
