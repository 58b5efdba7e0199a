"""Every value of a resolved spec says where it comes from."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from kokoro_core.cli.commands.resolve import explained
from kokoro_core.cli.output import write_yaml
from kokoro_core.spec.check import check
from kokoro_core.spec.problems.problem import Position
from kokoro_core.spec.text.document import Document, from_mapping
from kokoro_core.spec.text.overrides import apply_overrides, overrides_from_text
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.views.provenance import Origin, leaves, provenance
from kokoro_core.spec.views.resolve import resolve
from tests.kokoro_core.spec.toys import PLUGINS, minimal
from tests.kokoro_core.spec.views.test_resolve import OVERRIDES

TEXT = """\
hidden_dim: 8
encoder:
  type: wide
  heads: 2
  kernels: [1, 2]
  norm: {type: rms}
duration_predictor: {type: line}
regulator: {type: mix, out_dim: null}
decoder: {type: rows, mel_dim: 80}
audio: null
"""


def origins_of(document: Document) -> dict[str, Origin]:
    spec = check(document, PLUGINS)
    return provenance(document, spec, resolve(spec, PLUGINS)["spec"])


def with_overrides(text: str, *settings_: str) -> Document:
    document = parse(text, "my.yaml")
    return apply_overrides(document, overrides_from_text(settings_), PLUGINS.components)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("hidden_dim", Origin("file", "my.yaml", Position(1, 13))),
        ("encoder.type", Origin("file", "my.yaml", Position(3, 9))),
        ("encoder.kernels", Origin("file", "my.yaml", Position(5, 12))),
        ("encoder.norm.type", Origin("file", "my.yaml", Position(6, 16))),
        ("encoder.norm.eps", Origin("default", "")),
        ("encoder.hidden_dim", Origin("inherited", "hidden_dim")),
        ("encoder.positional_encoding.max_len", Origin("default", "")),
        ("duration_predictor.hidden_dim", Origin("inherited", "hidden_dim")),
        ("regulator.in_dim", Origin("inherited", "hidden_dim")),
        (
            "regulator.out_dim",
            Origin("inherited", "hidden_dim"),
        ),  # written as null
        ("decoder.mel_dim", Origin("file", "my.yaml", Position(9, 32))),
        ("decoder.hidden_dim", Origin("inherited", "hidden_dim")),
        ("audio", Origin("file", "my.yaml", Position(10, 8))),
        ("postnet", Origin("default", "")),
        ("loss.stop", Origin("default", "")),
        ("plugins", Origin("default", "")),
    ],
)
def test_a_value_comes_from_the_file_a_default_or_a_width(path: str, expected: Origin) -> None:
    assert origins_of(parse(TEXT, "my.yaml"))[path] == expected


def test_an_override_is_the_origin_of_what_it_sets_and_of_nothing_else() -> None:
    found = origins_of(
        with_overrides(
            TEXT,
            "encoder.heads=4",
            "encoder.positional_encoding.max_len=20",
            "regulator.type=copy",
            "loss={stop: 2.0}",
            "postnet.type=bare",
        )
    )
    assert found["encoder.heads"] == Origin("override", "--set encoder.heads=4")
    assert found["encoder.kernels"].kind == "file"
    deep = found["encoder.positional_encoding.max_len"]
    assert deep.where == "--set encoder.positional_encoding.max_len=20"
    assert found["encoder.positional_encoding.type"].kind == "default"  # the override went into it
    assert found["regulator.type"] == Origin("override", "--set regulator.type=copy")
    assert found["loss.stop"] == Origin("override", "--set loss={stop: 2.0}")
    assert found["loss.mel_l1"] == Origin("default", "")
    assert found["postnet.mel_dim"] == Origin("inherited", "mel_dim")


def test_a_new_type_leaves_no_origin_of_the_old_block_behind() -> None:
    found = origins_of(with_overrides(TEXT, "encoder.type=stack"))
    assert [path for path in found if path.startswith("encoder")] == [
        "encoder.type",
        "encoder.parts",
    ]
    assert found["encoder.parts"] == Origin("default", "")


def test_a_mapping_from_python_is_an_origin_without_a_position() -> None:
    found = origins_of(from_mapping(minimal(encoder={"type": "wide", "heads": 2})))
    assert found["encoder.heads"] == Origin("file", "<mapping>", None)
    assert found["encoder.dropout"] == Origin("default", "")


def test_components_in_a_list_have_origins_of_their_own() -> None:
    text = TEXT.replace("encoder:\n  type: wide\n", "encoder:\n  type: stack\n")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("  heads"))
    text = text.replace(
        "  kernels: [1, 2]\n  norm: {type: rms}", "  parts: [{type: wide, heads: 4}]"
    )
    found = origins_of(parse(text, "my.yaml"))
    assert found["encoder.parts[0].heads"].kind == "file"
    assert found["encoder.parts[0].dropout"].kind == "default"


@settings(deadline=None)
@given(OVERRIDES)
@example({"name": "a " * 60, "encoder.kernels": []})
@example({"name": "two\nlines"})
@example({"name": "# x"})
def test_every_leaf_has_an_origin_and_comments_change_no_value(overrides: dict[str, Any]) -> None:
    from kokoro_core.spec.text.overrides import overrides_from_mapping

    changes = overrides_from_mapping(overrides)
    document = apply_overrides(from_mapping(minimal()), changes, PLUGINS.components)
    spec = check(document, PLUGINS)
    plain = resolve(spec, PLUGINS)["spec"]
    found = provenance(document, spec, plain)
    assert len(found) == len(list(leaves(plain)))
    for each in changes:
        path = ".".join(map(str, each.path))
        below = [
            origin for key, origin in found.items() if key == path or key.startswith(f"{path}.")
        ]
        assert below
        assert {origin.where for origin in below if origin.kind == "override"} <= {each.origin}
    text = explained(plain, found)
    again = parse(text)
    assert (again.problems, again.value) == ((), plain)
    stream = io.StringIO()
    write_yaml(plain, stream)
    assert text.count("#") >= len(found)


def test_origins_read_as_a_comment_does(tmp_path: Path) -> None:
    assert str(Origin("file", "my.yaml", Position(3, 9))) == "my.yaml:3"
    assert str(Origin("file", "<mapping>")) == "<mapping>"
    assert str(Origin("override", "--set a=1")) == "--set a=1"
    assert str(Origin("inherited", "hidden_dim")) == "inherited from hidden_dim"
    assert str(Origin("default", "")) == "default"
