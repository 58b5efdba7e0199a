"""`docs/spec.md` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.tree.model_spec import LossWeights, ModelSpec
from kokoro_core.spec.views.reference import fields_of

TEXT = (Path(__file__).parents[3] / "docs" / "spec.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def test_every_spec_in_the_page_is_right() -> None:
    for text in blocks("yaml"):
        assert load_spec(parse(text).value).name == "my-voice"


def test_every_python_block_of_the_page_runs() -> None:
    found = blocks("python")
    assert len(found) == 2
    for code in found:
        exec(compile(code, "docs/spec.md", "exec"), {})


def test_the_table_has_every_key_and_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \| .*? \|$", TEXT, re.M)
    shown = {name: default.strip("`") for name, default in rows}
    fields = {each["name"]: each for each in fields_of(ModelSpec)}
    assert list(shown) == list(fields)
    for name, field in fields.items():
        if field["required"]:
            assert shown[name] == "required"
        elif name not in ("loss", "generation"):
            assert parse(shown[name]).value == field["default"]


def test_the_weights_of_the_loss_are_those_of_the_code() -> None:
    for each in fields_of(LossWeights):
        assert re.search(rf"`{each['name']}`", TEXT)
        assert str(each["default"]) in TEXT
