"""The text of a spec: values, positions, and what is refused."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from kokoro_core.spec.problems.problem import Position, SpecError
from kokoro_core.spec.text import reader
from kokoro_core.spec.text.bounds import MAX_BYTES, MAX_DEPTH
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.parse import parse

# control characters are escaped in YAML, and in JSON only those below a space
TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\uffff")
    | st.sampled_from("\n\t\x00\\\"'"),
    max_size=12,
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(TEXT, TREES, max_size=4)


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type, which `==` does not tell of 1, 1.0 and True."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@settings(deadline=None)
@given(DOCUMENTS, st.sampled_from([None, 1, "\t"]), st.booleans())
@example({"a": 1e22, "b": -0.0, "c": "é\U0001f600", "": [], "d": {}}, None, True)
@example({"<<": 1, "~": 2, "1": 3, "null": 4, "yes": True, "=": "!x &y *z"}, "\t", False)
def test_json_is_read_as_json_reads_it(value: dict[str, Any], indent: Any, ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    document = parse(text)
    assert document.problems == ()
    assert same(document.value, json.loads(text))


@settings(deadline=None)
@given(DOCUMENTS)
def test_a_yaml_dump_is_read_back(value: dict[str, Any]) -> None:
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_unicode = False
    yaml.default_flow_style = False
    yaml.dump(value, stream)
    document = parse(stream.getvalue())
    assert document.problems == ()
    assert same(document.value, value)


@settings(deadline=None)
@given(DOCUMENTS)
@example({"a": {"b": [1, {"c": "x"}]}})
def test_every_key_and_value_stands_where_its_position_says(value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1)
    lines = text.split("\n")
    document = parse(text)

    def check(node: Any, path: tuple[str | int, ...]) -> None:
        assert at(lines, document.values[path]).startswith(json.dumps(node)[:1])
        if isinstance(node, dict):
            for key, each in node.items():
                assert at(lines, document.keys[(*path, key)]).startswith(json.dumps(key))
                check(each, (*path, key))
        elif isinstance(node, list):
            for index, each in enumerate(node):
                check(each, (*path, index))

    check(value, ())


def at(lines: list[str], position: Position) -> str:
    return lines[position.line - 1][position.column - 1 :]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("+1", 1),
        ("017", 17),
        ("0o17", 15),
        ("0xff", 255),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2001-01-01", "2001-01-01"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"null"', "null"),
        ("|\n  two\n  lines", "two\nlines\n"),
        ("True", True),
        ("tRue", "tRue"),
        ("1e", "1e"),
    ],
)
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(text: str, value: object) -> None:
    document = parse(f"a: {text}\n")
    assert document.problems == ()
    assert same(document.value, {"a": value})


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a: &x 1\n", "anchor", 1, 4),
        ("? &x a\n: 1\n", "anchor", 1, 3),
        ("a: {b: *x}\n", "alias", 1, 8),
        ("a: 1\n*x : 2\n", "bad-key", 2, 1),
        ("a: !!int 3\n", "tag", 1, 4),
        ("a: !evil {b: 1}\n", "tag", 1, 4),
        ("a: !!python/object/apply:os.system [x]\n", "tag", 1, 4),
        ("x: 1\n<<: {a: 1}\n", "merge-key", 2, 1),
        ("a: .inf\n", "not-finite", 1, 4),
        ("a: [1, .nan]\n", "not-finite", 1, 8),
        ("a: 1e999\n", "not-finite", 1, 4),
        ("a: " + "1" * 41 + "\n", "not-finite", 1, 4),
        ("1: a\n", "bad-key", 1, 1),
        ("null: a\n", "bad-key", 1, 1),
        ("? [a]\n: 1\n", "bad-key", 1, 3),
        ("a: 1\n---\nb: 2\n", "several-documents", 2, 1),
        ("%YAML 1.1\n---\na: yes\n", "directive", 1, 1),
        ("%UNKNOWN x\n---\na: yes\n", "directive", 1, 1),
        ('a: "\\ud800"\n', "not-utf8", 1, 4),
    ],
)
def test_what_a_spec_has_no_use_for_is_a_problem_with_its_place(
    text: str, code: str, line: int, column: int
) -> None:
    [problem] = parse(text, "m.yaml").problems
    assert (problem.code, problem.position) == (code, Position(line, column))
    assert str(problem).startswith(f"m.yaml:{line}:{column}: ")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: b: c\n", "syntax", 1),
        ("a: 1\n\tb: 2\n", "syntax", 2),
        ('{"a": 1', "syntax", 1),
        ("a: 'x\n", "syntax", 2),
        ("b: 1\na: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "too-deep", 2),
        ("[" * 100_000, "too-deep", 1),
    ],
)
def test_a_text_that_cannot_be_read_is_one_problem(text: str, code: str, line: int) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    [problem] = caught.value.problems
    assert problem.code == code
    assert problem.position is not None
    assert problem.position.line == line


def test_the_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_VALUES", 20)
    assert parse("[" + "1," * 19 + "]").value == [1] * 19
    with pytest.raises(SpecError, match=r"<spec>:1:40: the spec has more than 20 values"):
        parse("[" + "1," * 20 + "]")


def test_the_depth_and_the_size_that_are_allowed_are_read() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert parse(json.dumps({"a": deep})).value == {"a": deep}
    text = "a: 1 #" + "x" * (MAX_BYTES - 6)
    assert parse(text).value == {"a": 1}
    with pytest.raises(SpecError, match=f"{MAX_BYTES + 1} bytes; a spec has at most {MAX_BYTES}"):
        parse(text + "x")


def test_bytes_that_are_not_utf8_are_refused_where_they_stand() -> None:
    with pytest.raises(SpecError, match=r"<spec>:2:4: byte 0xff is not UTF-8") as caught:
        parse(b"a: 1\nb: \xff")
    assert caught.value.problems[0].code == "not-utf8"


def test_a_control_character_is_refused_where_it_stands() -> None:
    with pytest.raises(SpecError, match=r"<spec>:2:5: character U\+0080 must be escaped"):
        parse("a: 1\nb: '\x80'")


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert document.value == {"a": 1, "b": "x"}
    assert document.keys["b",] == Position(2, 1)


def test_the_first_of_two_equal_keys_is_kept_and_the_second_points_at_it() -> None:
    document = parse("a: 1\na: 2")
    assert document.value == {"a": 1}
    assert "stands already at line 1, column 1" in document.problems[0].message


def test_reading_goes_on_after_a_problem() -> None:
    document = parse("a: &x 1\nb: .nan\nc: {d: 1, d: 2}\ne: *x\n")
    assert [each.code for each in document.problems] == [
        "anchor",
        "not-finite",
        "duplicate-key",
        "alias",
    ]


def test_a_missing_path_is_located_at_the_nearest_one_above_it() -> None:
    document = parse("a:\n  b: 1\n")
    assert document.locate(("a", "x", "y")) == ("<spec>", Position(1, 1))
    assert document.locate(("z",)) == ("<spec>", Position(1, 1))
    assert Document("<mapping>", {}).locate(("z",)) == ("<mapping>", None)


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("ab:{}[],-?&*!|>'\"%#~\\ \n\t1.e<é\x00"), max_size=30))
@example("a: !<tag:x> &b")
@example("? ? ? a")
def test_any_text_is_read_or_refused_with_problems(text: str) -> None:
    assert plain(value_or_problems(text))


def value_or_problems(text: str) -> Any:
    try:
        return parse(text).value
    except SpecError as error:
        return {each.code: each.message for each in error.problems}


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int, bool))
