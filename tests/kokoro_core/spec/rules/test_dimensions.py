"""Widths are inherited and must meet; other rules between components."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Position, Problem, SpecError
from kokoro_core.spec.rules.dimensions import component_sizes, solve_dimensions
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import Plugins, Registration
from tests.kokoro_core.spec.toys import (
    PLUGINS,
    BarePostnet,
    CopyRegulator,
    LinePredictor,
    MixRegulator,
    RowDecoder,
    StackEncoder,
    Unbuildable,
    WideEncoder,
    minimal,
    plugins_with,
)


def problems_of(source: Any, plugins: Plugins = PLUGINS) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load_spec(source, plugins=plugins)
    return list(caught.value.problems)


def python_spec(**changes: Any) -> ModelSpec:
    parts: dict[str, Any] = {
        "hidden_dim": 8,
        "encoder": WideEncoder(),
        "duration_predictor": LinePredictor(),
        "regulator": CopyRegulator(),
        "decoder": RowDecoder(),
    }
    return ModelSpec(**parts | changes)


def test_a_width_that_is_left_out_is_the_spec_s() -> None:
    spec = load_spec(minimal(mel_dim=20, postnet={"type": "bare"}), plugins=PLUGINS)
    assert spec.encoder == WideEncoder(hidden_dim=8)
    assert spec.decoder == RowDecoder(hidden_dim=8, mel_dim=20)
    assert spec.postnet == BarePostnet(mel_dim=20)


def test_a_component_with_two_widths_joins_parts_of_different_widths() -> None:
    regulator = {"type": "mix", "in_dim": 4, "out_dim": 6}
    source = minimal(
        encoder={"type": "wide", "hidden_dim": 4},
        duration_predictor={"type": "line", "hidden_dim": 4},
        regulator=regulator,
        decoder={"type": "rows", "hidden_dim": 6},
    )
    assert load_spec(source, plugins=PLUGINS).regulator == MixRegulator(in_dim=4, out_dim=6)
    del regulator["out_dim"]
    [problem] = problems_of(source)
    assert problem.path == "decoder.hidden_dim"


def test_a_component_without_a_width_takes_the_one_that_arrives_and_passes_it_on() -> None:
    widths = {"hidden_dim": 4}
    spec = load_spec(
        minimal(
            encoder={"type": "wide", **widths},
            duration_predictor={"type": "line", **widths},
            decoder={"type": "rows", **widths},
        ),
        plugins=PLUGINS,
    )
    assert component_sizes(spec, "regulator").hidden_dim == 4


def test_widths_that_do_not_meet_name_both_places(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        "hidden_dim: 8\n"
        "encoder:\n  type: wide\n"
        "duration_predictor: {type: line}\n"
        "regulator: {type: copy}\n"
        "decoder:\n  type: rows\n  hidden_dim: 6\n"
    )
    [problem] = problems_of(path)
    assert (problem.code, problem.path) == ("width-mismatch", "decoder.hidden_dim")
    assert problem.position == Position(8, 15)
    assert "memory of width 8 and the decoder takes 6" in problem.message
    assert f"set by `hidden_dim` ({path}:1:13)" in problem.message


def test_where_both_parts_set_a_width_the_taker_is_the_place_and_the_giver_the_other() -> None:
    source = minimal(
        encoder={"type": "wide", "hidden_dim": 4},
        duration_predictor={"type": "line", "hidden_dim": 5},
        decoder={"type": "rows", "hidden_dim": 4},
    )
    [problem] = problems_of(source)
    assert problem.path == "duration_predictor.hidden_dim"
    assert "`encoder.hidden_dim`" in problem.message


def test_a_spec_made_in_python_is_checked_the_same() -> None:
    assert solve_dimensions(python_spec()).encoder == WideEncoder(hidden_dim=8)
    with pytest.raises(SpecError, match=r"<spec>: decoder\.hidden_dim: .*set by `hidden_dim`;"):
        solve_dimensions(python_spec(decoder=RowDecoder(hidden_dim=6)))


@pytest.mark.parametrize(
    ("changes", "path", "code", "message"),
    [
        (
            {"pad_id": 63},
            "pad_id",
            "out-of-range",
            "63 is not one of the 63 phoneme indices 0 to 62",
        ),
        ({"mel_dim": 4, "audio": AudioSettings()}, "audio.n_mels", "width-mismatch", "80 mel chan"),
        (
            {"regulator": None},
            "regulator",
            "half-regulated",
            "null but `duration_predictor` is not",
        ),
        (
            {"duration_predictor": None},
            "duration_predictor",
            "half-regulated",
            "`regulator` is not",
        ),
        (
            {"encoder": WideEncoder(heads=3)},
            "encoder.heads",
            "inconsistent",
            "3 heads do not divide the width 8",
        ),
        (
            {"decoder": RowDecoder(mel_dim=4)},
            "decoder.mel_dim",
            "width-mismatch",
            "4 channels and the model has 80, set by `mel_dim`",
        ),
    ],
)
def test_a_broken_rule_is_a_problem_that_names_what_it_compares(
    changes: dict[str, Any], path: str, code: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        solve_dimensions(python_spec(**changes))
    [problem] = caught.value.problems
    assert (problem.path, problem.code) == (path, code)
    assert message in problem.message


def test_a_model_without_a_regulator_joins_encoder_and_decoder() -> None:
    parts: dict[str, Any] = {"duration_predictor": None, "regulator": None}
    solved = solve_dimensions(python_spec(**parts))
    assert solved.decoder == RowDecoder(hidden_dim=8, mel_dim=80)
    with pytest.raises(SpecError, match="gives hidden \\(as memory\\) of width 4"):
        solve_dimensions(python_spec(**parts, encoder=WideEncoder(hidden_dim=4)))


def test_a_nested_component_is_asked_with_the_sizes_of_its_slot() -> None:
    inner = {"type": "wide", "positional_encoding": {"type": "table", "max_len": 13}, "heads": 3}
    found = problems_of(minimal(encoder={"type": "stack", "parts": [inner]}))
    assert {each.path: each.message for each in found} == {
        "encoder.parts[0].heads": "3 heads do not divide the width 8",
        "encoder.parts[0].positional_encoding.max_len": "13 is no length at width 8",
    }


class SizedStack(Unbuildable, EncoderParams):
    """Builds its inner encoder at another width than its own, and says so."""

    type: Literal["sized"] = "sized"
    inner: EncoderParams
    inner_dim: int = 6
    broken: bool = False

    def sizes_of(self, field: str, sizes: Sizes) -> Sizes:
        if self.broken:
            return None  # type: ignore[return-value]
        return replace(sizes, hidden_dim=self.inner_dim) if field == "inner" else sizes


SIZED = plugins_with(Registration(SizedStack, "acme", "acme-sized", "1.0"))


def sized(**settings: Any) -> dict[str, Any]:
    return minimal(encoder={"type": "sized", **settings})


def wide(heads: int, **settings: Any) -> dict[str, Any]:
    return {"type": "wide", "heads": heads, **settings}


@pytest.mark.parametrize(
    "encoder",
    [
        {"type": "stack", "parts": [wide(7, hidden_dim=7)]},
        {"type": "stack", "parts": [{"type": "stack", "parts": [wide(3, hidden_dim=9)]}]},
        {"type": "sized", "inner": wide(3)},
        {"type": "sized", "inner": wide(5), "inner_dim": 5},
        {"type": "sized", "inner": wide(7, hidden_dim=7)},
        {"type": "sized", "inner": {"type": "stack", "parts": [wide(3)]}},
    ],
)
def test_an_inner_component_is_checked_at_the_width_it_is_built_with(
    encoder: dict[str, Any],
) -> None:
    assert load_spec(minimal(encoder=encoder), plugins=SIZED).hidden_dim == 8


@pytest.mark.parametrize(
    ("encoder", "path", "width"),
    [
        ({"type": "stack", "parts": [wide(4, hidden_dim=7)]}, "encoder.parts[0].heads", 7),
        ({"type": "sized", "inner": wide(4)}, "encoder.inner.heads", 6),
        (
            {"type": "sized", "inner": {"type": "stack", "parts": [wide(4)]}},
            "encoder.inner.parts[0].heads",
            6,
        ),
    ],
)
def test_an_inner_component_that_fits_the_outer_width_alone_is_refused(
    encoder: dict[str, Any], path: str, width: int
) -> None:
    [problem] = problems_of(minimal(encoder=encoder), SIZED)
    assert (problem.path, problem.code) == (path, "inconsistent")
    assert problem.message == f"4 heads do not divide the width {width}"


def test_a_wrong_width_for_an_inner_component_hides_what_depends_on_it() -> None:
    [problem] = problems_of(sized(inner=wide(4), inner_dim="6"), SIZED)
    assert (problem.path, problem.code) == ("encoder.inner_dim", "wrong-type")


def test_sizes_that_are_none_are_a_fault_of_the_owner() -> None:
    [problem] = problems_of(sized(inner=wide(2), broken=True), SIZED)
    assert (problem.path, problem.code) == ("encoder", "plugin-raised")
    assert "returned a NoneType, not `Sizes`, from `sizes_of`" in problem.message


def test_rules_between_parts_are_checked_beside_bad_fields() -> None:
    found = problems_of(
        minimal(
            pad_id=70,
            encoder={"type": "wide", "heads": 3},
            decoder={"type": "rows", "hiden": 1},
            loss={"stop": "x"},
        )
    )
    assert {each.path for each in found} == {
        "pad_id",
        "encoder.heads",
        "decoder.hiden",
        "loss.stop",
    }


@pytest.mark.parametrize("decoder", [{"type": "rowz"}, "rows", {}, None])
def test_rules_between_the_others_are_checked_beside_a_component_that_is_wrong(
    decoder: Any,
) -> None:
    table = {"type": "tabel"}
    source = minimal(
        encoder={"type": "wide", "hidden_dim": 4, "positional_encoding": table},
        regulator={"type": "mix", "in_dim": 5},
        pad_id=63,
        decoder=decoder,
    )
    assert {each.path.removesuffix(".type") for each in problems_of(source)} == {
        "encoder.positional_encoding",
        "decoder",
        "pad_id",
        "encoder.hidden_dim",  # against the duration predictor
        "regulator.in_dim",
    }


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"encoder": {"type": "wide", "heads": 3, "foo": 1}}, {"encoder.heads", "encoder.foo"}),
        (
            {"encoder": {"type": "wide", "heads": 3, "mode": "prre"}},
            {"encoder.heads", "encoder.mode"},
        ),
        (
            {"encoder": {"type": "wide", "heads": 3, "positional_encoding": {"type": "tabel"}}},
            {"encoder.heads", "encoder.positional_encoding.type"},
        ),
        (
            {"decoder": {"type": "rows", "hidden_dim": 128, "mel_dim": "x"}},
            {"decoder.hidden_dim", "decoder.mel_dim"},
        ),
        (
            {"decoder": {"type": "rows", "hidden_dim": 128}, "regulator": {"type": "copy", "x": 1}},
            {"decoder.hidden_dim", "regulator.x"},
        ),
        ({"pad_id": 70, "hiden_dim": 8, "mel_dim": "x"}, {"pad_id", "hiden_dim", "mel_dim"}),
    ],
)
def test_a_rule_is_checked_beside_a_bad_value_that_it_does_not_depend_on(
    changes: dict[str, Any], found: set[str]
) -> None:
    assert {each.path for each in problems_of(minimal(**changes))} == found


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": {"type": "wide", "heads": 3, "hidden_dim": "9"}},
        {"hidden_dim": "9", "encoder": {"type": "wide", "hidden_dim": 9}},
        {"hiden_dim": 9, "encoder": {"type": "wide", "hidden_dim": 9}},
        {"encoder": {"type": "wide", "heads": 3}, "hidden_dim": "9"},
        {
            "encoder": {"type": "wide", "hiden_dim": 16},
            "duration_predictor": {"type": "line", "hidden_dim": 16},
            "regulator": {"type": "mix", "in_dim": 16},
        },
    ],
)
def test_a_rule_that_a_bad_field_takes_part_in_is_left_for_the_next_run(
    changes: dict[str, Any],
) -> None:
    source = minimal(**changes)
    if "hiden_dim" in changes:
        del source["hidden_dim"]
    assert len(problems_of(source)) == 1


def test_sizes_of_a_component_are_its_own() -> None:
    spec = python_spec(
        regulator=MixRegulator(out_dim=6), decoder=RowDecoder(hidden_dim=6), vocab_size=9
    )
    widths = {
        slot: component_sizes(spec, slot).hidden_dim
        for slot in ("encoder", "duration_predictor", "regulator", "decoder")
    }
    assert widths == {"encoder": 8, "duration_predictor": 8, "regulator": 8, "decoder": 6}
    assert component_sizes(spec, "decoder") == Sizes(9, 0, 80, 6)
    assert component_sizes(python_spec(encoder=StackEncoder()), "encoder").hidden_dim == 8


def test_solving_again_follows_the_spec_but_keeps_what_the_author_wrote() -> None:
    solved = solve_dimensions(python_spec(postnet=BarePostnet()))
    assert solve_dimensions(solved) == solved
    wider = solve_dimensions(solved.model_copy(update={"hidden_dim": 16}))
    assert wider.decoder == RowDecoder(hidden_dim=16, mel_dim=80)
    fixed = solve_dimensions(python_spec(encoder=WideEncoder(hidden_dim=8)))
    with pytest.raises(SpecError, match=r"encoder\.hidden_dim"):
        solve_dimensions(fixed.model_copy(update={"hidden_dim": 16}))


WIDTH = st.none() | st.integers(4, 6)


@settings(deadline=None, max_examples=200)
@given(WIDTH, WIDTH, WIDTH, WIDTH, WIDTH, st.booleans())
@example(None, None, None, None, None, False)
@example(5, 5, 5, 4, 4, True)
def test_a_spec_is_right_exactly_if_all_ends_are_equal(
    encoder: int | None,
    predictor: int | None,
    into: int | None,
    out: int | None,
    decoder: int | None,
    mixes: bool,
) -> None:
    spec = python_spec(
        hidden_dim=5,
        encoder=WideEncoder(hidden_dim=encoder),
        duration_predictor=LinePredictor(hidden_dim=predictor),
        regulator=MixRegulator(in_dim=into, out_dim=out) if mixes else CopyRegulator(),
        decoder=RowDecoder(hidden_dim=decoder),
    )
    given_width, memory = encoder or 5, (out or 5) if mixes else (encoder or 5)
    right = given_width == (predictor or 5) and memory == (decoder or 5)
    right = right and (not mixes or given_width == (into or 5))
    if right:
        assert component_sizes(solve_dimensions(spec), "decoder").hidden_dim == (decoder or 5)
    else:
        with pytest.raises(SpecError, match="width-mismatch"):
            solve_dimensions(spec)
