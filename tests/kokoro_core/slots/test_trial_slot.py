"""A slot is added in one place: a stored patch adds `style`, and everything else follows.

The patch is what an author of the framework would write; the component that fills the slot is a
plugin's. All of it runs in a copy of the source, by the commands and the public class.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.tree.model_spec import ModelSpec
from tests.registry.guard.site import Site

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PATCH = HERE / "style_slot.patch"


COMMANDS = """
import contextlib, io, json, sys
from kokoro_core.cli.app import main

done = []
for arguments in json.loads(sys.argv[1]):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            main(arguments)
        except SystemExit as ended:
            done.append([ended.code or 0, printed.getvalue()])
print(json.dumps(done))
"""
"""Runs commands in one process, since most of the time of each is that of its imports."""


class Copy:
    """A patched copy of the source, with the plugin beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str) -> Any:
        """Return the JSON that Python prints in the copy."""
        path = os.pathsep.join(map(str, (self.folder, self.folder / "site")))
        ran = subprocess.run(
            [sys.executable, *arguments],
            check=False,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return json.loads(ran.stdout)

    def commands(self, *commands: tuple[str, ...]) -> list[tuple[int, str]]:
        """Return how each command ended and what it printed."""
        return [(status, text) for status, text in self.run("-c", COMMANDS, json.dumps(commands))]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("trial")
    for package in ("registry", "kokoro_core", "kokoro_plugins"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(["git", "apply", "-C1", str(PATCH)], check=True, cwd=folder, env=outside)
    (folder / "site").mkdir()
    Site(folder / "site").add("acme-style", (HERE / "acme_style.py").read_text(encoding="utf-8"))
    shutil.copy(HERE / "use_style.py", folder)
    return Copy(folder)


@pytest.fixture(scope="module")
def spec(copy: Copy) -> str:
    """A spec that the patched `new-spec` wrote, with a component in the new slot."""
    settings = ("hidden_dim=32", "encoder.num_layers=1", "decoder.num_layers=1")
    overrides = [part for each in settings for part in ("--set", each)]
    like = ("new-spec", "--like", "small", "--style", "mean", "--out", "styled.yaml")
    assert copy.commands((*like, *overrides)) == [(0, "")]
    return "styled.yaml"


def test_the_patch_touches_at_most_four_files() -> None:
    touched = re.findall(r"^\+\+\+ b/(.*)$", PATCH.read_text(encoding="utf-8"), flags=re.M)
    assert "kokoro_core/slots.py" in touched
    assert len(touched) <= 4


def test_the_commands_know_the_slot_and_its_rules(copy: Copy, spec: str) -> None:
    assert "type: mean" in (copy.folder / spec).read_text(encoding="utf-8")
    checked, graph, schema, resolved, listed, wrong = copy.commands(
        ("check", spec),
        ("graph", spec),
        ("schema",),
        ("resolve", spec),
        ("components", "style"),
        ("check", spec, "--set", "style.hidden_dim=16", "--json"),
    )
    assert checked[0] == 0
    assert 'encoder -->|"hidden (B, N, 32)"| style' in graph[1]
    for taker in ("duration_predictor", "regulator"):
        assert f'style -->|"hidden (B, N, 32)"| {taker}' in graph[1]
        assert f'encoder -->|"hidden (B, N, 32)"| {taker}' not in graph[1]
    assert "style" in json.loads(schema[1])["properties"]
    assert "acme-style/mean" in resolved[1]
    assert "mean" in listed[1]
    assert wrong[0] == 1
    assert "width-mismatch" in wrong[1]
    assert "style.hidden_dim" in wrong[1]


def test_a_model_with_the_slot_learns_is_saved_and_speaks(copy: Copy, spec: str) -> None:
    done = copy.run("use_style.py", spec)
    ours = list(MODEL_SLOTS)
    after = ours.index("encoder") + 1
    assert done["slots"] == [*ours[:after], "style", *ours[after:]]
    assert done["losses"][-1] < done["losses"][0]
    assert done["learned"]
    assert done["frames"] > 0
    assert done["finite"]
    assert done["same after loading"]
    assert not done["same with another style"]
    assert done["rows apart"]


def test_the_kit_checks_a_model_with_the_slot(copy: Copy, spec: str) -> None:
    [(status, report)] = copy.commands(("conformance", spec, "--check", "model-rows", "--json"))
    assert status == 0, report
    assert "model/small" in report


def test_the_fields_of_a_spec_are_the_slots_in_their_order() -> None:
    fields = {name: each for name, each in ModelSpec.model_fields.items() if name in MODEL_SLOTS}
    assert list(fields) == list(MODEL_SLOTS)
    for name, row in MODEL_SLOTS.items():
        assert row.slot.name == row.slot.base.slot
        assert row.many or row.slot.name == name
        assert row.slot.base.__name__ in str(fields[name].annotation)
        assert fields[name].is_required() == row.required
        assert set(row.takes) == set(row.slot.base.takes)
        for giver, port in (end for ends in row.takes.values() for end in ends):
            earlier = list(MODEL_SLOTS).index(giver) - list(MODEL_SLOTS).index(name)
            assert earlier < 0 or (row.many and earlier == 0)
            assert port in MODEL_SLOTS[giver].slot.base.gives
