"""A side input that nobody can give is found before a model is built, and before data is read."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import pytest

from kokoro_core.api import KokoroModel
from kokoro_core.cli.commands.check import notes_of
from kokoro_core.contracts import (
    AutoregressiveDecoder,
    DurationPredictor,
    Encoder,
    ParallelDecoder,
    Postnet,
    Regulator,
)
from kokoro_core.params.component import ComponentParams, Seq
from kokoro_core.params.features import Feature
from kokoro_core.slots import (
    MODEL_SLOTS,
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    PostnetParams,
)
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.rules.side_inputs import ARGUMENTS, refusal_of_side_inputs
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import Registration
from tests.kokoro_core.spec.toys import Unbuildable, minimal, plugins_with


class Needy(Unbuildable, ComponentParams):
    """Needs what its settings say."""

    wants: Seq[str] = ()
    makes: Seq[str] = ()
    odd: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return self.wants[0] if self.odd else frozenset(self.wants)  # type: ignore[return-value]

    @property
    def feeds(self) -> frozenset[str]:
        return frozenset(self.makes)


class NeedyEncoder(Needy, EncoderParams):
    """An encoder, with others in it."""

    type: Literal["needy"] = "needy"
    inner: EncoderParams | None = None
    others: Seq[EncoderParams] = ()


class NeedyPredictor(Needy, DurationPredictorParams):
    """A duration predictor."""

    type: Literal["needy"] = "needy"


class NeedyDecoder(Needy, DecoderParams):
    """A decoder, with another in it."""

    type: Literal["needy"] = "needy"
    inner: DecoderParams | None = None


class NeedyPostnet(Needy, PostnetParams):
    """A postnet."""

    type: Literal["needy"] = "needy"


PLUGINS = plugins_with(
    *(
        Registration(each, "acme", "acme-needy", "1.0")
        for each in (NeedyEncoder, NeedyPredictor, NeedyDecoder, NeedyPostnet)
    )
)
SPEAKER = {"type": "needy", "wants": ["speaker"]}


def load(**changes: Any) -> ModelSpec:
    return load_spec(minimal(**changes), plugins=PLUGINS)


def problem_of(**changes: Any) -> Problem:
    with pytest.raises(SpecError) as caught:
        load(**changes)
    [problem] = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("encoder", "path", "owner"),
    [
        ({"type": "needy", "inner": SPEAKER}, "encoder.inner", "encoder.type"),
        ({"type": "stack", "parts": [SPEAKER]}, "encoder.parts[0]", "encoder.type"),
        (
            {"type": "needy", "others": [{"type": "needy"}, SPEAKER]},
            "encoder.others[1]",
            "encoder.type",
        ),
        (
            {**SPEAKER, "inner": {"type": "needy", "inner": SPEAKER}},
            "encoder.inner.inner",
            "encoder.inner.type",
        ),
    ],
)
def test_a_wrapper_that_takes_no_speaker_around_a_part_that_needs_one_is_refused(
    encoder: dict[str, Any], path: str, owner: str
) -> None:
    problem = problem_of(encoder=encoder)
    assert (problem.path, problem.code) == (path, "unmet-need")
    assert f"needs the side input `speaker`, which '{encoder['type']}' at `{owner}` does not" in (
        problem.message
    )


@pytest.mark.parametrize(
    "encoder",
    [
        {**SPEAKER, "inner": SPEAKER},
        {"type": "needy", "makes": ["speaker"], "inner": SPEAKER},
        {**SPEAKER, "inner": {**SPEAKER, "inner": SPEAKER}},
        {"type": "needy", "makes": ["plan"], "inner": {"type": "needy", "wants": ["plan"]}},
        {"type": "needy", "wants": ["noise"], "others": [{"type": "needy", "wants": ["noise"]}]},
    ],
)
def test_a_wrapper_that_takes_or_makes_what_its_inner_part_needs_is_right(
    encoder: dict[str, Any],
) -> None:
    assert load(encoder=encoder).hidden_dim == 8


@pytest.mark.parametrize(
    ("slot", "name"),
    [
        ("encoder", "durations"),
        ("encoder", "mel_specs"),
        ("decoder", "seed"),
        ("decoder", "memory"),
        ("duration_predictor", "hidden"),
        ("postnet", "mel"),
        ("postnet", "dtype"),
    ],
)
def test_a_side_input_with_the_name_of_an_argument_can_never_be_given(slot: str, name: str) -> None:
    problem = problem_of(**{slot: {"type": "needy", "wants": [name]}})
    assert (problem.path, problem.code) == (slot, "unmet-need")
    assert f"a side input `{name}`, which can never be given" in problem.message


def test_the_names_that_are_taken_are_the_arguments_of_the_calls() -> None:
    calls = (KokoroModel.forward, KokoroModel.generate, KokoroModel.inference, KokoroModel.stream)
    assert {name for each in calls for name in named(each)} == ARGUMENTS
    of_parts: dict[str, tuple[Any, ...]] = {
        "encoder": (Encoder.forward,),
        "duration_predictor": (DurationPredictor.forward, DurationPredictor.frames),
        "regulator": (Regulator.plan,),
        "decoder": (AutoregressiveDecoder.forward, ParallelDecoder.infer),
        "postnet": (Postnet.forward,),
    }
    for slot, methods in of_parts.items():
        taken = MODEL_SLOTS[slot].arguments | {"noise"}
        assert {name for each in methods for name in named(each)} <= taken


def named(call: Any) -> list[str]:
    parameters = list(inspect.signature(call).parameters.values())[1:]
    open_ended = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [each.name for each in parameters if each.kind not in open_ended]


@pytest.mark.parametrize(
    ("slot", "name", "maker"),
    [
        ("encoder", "memory", "regulator"),
        ("duration_predictor", "memory", "regulator"),
        ("encoder", "mel", "decoder"),
        ("decoder", "mel", "decoder"),
        ("encoder", "hidden", "encoder"),
        ("encoder", "duration_pred", "duration_predictor"),
        ("encoder", "stop_logits", "decoder"),
        ("duration_predictor", "stop_logits", "decoder"),
    ],
)
def test_what_comes_later_in_the_flow_cannot_be_needed(slot: str, name: str, maker: str) -> None:
    problem = problem_of(**{slot: {"type": "needy", "wants": [name]}})
    assert (problem.path, problem.code) == (slot, "unmet-need")
    said = f"the {slot} needs `{name}`, which comes later in the flow, from `{maker}`"
    assert said in problem.message


@pytest.mark.parametrize(
    ("name", "hint"), [("hidden", True), ("memory", False), ("stop_logits", False)]
)
def test_what_came_before_in_the_flow_is_given_by_name_to_nobody(name: str, hint: bool) -> None:
    problem = problem_of(postnet={"type": "needy", "wants": [name]})
    assert f"the postnet needs `{name}`, which flows on from the" in problem.message
    assert ("`encoder_hidden` is given by name" in problem.message) == hint


def test_needs_that_are_a_text_are_a_fault_and_not_its_letters() -> None:
    problem = problem_of(encoder={**SPEAKER, "odd": True})
    assert (problem.path, problem.code) == ("encoder", "plugin-raised")
    assert "returned a str, not a set of names, from `needs`" in problem.message


def test_a_spec_with_side_inputs_is_right_with_a_note_that_no_command_gives_them() -> None:
    spec = load(
        encoder=SPEAKER,
        decoder={"type": "needy", "wants": ["noise", "pitch", "plan", "speaker"]},
    )
    sentence = refusal_of_side_inputs(spec)
    assert sentence is not None
    assert "`pitch` (the decoder); `speaker` (the encoder, the decoder)" in sentence
    assert "`model.generate(…, pitch=…, speaker=…)`" in sentence
    assert sentence in notes_of(spec)


def test_a_spec_whose_side_inputs_the_model_makes_is_refused_by_no_command() -> None:
    spec = load(decoder={"type": "needy", "wants": ["noise", "plan"]})
    assert refusal_of_side_inputs(spec) is None
    assert not [each for each in notes_of(spec) if "side input" in each]


class FollowingEncoder(Needy, EncoderParams):
    """An encoder that follows a recording."""

    type: Literal["following"] = "following"

    @property
    def features(self) -> dict[str, Feature]:
        return {"reference": Feature(per="recording")}


def test_a_recording_is_taken_with_the_mask_of_its_padding() -> None:
    plugins = plugins_with(Registration(FollowingEncoder, "acme", "acme-needy", "1.0"))
    masked = {"type": "following", "wants": ["reference_padding_mask"]}
    assert load_spec(minimal(encoder=masked), plugins=plugins).hidden_dim == 8
    with pytest.raises(SpecError) as caught:
        load_spec(minimal(encoder={"type": "following"}), plugins=plugins)
    [problem] = caught.value.problems
    assert (problem.path, problem.code) == ("encoder", "unmet-need")
    assert "takes the recording `reference` without `reference_padding_mask`" in problem.message


class MappingDecoder(Needy, DecoderParams):
    """A decoder with latents."""

    type: Literal["mapping"] = "mapping"

    @property
    def gives_latents(self) -> bool:
        return True


def test_latents_come_from_the_decoder() -> None:
    kinds = (NeedyEncoder, MappingDecoder)
    plugins = plugins_with(*(Registration(each, "acme", "acme-needy", "1.0") for each in kinds))
    parts = {"encoder": {"type": "needy", "wants": ["latents"]}, "decoder": {"type": "mapping"}}
    with pytest.raises(SpecError) as caught:
        load_spec(minimal(**parts), plugins=plugins)
    said = "needs `latents`, which comes later in the flow, from `decoder`"
    assert said in caught.value.problems[0].message
