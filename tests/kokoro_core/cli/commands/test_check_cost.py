"""``check`` of a spec with six mistakes stays quick: what it imports and how often it validates.

Time itself differs between machines; what made it long was one of these two.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

SIX = """\
hidden_dim: "256"
encoder:
  type: transfomer
duration_predictor: {type: mlp, foo: 3}
regulator: {type: repeat}
decoder:
  type: transformer
  num_layers: -3
  norm: prre
  positional_encoding: {type: sinusoidal, max_len: 1.5}
"""
PLACES = [
    (1, 13, "wrong-type"),
    (3, 9, "unknown-type"),
    (4, 33, "unknown-field"),
    (8, 15, "out-of-range"),
    (9, 9, "wrong-value"),
    (10, 52, "wrong-type"),
]
HEAVY = {"torch", "numpy", "scipy", "librosa", "lightning", "safetensors", "rich", "hypothesis"}
PROGRAM = """
import json, sys
from collections import Counter
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.cli.app import main
calls = Counter()
def count(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "model_validate":
        calls[frame.f_locals["cls"].__name__] += 1
sys.setprofile(count)
try:
    main(["check", sys.argv[1]])
except SystemExit as ended:
    sys.setprofile(None)
    loaded = sorted({each.partition(".")[0] for each in sys.modules})
    print(json.dumps({"status": ended.code, "loaded": loaded, "calls": calls}))
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("six") / "six.yaml"
    path.write_text(SIX)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = {**json.loads(ran.stdout), "path": path, "errors": ran.stderr}
    return found


def test_six_mistakes_are_six_problems_at_their_places(checked: dict[str, Any]) -> None:
    assert checked["status"] == 1
    pattern = rf"^{re.escape(str(checked['path']))}:(\d+):(\d+): .* \[([\w-]+)\]$"
    found = re.findall(pattern, checked["errors"], re.M)
    assert [(int(line), int(column), code) for line, column, code in found] == PLACES
    assert len(checked["errors"].splitlines()) == len(PLACES)


def test_nothing_heavy_is_imported_for_it(checked: dict[str, Any]) -> None:
    assert HEAVY & set(checked["loaded"]) == set()
    assert {"pydantic", "kokoro_plugins"} <= set(checked["loaded"])


def test_the_spec_is_validated_as_it_is_and_once_more_without_what_is_bad(
    checked: dict[str, Any],
) -> None:
    calls: dict[str, int] = checked["calls"]
    assert calls["ModelSpec"] == 2
    components = {name: count for name, count in calls.items() if name.endswith("Params")}
    assert components
    assert max(components.values()) <= 2
