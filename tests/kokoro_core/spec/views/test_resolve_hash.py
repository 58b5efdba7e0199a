"""The hash of a spec is one of its meaning."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.views.resolve import resolve, spec_hash
from registry import installed_plugins
from tests.kokoro_core.spec.toys import PLUGINS, minimal
from tests.kokoro_core.spec.views.test_resolve import OVERRIDES


def hash_of(value: Any) -> str:
    return spec_hash(load_spec(value, plugins=PLUGINS), PLUGINS)


def shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    return value


@settings(deadline=None)
@given(OVERRIDES, st.randoms(use_true_random=False))
def test_order_defaults_and_qualified_names_do_not_count(
    overrides: dict[str, Any], random: Any
) -> None:
    spec = load_spec(minimal(), overrides=overrides, plugins=PLUGINS)
    full = resolve(spec, PLUGINS)["spec"]
    assert hash_of(shuffled(full, random)) == spec_hash(spec, PLUGINS)


@settings(deadline=None, max_examples=40)
@given(OVERRIDES)
@example({"encoder.heads": 4})
@example({"loss.stop": 5e-324})
@example({"loss.stop": -0.0})
def test_two_specs_have_one_hash_exactly_if_they_are_equal(overrides: dict[str, Any]) -> None:
    plain, changed = (
        load_spec(minimal(), overrides=each, plugins=PLUGINS) for each in ({}, overrides)
    )
    same = changed.model_copy(update={"plugins": {}}) == plain
    assert (spec_hash(changed, PLUGINS) == spec_hash(plain, PLUGINS)) == same


def test_yaml_and_json_files_of_one_spec_have_one_hash(tmp_path: Path) -> None:
    plugins = installed_plugins()
    for name, named in plugins.specs.items():
        full = resolve(load_spec(name), plugins)["spec"]
        as_json, as_yaml = tmp_path / f"{name}.json", tmp_path / f"{name}.yaml"
        as_json.write_text(json.dumps(full, indent=1))
        as_yaml.write_bytes(named.file.read_bytes())
        found = {spec_hash(load_spec(each)) for each in (as_json, as_yaml, name)}
        assert len(found) == 1


def test_the_hash_is_the_sha256_of_sorted_json_without_the_section_plugins() -> None:
    spec = load_spec(minimal(plugins={"acme-toys": ">=1"}), plugins=PLUGINS)
    full = resolve(spec, PLUGINS)["spec"]
    full.pop("plugins")
    text = json.dumps(full, sort_keys=True, separators=(",", ":"))
    assert spec_hash(spec, PLUGINS) == hashlib.sha256(text.encode("ascii")).hexdigest()
    assert hash_of(minimal()) == spec_hash(spec, PLUGINS)


def test_the_hash_is_the_same_in_another_process() -> None:
    code = (
        "from kokoro_core.spec.load import load_spec\n"
        "from kokoro_core.spec.views.resolve import spec_hash\n"
        "print(spec_hash(load_spec('mixed')))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        assert done.stdout.strip() == spec_hash(load_spec("mixed"))
