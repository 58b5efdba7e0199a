"""Overrides: applied to the document, checked like the file, blamed on the option."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.spec.load import load, load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.text.document import from_mapping
from kokoro_core.spec.text.overrides import apply_overrides, overrides_from_text
from tests.kokoro_core.spec.toys import (
    PLUGINS,
    RmsNorm,
    StackEncoder,
    TablePositions,
    WideEncoder,
    minimal,
)


def loaded(source: Any, *settings: str) -> Any:
    return load(source, overrides_from_text(settings), PLUGINS)


def problems(source: Any, *settings: str) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        loaded(source, *settings)
    return list(caught.value.problems)


def test_an_override_replaces_creates_and_nests() -> None:
    overrides = {"hidden_dim": 16, "encoder.heads": 4, "encoder.norm": {"type": "rms"}, "name": "n"}
    spec = load_spec(minimal(), overrides=overrides, plugins=PLUGINS)
    assert (spec.hidden_dim, spec.name) == (16, "n")
    assert spec.encoder == WideEncoder(hidden_dim=16, heads=4, norm=RmsNorm())


def test_the_source_stays_as_it_is() -> None:
    source = minimal()
    load_spec(source, overrides={"encoder.heads": 2, "loss.stop": 2.0}, plugins=PLUGINS)
    assert source == minimal()


def test_values_on_the_command_line_are_yaml() -> None:
    spec = loaded(
        minimal(),
        "encoder.kernels=[1, 5]",
        "loss.stop=1e-3",
        "name='3'",
        "gradient_checkpointing=null",
        "encoder.norm={type: rms, eps: 0.5}",
    )
    assert spec.encoder.kernels == (1, 5)
    assert (spec.loss.stop, spec.name, spec.gradient_checkpointing) == (0.001, "3", None)
    assert spec.encoder.norm == RmsNorm(eps=0.5)


def test_a_change_of_type_drops_the_old_settings_and_takes_the_new_in_any_order() -> None:
    source = minimal(encoder={"type": "wide", "heads": 4, "mode": "post"})
    settings = ["encoder.type=stack", "encoder.parts=[{type: wide}]"]
    for order in (settings, settings[::-1]):
        spec = loaded(source, *order)
        assert isinstance(spec.encoder, StackEncoder)
        assert len(spec.encoder.parts) == 1


@pytest.mark.parametrize("name", ["wide", "toys/wide"])
def test_the_same_type_keeps_the_settings(name: str) -> None:
    source = minimal(encoder={"type": "wide", "heads": 4})
    assert loaded(source, f"encoder.type={name}").encoder.heads == 4


def test_an_override_inside_a_default_component_starts_from_that_default() -> None:
    spec = loaded(minimal(), "encoder.positional_encoding.max_len=7")
    assert spec.encoder.positional_encoding == TablePositions(max_len=7)
    stack = minimal(encoder={"type": "stack", "parts": [{"type": "wide"}]})
    inner = loaded(stack, "encoder.parts[0].positional_encoding.type=toys/table").encoder.parts[0]
    assert inner.positional_encoding == TablePositions(max_len=50)


def test_an_override_reaches_a_null_component_with_its_type() -> None:
    assert loaded(minimal(), "postnet.type=bare").postnet is not None
    [problem] = problems(minimal(), "postnet.mel_dim=3")
    assert (problem.path, problem.code) == ("postnet", "no-type")


def test_an_item_of_a_list_can_be_replaced_but_not_added() -> None:
    assert loaded(minimal(encoder={"type": "wide", "kernels": [1, 2]}), "encoder.kernels[1]=9")
    [problem] = problems(minimal(), "encoder.kernels[5]=9")
    assert problem.code == "bad-override"
    assert "set the list as a whole" in problem.message


@pytest.mark.parametrize(
    ("setting", "code", "line"),
    [
        ("encoder.hads=3", "unknown-field", "unknown field, did you mean 'heads'?"),
        ("encoder.heads=x", "wrong-type", 'encoder.heads: expected an integer, got "x"'),
        ("encoder.type=wid", "unknown-type", "encoder.type: no encoder is named 'wid'"),
        ("a.b.c.d=1", "unknown-field", "--set a.b.c.d=1: a: unknown field"),
        ("postnet.mel_dim=9", "no-type", "--set postnet.mel_dim=9: postnet: the postnet needs"),
        ("hidden_dim", "bad-override", "`hidden_dim` has no `=`"),
        ("=3", "bad-override", "`` is not a dotted path"),
        ("a..b=3", "bad-override", "`a..b` is not a dotted path"),
        (".a=3", "bad-override", "`.a` is not a dotted path"),
        ("hidden_dim.x=3", "bad-override", "'x' cannot be set in 8, which is not a mapping"),
        ("encoder=[", "syntax", "--set encoder=["),
        ("encoder=&x 1", "anchor", "--set encoder=&x 1: an anchor"),
        ("loss.stop=.inf", "not-finite", "--set loss.stop=.inf: .inf is not a finite number"),
    ],
)
def test_a_bad_override_is_blamed_on_the_option(setting: str, code: str, line: str) -> None:
    [problem] = problems(minimal(), setting)
    assert problem.code == code
    assert line in str(problem)
    assert "--set" in problem.source


def test_problems_of_the_file_and_of_an_override_come_together(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("encoder: {type: wide, heads: x}\n")
    found = problems(path, "decoder.type=rows", "encoder.mode=no", "encoder.heads.z=1")
    assert {(each.path, each.source) for each in found} >= {
        ("encoder.heads", str(path)),
        ("encoder.mode", "--set encoder.mode=no"),
        ("encoder.heads.z", "--set encoder.heads.z=1"),
    }


@pytest.mark.parametrize("postnet", [{}, {"postnet": None}])
@pytest.mark.parametrize("setting", ["a.b.c.d=1", "postnet.mel_dim=9"])
def test_a_key_that_an_option_made_is_not_blamed_on_the_file(
    setting: str, postnet: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(minimal(**postnet)))
    [problem] = problems(path, setting)
    assert (problem.source, problem.position) == (f"--set {setting}", None)
    [problem] = problems(path, "encoder.hads=1")
    assert problem.source == "--set encoder.hads=1"


@pytest.mark.parametrize(
    ("setting", "note"),
    [
        ("encoder.type=stack", ["dropped heads, mode of the former component"]),
        ("encoder.type=toys/wide", []),
        ("encoder.heads=4", []),
        ("decoder.type=rowz", []),
        ("regulator.type=mix", []),
        ("postnet.type=bare", []),
        ("encoder.norm.type=rms", ["dropped eps of the former component"]),
    ],
)
def test_a_note_says_which_settings_a_change_of_type_drops(setting: str, note: list[str]) -> None:
    encoder = {"type": "wide", "heads": 2, "mode": "pre"}
    if "norm" in setting:
        encoder["norm"] = {"type": "other", "eps": 1.0}
    source = from_mapping(minimal(encoder=encoder))
    changed = apply_overrides(source, overrides_from_text([setting]), PLUGINS.components)
    assert list(changed.notes) == [f"--set {setting}: {each}" for each in note]
    told: list[str] = []
    with contextlib.suppress(SpecError):
        load(source.value, overrides_from_text([setting]), PLUGINS, note=told.append)
    assert told == list(changed.notes)


def test_every_bad_setting_of_a_command_line_is_reported() -> None:
    with pytest.raises(SpecError) as caught:
        overrides_from_text(["a", "b", "c=1", "d=["])
    assert len(caught.value.problems) == 3


def test_an_override_of_a_checked_spec_lets_widths_follow() -> None:
    spec = load_spec(minimal(), plugins=PLUGINS)
    wider = load_spec(spec, overrides={"hidden_dim": 32}, plugins=PLUGINS)
    assert wider == load_spec(minimal(hidden_dim=32), plugins=PLUGINS)


def test_an_override_beside_a_component_of_no_plugin_leaves_it_alone() -> None:
    class Own(WideEncoder):
        """Of nobody."""

    spec = load_spec(minimal(encoder=Own(heads=2)), plugins=PLUGINS)
    changed = load_spec(spec, overrides={"name": "new"}, plugins=PLUGINS)
    assert isinstance(changed.encoder, Own)
    assert changed.name == "new"


def test_a_value_after_an_at_sign_is_the_text_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("yes: no\n# and more\n", encoding="utf-8-sig")
    [override] = overrides_from_text([f"frontend.lexicon=@{file}"])
    assert override.value == "yes: no\n# and more\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"`.*words\.txt` cannot be read: No such file or directory; after `@` stands a"),
        (b"a\xff", r"`.*words\.txt` must be UTF-8, but byte 1 is not"),
        (b"a" * (2**20 + 1), r"`.*words\.txt` has more than the 1048576 bytes that a spec may"),
    ],
)
def test_a_file_that_gives_no_value_is_a_problem(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "words.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SpecError, match=message):
        overrides_from_text([f"frontend.lexicon=@{file}"])
