"""Every hostile file is refused with the problem that it is made for, and nothing else happens."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import MAX_PROBLEMS, Problem, SpecError
from kokoro_core.spec.text.bounds import MAX_BYTES
from tests.kokoro_core.spec.hostile.texts import SPEC, TEXTS
from tests.kokoro_core.spec.hostile.values import RIGHT, VALUES, changed


def as_yaml(value: Any) -> str:
    """Write a value as YAML in block style, without help from the code under test."""
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, stream)
    return stream.getvalue()


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    problems = list(caught.value.problems)
    assert len(problems) <= MAX_PROBLEMS + 1
    assert all(len(str(each)) < 1000 for each in problems), "a problem stays readable"
    return problems


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


def test_the_corpus_is_as_large_as_promised_and_starts_from_a_right_spec() -> None:
    assert len(VALUES) + len(TEXTS) >= 150
    assert load_spec(RIGHT).hidden_dim == 16


def test_the_right_spec_is_accepted_as_a_text(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, "right.yaml", SPEC)) == load_spec(RIGHT)


@pytest.mark.parametrize("name", VALUES)
def test_a_hostile_value_is_refused_alike_in_yaml_and_json(name: str, tmp_path: Path) -> None:
    changes, code = VALUES[name]
    value = changed(changes)
    verdicts = []
    for suffix, text in (("yaml", as_yaml(value)), ("json", json.dumps(value))):
        problems = problems_of(write(tmp_path, f"{name}.{suffix}", text))
        assert code in [each.code for each in problems]
        assert all(each.position is not None for each in problems)
        verdicts.append({(each.code, each.path) for each in problems})
    assert verdicts[0] == verdicts[1] or len(verdicts[0]) > MAX_PROBLEMS


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_refused_with_its_own_problem(name: str, tmp_path: Path) -> None:
    text, code = TEXTS[name]
    problems = problems_of(write(tmp_path, name, text))
    assert code in [each.code for each in problems], [str(each) for each in problems]
    assert all(each.source.endswith(name) for each in problems)


def test_the_largest_spec_that_is_allowed_is_read(tmp_path: Path) -> None:
    text = SPEC + "#" * (MAX_BYTES - len(SPEC))
    assert load_spec(write(tmp_path, "large.yaml", text)) == load_spec(RIGHT)
