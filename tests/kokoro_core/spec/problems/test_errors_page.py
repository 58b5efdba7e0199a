"""`docs/errors.md`, the list of codes and what is raised are one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from tests.kokoro_core.spec.problems.errors_page import PLUGINS

ROOT = Path(__file__).parents[4]
CODES = tuple(
    (ROOT / "tests/kokoro_core/spec/problems/codes.txt").read_text(encoding="utf-8").split()
)
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(
    re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)  # code and what stands below it
)
BLOCKS = {code: re.findall(r"```(.*?)\n(.*?)```", text, re.S) for code, text in SECTIONS.items()}
SHELL = [code for code, blocks in BLOCKS.items() if "console" in dict(blocks)]
PYTHON = [code for code, blocks in BLOCKS.items() if blocks[0][0] == "python" and code not in SHELL]
WRITTEN = [code for code in BLOCKS if code not in (*SHELL, *PYTHON)]


def problems_of(text: str | bytes, path: Path) -> list[Problem]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as caught:
        load_spec(path, plugins=PLUGINS)
    return list(caught.value.problems)


def test_the_page_has_a_heading_for_every_code_and_no_other() -> None:
    assert tuple(SECTIONS) == CODES
    for code, text in SECTIONS.items():
        assert len(text.split("```")[0].split()) >= 8, f"{code}: say what it means and what to do"


def test_every_code_in_the_source_is_in_the_list() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in (
            *("kokoro_core/spec", "kokoro_core/params", "kokoro_core/cli"),
            "kokoro_plugins/training/data",
        )
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
    raised = re.findall(
        r"(?:Problem|problem|RuleViolation|_note|_stop|PydanticCustomError)"
        r'\(\s*"([a-z0-9-]+)"',
        source,
    )
    assert set(raised) <= set(CODES)
    assert len(set(raised)) > 25
    for code in CODES:
        known = code in source or code.startswith("plugin-")
        assert known, f"{code} is raised nowhere"


@pytest.mark.parametrize("code", WRITTEN)
def test_an_example_raises_what_the_page_shows(code: str, tmp_path: Path) -> None:
    (_, text), (_, shown) = BLOCKS[code]
    problems = problems_of(text, tmp_path / "model.yaml")
    assert shown.strip() in [
        str(each).replace(str(tmp_path / "model.yaml"), "model.yaml") for each in problems
    ]
    assert {each.code for each in problems} == {code}, "an example has one mistake"
    assert all(each.position is not None for each in problems)


def as_json(text: str) -> str | None:
    """Return the same document as JSON, or None for what JSON cannot say."""
    try:
        return json.dumps(YAML(typ="safe", pure=True).load(text), allow_nan=False)
    except (YAMLError, ValueError, TypeError):
        return None


ONLY_YAML = {"directive", "tag", "bad-key", "anchor", "merge-key"}
BOTH = [code for code in WRITTEN if code not in ONLY_YAML and as_json(BLOCKS[code][0][1])]


@pytest.mark.parametrize("code", BOTH)
def test_an_example_in_json_raises_the_same(code: str, tmp_path: Path) -> None:
    text = BLOCKS[code][0][1]
    in_json = as_json(text)
    assert in_json is not None
    problems = [
        {(each.code, each.path) for each in problems_of(form, tmp_path / name)}
        for form, name in ((text, "model.yaml"), (in_json, "model.json"))
    ]
    assert problems[0] == problems[1]


@pytest.mark.parametrize("code", [code for code in PYTHON if code != "needs-registry"])
def test_an_example_that_is_made_raises_what_the_page_shows(code: str, tmp_path: Path) -> None:
    (_, made), (_, shown) = BLOCKS[code]
    namespace: dict[str, str | bytes] = {}
    exec(made, {}, namespace)
    problems = problems_of(namespace["text"], tmp_path / "model.yaml")
    written = [str(each).replace(str(tmp_path / "model.yaml"), "model.yaml") for each in problems]
    assert shown.strip() in written


def test_a_mapping_in_python_needs_plugins_to_look_in() -> None:
    namespace: dict[str, str] = {}
    exec(BLOCKS["needs-registry"][0][1], namespace)
    assert "needs-registry" in namespace["text"]
    assert "a mapping needs `load_spec`" in namespace["text"]


def test_the_commands_of_the_page_are_run_by_the_tests_of_the_docs() -> None:
    assert [
        *("corpus-without-durations", "corpus-without-feature", "unlisted-name"),
        *("bad-override", "no-such-spec"),
    ] == SHELL
    for code in SHELL:
        assert f"[{code}]" in dict(BLOCKS[code])["console"]
