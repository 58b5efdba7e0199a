"""Which losses a model has, and with which weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kokoro_core.params.component_failure import ComponentFailure
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.rules.own_losses import loss_terms, replaced_losses
from tests.kokoro_core.spec.toys import PLUGINS, LinePredictor, RowDecoder, minimal


class FlowDecoder(RowDecoder):
    """Declares a loss with a default and one without; they stand for the mel's."""

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"flow": 2.0, "adversary": None}


class Beside(FlowDecoder):
    """Its losses add up with the framework's."""

    @property
    def replaces(self) -> frozenset[str]:
        return frozenset()


class Ending(FlowDecoder):
    """Its losses stand for the stop token's alone."""

    @property
    def replaces(self) -> frozenset[str]:
        return frozenset({"stop"})


class LikelyPredictor(LinePredictor):
    """Returns a loss that it does not declare, as parts of version 1 do."""

    @property
    def own_losses(self) -> tuple[str, ...]:
        return ("nll",)


def terms(**parts: object) -> dict[str, float | None]:
    spec = load_spec(minimal(loss={"mel_mse": 0.5}), plugins=PLUGINS)
    return loss_terms(spec.model_copy(update=parts))


def test_without_own_losses_the_model_has_the_framework_s_with_a_weight() -> None:
    assert terms() == {"mel_l1": 1.0, "mel_mse": 0.5, "duration": 1.0, "stop": 1.0}


def test_a_decoder_s_stand_for_the_mel_s_unless_it_says_otherwise() -> None:
    own = {"decoder.flow": 2.0, "decoder.adversary": None}
    assert terms(decoder=FlowDecoder()) == {"duration": 1.0, "stop": 1.0, **own}
    assert terms(decoder=Ending()) == {"mel_l1": 1.0, "mel_mse": 0.5, "duration": 1.0, **own}
    both = {"mel_l1": 1.0, "mel_mse": 0.5, "duration": 1.0, "stop": 1.0, **own}
    assert terms(decoder=Beside()) == both


def test_a_predictor_s_undeclared_loss_stands_for_the_durations_and_keeps_its_name() -> None:
    expected = {"mel_l1": 1.0, "mel_mse": 0.5, "stop": 1.0, "nll": None}
    assert terms(duration_predictor=LikelyPredictor()) == expected


def test_the_spec_s_weight_wins_and_a_loss_of_weight_0_is_none() -> None:
    spec = load_spec(minimal(), plugins=PLUGINS)
    values = spec.loss.model_dump() | {"decoder.flow": 0.0, "decoder.adversary": 0.1}
    weighed = type(spec.loss).model_validate(values | {"stop": 0.0})
    spec = spec.model_copy(update={"decoder": FlowDecoder(), "loss": weighed})
    assert loss_terms(spec) == {"duration": 1.0, "decoder.adversary": 0.1}
    assert replaced_losses(spec) == {"mel"}


def test_a_stop_weight_for_a_decoder_without_a_stop_head_is_refused_at_its_line() -> None:
    with pytest.raises(SpecError, match=r"loss\.stop: 2\.0 asks for a stop token, .* no stop head"):
        load_spec("non-attentive-tacotron-small", overrides={"loss": {"stop": 2.0}})
    assert "stop" not in loss_terms(load_spec("non-attentive-tacotron-small"))


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("flow-small", "duration"),
        ("flow-small", "mel_mse"),
        ("speecht5-small", "duration"),
        ("latent-small", "mel_l1"),
    ],
)
def test_a_weight_of_a_loss_that_the_model_does_not_have_is_refused(name: str, loss: str) -> None:
    with pytest.raises(SpecError, match=rf"loss\.{loss}: 7 weighs a loss that this model does not"):
        load_spec(name, overrides={"loss": {loss: 7.0}})
    load_spec(name, overrides={"loss": {loss: 0.0}})


@pytest.mark.parametrize("losses", [{"a": -1.0}, {"a": float("nan")}, {"a": "x"}, {"": 1.0}])
def test_a_default_weight_that_is_none_is_the_author_s_mistake(losses: Any) -> None:
    class Wrong(FlowDecoder):
        """Declares something else than weights."""

        @property
        def losses(self) -> Mapping[str, float | None]:
            return dict(losses)

    with pytest.raises(ComponentFailure, match="weights of 0 or more, or None, by name"):
        terms(decoder=Wrong())
