"""A hostile file runs nothing, opens nothing but itself, and imports nothing of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kokoro_core.spec.hostile.test_hostile_specs import as_yaml, write
from tests.kokoro_core.spec.hostile.texts import SPEC, TEXTS
from tests.kokoro_core.spec.hostile.values import RIGHT, VALUES, changed

WATCH = """
import json, sys
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError

paths = json.load(sys.stdin)
watched = ("import", "open", "exec", "compile", "marshal.", "pickle.", "os.", "subprocess.",
           "socket.", "ctypes.", "shutil.", "urllib.", "code.", "glob.", "tempfile.")
events, current = {}, None


def hook(event, arguments):
    if current is not None and event.startswith(watched):
        seen = event if event == "exec" else [event, str(arguments[0]) if arguments else ""]
        events.setdefault(current, []).append(seen)


def load(path):
    try:
        load_spec(path)
    except SpecError:
        pass


for path in paths["benign"]:
    load(path)
sys.addaudithook(hook)
for path in [*paths["benign"][:1], *paths["hostile"]]:
    before = set(sys.modules)
    current = path
    load(path)
    current = None
    new = sorted(set(sys.modules) - before)
    if new:
        events.setdefault(path, []).append(["modules", new])
print(json.dumps({"events": events, "torch": "torch" in sys.modules}))
"""


def watch(benign: list[Path], hostile: list[Path]) -> dict[str, Any]:
    """Return what happened in a process of its own while each hostile file was loaded.

    The benign files are loaded first: what they import, and what any problem imports, is there
    before anything is watched.
    """
    paths = {"benign": list(map(str, benign)), "hostile": list(map(str, hostile))}
    ran = subprocess.run(
        [sys.executable, "-c", WATCH],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


LOOKS = {"glob.glob", "glob.glob/2", "os.scandir", "os.listdir"}
"""What ruamel.yaml does at each start, in its own folder."""


@pytest.fixture
def benign(tmp_path: Path) -> list[Path]:
    """A right spec that uses every optional part, and ordinary mistakes."""
    full = {**RIGHT, "plugins": {"kokoro-core": ">=0"}, "postnet": {"type": "conv"}, "audio": None}
    return [
        write(tmp_path, "right.yaml", as_yaml(full)),
        write(tmp_path, "typo.yaml", as_yaml({**full, "hiden_dim": 16})),
        write(tmp_path, "no-parts.yaml", "name: without any part\n"),
        write(tmp_path, "old.yaml", as_yaml({**full, "format": 0})),
    ]


@pytest.mark.slow
def test_no_hostile_file_does_more_than_being_read(tmp_path: Path, benign: list[Path]) -> None:
    hostile = [write(tmp_path, name, text) for name, (text, _) in TEXTS.items()]
    for name, (changes, _) in VALUES.items():
        hostile.append(write(tmp_path, f"{name}.json", json.dumps(changed(changes))))
    result = watch(benign, hostile)
    assert not result["torch"]
    right = str(benign[0])
    usual = [each for each in result["events"].pop(right) if each != ["open", right]]
    assert {each[0] for each in usual} <= LOOKS, "a right spec only looks for ruamel's plug-ins"
    assert set(result["events"]) == set(map(str, hostile))
    for path, events in result["events"].items():
        assert ["open", path] in events
        beyond = [each for each in events if each != ["open", path] and each not in usual]
        assert beyond == [], f"{path} did {beyond}"


def test_the_watch_sees_a_file_that_is_opened_and_a_module_that_is_imported(
    tmp_path: Path, benign: list[Path]
) -> None:
    needs = write(tmp_path, "needs.yaml", as_yaml({**RIGHT, "plugins": {"kokoro-core": ">=0"}}))
    result = watch([write(tmp_path, "plain.json", SPEC)], [needs])
    events = result["events"][str(needs)]
    assert ["open", str(needs)] in events
    assert any(kind == "import" for kind, _ in (each for each in events if each != "exec"))
    assert any(each[0] == "modules" and "packaging.specifiers" in each[1] for each in events)
