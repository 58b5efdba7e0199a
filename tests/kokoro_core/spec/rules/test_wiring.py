"""What parts need and give is checked from declarations, third parties' ones included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pytest

from kokoro_core.params.component import ComponentParams, Seq
from kokoro_core.slots import (
    MODEL_SLOTS,
    DecoderParams,
    EncoderParams,
    PositionalEncodingParams,
    RegulatorParams,
)
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.views.resolve import resolve
from registry import Plugins, Registration, installed_plugins
from tests.kokoro_core.spec.toys import Unbuildable, minimal, plugins_with


class WholePositions(Unbuildable, PositionalEncodingParams):
    """Knows only whole sequences, as a bias that is learned for a whole matrix does."""

    offsetable: ClassVar[bool] = False
    type: Literal["whole"] = "whole"


class StepDecoder(Unbuildable, DecoderParams):
    """Makes frame after frame."""

    type: Literal["steps"] = "steps"
    positional_encoding: PositionalEncodingParams | None = None
    wants: str | None = None

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.wants} if self.wants else ())


class FlashDecoder(StepDecoder):
    """Makes all frames at once."""

    parallel: ClassVar[bool] = True
    type: Literal["flash"] = "flash"  # type: ignore[assignment]


class AlignedRegulator(Unbuildable, RegulatorParams):
    """Takes an alignment, which no part of a model gives."""

    takes: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim", "alignment": ""}
    type: Literal["aligned"] = "aligned"


class OtherOutput(Unbuildable, RegulatorParams):
    """Gives something else than memory."""

    gives: ClassVar[Mapping[str, str]] = {"spectrum": "hidden_dim"}
    type: Literal["spectral"] = "spectral"


class GateParams(ComponentParams, slot="acme.gate"):
    """A slot of a plugin."""


class PlanGate(Unbuildable, GateParams):
    """Looks at the plan, inside whatever it stands in."""

    type: Literal["planned"] = "planned"
    off: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return frozenset() if self.off else frozenset({"plan"})


class GatedEncoder(Unbuildable, EncoderParams):
    """Has gates."""

    type: Literal["gated"] = "gated"
    gates: Seq[GateParams] = ()


class GatedDecoder(StepDecoder):
    """Has a gate."""

    type: Literal["gated"] = "gated"  # type: ignore[assignment]
    gate: GateParams | None = None


class EarlyPlanner(Unbuildable, EncoderParams):
    """Needs the plan before there is one."""

    type: Literal["early"] = "early"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"plan"})


PLUGINS = plugins_with(
    *(
        Registration(each, "acme", "acme-odd", "1.0")
        for each in (
            WholePositions,
            StepDecoder,
            FlashDecoder,
            AlignedRegulator,
            OtherOutput,
            EarlyPlanner,
            PlanGate,
            GatedEncoder,
            GatedDecoder,
        )
    )
)
UNREGULATED: dict[str, Any] = {"duration_predictor": None, "regulator": None}


def problems_of(source: Any, plugins: Plugins = PLUGINS) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load_spec(source, plugins=plugins)
    return list(caught.value.problems)


WHOLE = {"positional_encoding": {"type": "whole"}}


@pytest.mark.parametrize(
    ("changes", "path", "code", "message"),
    [
        (
            {"decoder": {"type": "steps", **WHOLE}},
            "decoder.positional_encoding.type",
            "not-offsetable",
            "knows only whole sequences, but the autoregressive decoder at `decoder.type`",
        ),
        (
            {"decoder": {"type": "flash"}, **UNREGULATED},
            "decoder.type",
            "unmet-need",
            "one memory vector a frame, which no component gives, since `regulator` is null",
        ),
        (
            {"decoder": {"type": "steps", "wants": "plan"}, **UNREGULATED},
            "decoder",
            "unmet-need",
            "needs the plan, which no component gives, since `regulator` is null",
        ),
        (
            {"encoder": {"type": "early"}},
            "encoder",
            "unmet-need",
            "which is made after it, by the regulator",
        ),
        (
            {"encoder": {"type": "gated", "gates": [{"type": "planned"}]}},
            "encoder.gates[0]",
            "unmet-need",
            "the acme.gate in the encoder needs the plan, which is made after it",
        ),
        (
            {"decoder": {"type": "gated", "gate": {"type": "planned"}}, **UNREGULATED},
            "decoder.gate",
            "unmet-need",
            "the acme.gate in the decoder needs the plan, which no component gives",
        ),
        (
            {"decoder": {"type": "gated", "gate": {"type": "planned"}}},
            "decoder.gate",
            "unmet-need",
            "which 'gated' at `decoder.type` does not take",
        ),
        (
            {"regulator": {"type": "aligned"}},
            "regulator.type",
            "unmet-input",
            "takes `alignment`, which no component gives; a regulator gets `hidden`",
        ),
        (
            {"regulator": {"type": "spectral"}},
            "regulator.type",
            "unmet-input",
            "takes the `memory` of the regulator, which gives `spectrum`",
        ),
        (
            {"decoder": {"type": "flash"}, "loss": {"stop": 2.0}},
            "loss.stop",
            "no-stop-head",
            "2.0 asks for a stop token, but the decoder at `decoder.type`",
        ),
        (
            {"decoder": {"type": "flash"}, "loss": {"stop_positive_weight": 3.0}},
            "loss.stop_positive_weight",
            "no-stop-head",
            "leave the setting out",
        ),
    ],
)
def test_a_need_that_is_not_met_is_one_problem_where_it_arises(
    changes: dict[str, Any], path: str, code: str, message: str
) -> None:
    [problem] = problems_of(minimal(**changes))
    assert (problem.path, problem.code) == (path, code)
    assert message in problem.message


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": {"type": "flash", **WHOLE}},
        {"encoder": {"type": "wide", **WHOLE}},
        {"decoder": {"type": "steps"}, **UNREGULATED},
        {"decoder": {"type": "steps", "wants": "plan"}},
        {"decoder": {"type": "steps", "wants": "speaker"}, **UNREGULATED},
        {"decoder": {"type": "gated", "gate": {"type": "planned"}, "wants": "plan"}},
        {"encoder": {"type": "gated", "gates": [{"type": "planned", "off": True}]}},
        {"decoder": {"type": "flash"}, "loss": {"stop": 0.0}},
        {"decoder": {"type": "flash"}, "loss": {"stop": 1.0, "stop_positive_weight": 10.0}},
        {"decoder": {"type": "steps"}, "loss": {"stop": 2.0}},
    ],
)
def test_what_is_met_or_comes_from_the_caller_is_no_problem(changes: dict[str, Any]) -> None:
    assert load_spec(minimal(**changes), plugins=PLUGINS).hidden_dim == 8


def test_a_need_is_checked_beside_problems_of_other_parts() -> None:
    source = minimal(
        encoder={"type": "wide", "hads": 1},
        decoder={"type": "steps", **WHOLE},
        regulator={"type": "aligned"},
        hiden_dim=3,
    )
    assert sorted(each.code for each in problems_of(source)) == [
        "not-offsetable",
        "unknown-field",
        "unknown-field",
        "unmet-input",
    ]


# the components in the box

INSTALLED = installed_plugins()


def shipped(**changes: Any) -> dict[str, Any]:
    return {
        "hidden_dim": 24,
        "encoder": {"type": "transformer/transformer", "num_heads": 4},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": {"type": "transformer/transformer", "num_heads": 4},
        **changes,
    }


def decoder(type: str = "transformer", **changes: Any) -> dict[str, Any]:
    return {"type": type, "num_heads": 4, **changes}


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"decoder": decoder(), **UNREGULATED}, "decoder.add_memory", "unmet-need"),
        (
            {"decoder": decoder(add_memory=False, place={"size": 3}), **UNREGULATED},
            "decoder",
            "unmet-need",
        ),
        ({"decoder": decoder("parallel_transformer"), **UNREGULATED}, "decoder.type", "unmet-need"),
        (
            {"decoder": decoder("parallel_transformer"), "loss": {"stop": 0.5}},
            "loss.stop",
            "no-stop-head",
        ),
        (
            {
                "hidden_dim": 12,
                "decoder": decoder(positional_encoding={"type": "rotary"}),
            },
            "decoder.positional_encoding.type",
            "inconsistent",
        ),
        ({"hidden_dim": 10, "decoder": decoder(num_heads=5)}, "encoder.num_heads", "inconsistent"),
    ],
)
def test_the_parts_in_the_box_declare_what_they_need(
    changes: dict[str, Any], path: str, code: str
) -> None:
    [problem] = problems_of(shipped(**changes), INSTALLED)
    assert (problem.path, problem.code) == (path, code)


def test_a_decoder_that_reads_phonemes_needs_no_regulator() -> None:
    source = shipped(decoder=decoder(add_memory=False, memory_positions=False), **UNREGULATED)
    assert load_spec(source).regulator is None


def test_a_resolved_spec_of_a_parallel_decoder_is_right_although_it_writes_every_default() -> None:
    resolved = resolve(load_spec("parallel"))["spec"]
    assert resolved["loss"]["stop"] == 1.0
    assert load_spec(resolved).decoder.parallel


def test_heads_that_leave_no_pairs_are_told_with_the_numbers() -> None:
    [problem] = problems_of(
        shipped(hidden_dim=12, encoder=decoder(positional_encoding={"type": "rotary"})), INSTALLED
    )
    assert "a head has 12 / 4 = 3; make that even" in problem.message


def test_every_slot_of_a_decoder_is_a_decoder_s() -> None:
    assert MODEL_SLOTS["decoder"].slot.base is DecoderParams
    assert not DecoderParams.parallel
