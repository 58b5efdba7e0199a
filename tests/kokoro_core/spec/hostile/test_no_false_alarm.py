"""Specs that are right are accepted, alike in both formats; mutated ones never break the loader."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st

from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve, spec_hash
from kokoro_core.testing.data.spec_strategies import specs
from registry import installed_plugins
from tests.kokoro_core.spec.hostile.test_hostile_specs import as_yaml
from tests.kokoro_core.spec.hostile.values import VALUES, changed

PLUGINS = installed_plugins()
SHIPPED = {name: each.file.read_text(encoding="utf-8") for name, each in PLUGINS.specs.items()}
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_spec_is_accepted_and_has_one_hash_in_both_formats(name: str) -> None:
    value = parse(SHIPPED[name]).value
    hashes = {hash_of(text) for text in (SHIPPED[name], json.dumps(value), as_yaml(value))}
    assert len(hashes) == 1


def hash_of(text: str) -> str:
    document = parse(text)
    assert document.problems == ()
    return spec_hash(load_spec(document.value), PLUGINS)


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_a_right_spec_of_any_parts_is_accepted(source: dict[str, Any]) -> None:
    spec = load_spec(source)
    assert load_spec(resolve(spec)["spec"]) == spec


def test_right_specs_have_adaptors_conditioners_and_aligners_among_their_parts() -> None:
    wanted = {key for key, row in MODEL_SLOTS.items() if row.many} | {"aligner"}
    assert wanted == {"conditioners", "token_adaptors", "frame_adaptors", "aligner"}
    easily = settings(max_examples=1000, derandomize=True, phases=[Phase.generate])
    for key in sorted(wanted):
        found = find(specs(), partial(has, key), settings=easily)
        assert load_spec(found)


def has(key: str, source: dict[str, Any]) -> bool:
    return bool(source.get(key))


@given(specs())
def test_a_right_spec_means_the_same_in_both_formats(source: dict[str, Any]) -> None:
    texts = (json.dumps(source), json.dumps(source, indent=2, ensure_ascii=False), as_yaml(source))
    assert len({hash_of(text) for text in texts}) == 1


@pytest.mark.parametrize("name", ["type-list", "key-nul", "width-of-encoder", "size-layers"])
def test_a_wrong_spec_means_the_same_in_both_formats(name: str) -> None:
    value = changed(VALUES[name][0])
    verdicts = [verdict(text) for text in (json.dumps(value), as_yaml(value))]
    assert verdicts[0] == verdicts[1] != set()


def verdict(text: str) -> set[tuple[str, str]]:
    try:
        load_spec(parse(text).value)
    except SpecError as error:
        return {(each.code, each.message) for each in error.problems}
    return set()


# a fuzz of the loader: `HYPOTHESIS_PROFILE=nightly pytest` with the path of this file

FRAGMENTS = (
    *":-,[]{}&*!|>'\"%#~\\ \n\t?@`",
    "---\n",
    "<<: ",
    "\x00",
    "\ufeff",
    "\ud800",
    "é",
    "1e999",
    ".nan",
    "null",
    "type",
    "1" * 50,
    "!!python/name:os.system ",
    "*a",
    "&a ",
)


@st.composite
def mutations(draw: Any) -> str:
    """Draw a shipped spec with pieces cut out, doubled, swapped and put in."""
    text: str = draw(st.sampled_from(sorted(SHIPPED.values())))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        target = draw(st.integers(0, len(text)))
        piece = draw(st.sampled_from(FRAGMENTS) | st.just(text[start:end]))
        kept = text if draw(st.booleans()) else text[:start] + text[end:]
        text = kept[:target] + piece + kept[target:]
    return text


@settings(max_examples=20_000 if NIGHTLY else 60)
@given(mutations())
@example(SHIPPED["small"].replace("encoder:", "encoder:\n  encoder:"))
@example(SHIPPED["small"].replace("type: transformer", "type: {type: transformer}"))
@example(SHIPPED["small"] + SHIPPED["base"])
def test_a_mutated_spec_is_loaded_or_refused_with_problems(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    result = spec_or_error(path)
    if isinstance(result, SpecError):
        assert result.problems
        assert all(each.code and each.message for each in result.problems)


def spec_or_error(path: Path) -> ModelSpec | SpecError:
    try:
        return load_spec(path)
    except SpecError as error:
        return error


@settings(max_examples=20_000 if NIGHTLY else 60)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_any_bytes_are_refused_with_problems(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpecError):
        load_spec(path)
