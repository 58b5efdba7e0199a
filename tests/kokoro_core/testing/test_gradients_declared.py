"""What a component does on purpose can be declared, and what is declared must be so."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.contracts import DurationOutput, DurationPredictor
from kokoro_core.params.capabilities import Capabilities, SideInput
from kokoro_core.slots import DurationPredictorParams
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.testing.engine.component import check_component
from tests.kokoro_core.testing.mutants.params import (
    BlendParams,
    DetachedParams,
    RangesParams,
    RoundedParams,
)

pytestmark = pytest.mark.same_everywhere


def status(params: Any, check: str) -> tuple[str, str]:
    [result] = check_component(params, only=check, raises=False).results
    return result.status, result.reason


SILENT = [
    (DetachedParams(declares={"detached_inputs": []}), "sensitivity"),
    (DetachedParams(declares={"detached_inputs": []}), "reach"),
    (DetachedParams(declares={"detached_inputs": []}), "gradient"),
    (RoundedParams(declares={"exact_gradient": True}), "gradient"),
    (RangesParams(declares={"learned_ranges": False}), "in-time"),
]


@pytest.mark.parametrize(("params", "check"), SILENT, ids=lambda each: str(each)[:20])
def test_what_is_not_declared_fails_and_what_is_does_not(params: Any, check: str) -> None:
    assert status(params, check)[0] == "failed"
    assert status(type(params)(), check)[0] in ("passed", "skipped")


def test_a_detached_input_must_be_one_that_there_is_and_that_matters() -> None:
    unknown = DetachedParams(declares={"detached_inputs": ["durations"]})
    found, reason = status(unknown, "detached-inputs")
    assert found == "failed"
    assert "['durations'] must be floating inputs, of ['hidden']" in reason
    assert status(DetachedParams(), "detached-inputs")[0] == "passed"


def test_the_place_of_a_phoneme_is_not_asked_of_learned_ranges() -> None:
    assert status(RangesParams(), "in-time") == ("skipped", "declares `learned_ranges`")
    assert status(BlendParams(), "in-time")[0] == "passed"


class Teaching(DurationPredictor):
    """Predicts from hidden alone; `speaker` and what came before matter to its losses."""

    def __init__(self, width: int, hears: bool, detaches: bool) -> None:
        super().__init__()
        self.out = nn.Linear(width, 1)
        self.voices = nn.Embedding(4, 1)
        self.hears, self.detaches = hears, detaches

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        durations: Tensor | None = None,
        *,
        speaker: Tensor,
    ) -> DurationOutput:
        if padding_mask.dtype is not torch.bool or hidden.shape[:2] != padding_mask.shape:
            raise ValueError("`padding_mask` must be bool and fit `hidden`.")
        known_hidden = zero_padding(hidden, padding_mask)
        predicted = zero_padding(self.out(known_hidden).squeeze(-1).tanh() + 2, padding_mask)
        voice = self.voices(speaker if self.hears else 0 * speaker)
        known = (~padding_mask).sum().clamp_min(1)
        error = zero_padding((predicted - voice).square(), padding_mask).sum() / known
        size = zero_padding(hidden, padding_mask).square().sum() / known
        return DurationOutput(
            predicted, {"voice": error, "size": size.detach() if self.detaches else size}
        )


class TeachingParams(DurationPredictorParams):
    """A predictor with two losses."""

    type: Literal["teaching"] = "teaching"
    hears: bool = True
    detaches: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"speaker"})

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            receptive_field=0, side_inputs={"speaker": SideInput("index", "row", 4)}
        )

    def build(self, sizes: Any) -> DurationPredictor:
        return Teaching(sizes.hidden_dim, self.hears, self.detaches)


def test_a_side_input_may_matter_to_a_loss_alone_and_must_matter_to_something() -> None:
    assert status(TeachingParams(), "side-inputs-matter")[0] == "passed"
    found, reason = status(TeachingParams(hears=False), "side-inputs-matter")
    assert found == "failed"
    assert "`speaker` must matter" in reason


def test_a_loss_may_teach_what_came_before_alone_and_must_teach_something() -> None:
    assert status(TeachingParams(), "parameters-learn")[0] == "passed"
    found, reason = status(TeachingParams(detaches=True), "parameters-learn")
    assert found == "failed"
    assert "the loss `size` must have a gradient" in reason


def test_such_a_predictor_raises_no_alarm() -> None:
    beside_torch = {"params-without-torch": "its params stand beside its module"}
    assert check_component(TeachingParams(), expected_failures=beside_torch).ok
