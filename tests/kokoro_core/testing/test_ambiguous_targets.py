"""A name that means two things is said to, with the way to write each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kokoro_core.testing.engine.targets import targets_named
from kokoro_core.testing.subjects.model_subject import ModelSubject
from registry import NamedSpec, Plugins, installed_plugins

pytestmark = pytest.mark.same_everywhere

OURS = installed_plugins()
SMALL = OURS.specs["small"]


def with_spec(name: str) -> Plugins:
    """Return the installed plugins, one of which ships a spec of that name."""
    return replace(OURS, specs={**OURS.specs, name: NamedSpec(name, SMALL.file, "acme")})


def test_a_spec_beside_a_component_of_its_name_is_said_and_reached() -> None:
    plugins, notes = with_spec("gaussian"), list[str]()
    [component] = targets_named("gaussian", plugins, notes.append)
    assert getattr(component, "component_name", "") == "gaussian"
    assert notes == [
        "`gaussian` is a plugin too; `gaussian/` means all of its components",
        "`gaussian` is a named spec too; `spec/gaussian` means that",
    ]
    [*_, model] = targets_named("spec/gaussian", plugins)
    assert isinstance(model, ModelSubject)
    assert model.spec.name == "small"


def test_a_file_beside_a_component_of_its_name_is_said_and_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "repeat"
    file.write_bytes(SMALL.file.read_bytes())
    monkeypatch.chdir(tmp_path)
    notes: list[str] = []
    targets_named("repeat", OURS, notes.append)
    assert notes == [f"`repeat` is a file too; `{file}` means that"]
    for name in (str(file), "spec/repeat.yaml"):
        file.rename(tmp_path / "repeat.yaml") if name.endswith("yaml") else None
        [*_, model] = targets_named(name, OURS)
        assert isinstance(model, ModelSubject)


def test_a_name_that_means_one_thing_is_taken_without_a_word() -> None:
    notes: list[str] = []
    targets_named("repeat", OURS, notes.append)
    targets_named("spec/small", OURS, notes.append)
    targets_named("regulator/repeat", OURS, notes.append)
    assert notes == []
