"""A failure by exception shows the line of the author's file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.testing.engine.component import check_component
from tests.kokoro_core.testing.faulty import LeakyParams

pytestmark = pytest.mark.same_everywhere

MODULE = """\
from typing import Literal

from kokoro_core.contracts import Encoder
from kokoro_core.slots import EncoderParams
from torch import nn


class AcmeParams(EncoderParams):
    "Multiplies what does not fit."

    type: Literal["acme"] = "acme"

    def build(self, sizes):
        return Acme(sizes)


class Acme(Encoder):
    def __init__(self, sizes):
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.hidden_dim)
        self.out = nn.Linear(sizes.hidden_dim + 1, sizes.hidden_dim)

    def forward(self, phoneme_indices, padding_mask):
        return self.mixed(self.embedding(phoneme_indices))

    def mixed(self, x):
        return self.out(x)
"""


def test_an_error_inside_torch_names_the_deepest_line_of_the_author(tmp_path: Path) -> None:
    (tmp_path / "acme_lines.py").write_text(MODULE)
    command = "kokoro-core conformance acme_lines.py:AcmeParams --check shapes --json"
    ran = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    [result] = json.loads(ran.stdout)["results"]
    line = 1 + MODULE.splitlines().index("        return self.out(x)")
    assert result["place"] == f"acme_lines.py:{line}: return self.out(x)"
    assert result["reason"].startswith("it raised RuntimeError: mat1 and mat2")


def broken_by(build: Callable[[], Any]) -> Any:
    class Broken(LeakyParams):
        """Cannot be built."""

        def build(self, sizes: Any) -> Any:
            return build()

    [result] = check_component(Broken, only="shapes", raises=False).results
    return result


def asserts() -> None:
    assert not "a rule of the author's"


def parses() -> None:
    json.loads("{")


@pytest.mark.parametrize(
    ("build", "source"),
    [(asserts, 'assert not "a rule of the author\'s"'), (parses, 'json.loads("{")')],
)
def test_the_line_is_shown_beneath_the_reason(build: Callable[[], Any], source: str) -> None:
    result = broken_by(build)
    file, _, said = result.place.partition(":")
    assert Path(file).name == "test_blame.py"
    assert said.partition(": ")[2] == source
    assert f"\n  at: {result.place}" in result.explain()


def test_a_promise_that_the_kit_finds_broken_has_no_line() -> None:
    [result] = check_component(LeakyParams, only="row-alone", raises=False).results
    assert result.place == ""
    assert "\n  at: " not in result.explain()
