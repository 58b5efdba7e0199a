"""The command ``schema``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

from kokoro_core.spec.views.schema import schema
from registry import installed_plugins


def kokoro(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kokoro_core", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_schema_prints_the_schema_of_the_installed_plugins_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['kokoro-core', 'schema']\n"
        "from kokoro_core.cli.app import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert made == schema(installed_plugins())
    Draft202012Validator.check_schema(made)


def test_schema_of_a_blocked_plugin_lacks_its_components_and_goes_to_a_file(
    tmp_path: Path,
) -> None:
    out = tmp_path / "spec.schema.json"
    done = kokoro("--no-plugin", "positions", "schema", "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"# yaml-language-server: $schema={out.name}" in done.stdout
    made = json.loads(out.read_text(encoding="utf-8"))
    assert not [key for key in made["$defs"] if ".positions." in key]
    assert "transformer/sinusoidal" in json.dumps(made)
