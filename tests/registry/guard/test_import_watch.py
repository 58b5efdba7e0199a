"""The first import of a heavy package runs in a context, whoever asks for it."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.guard.import_watch import watch_imports


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Install packages that import each other and note when the context is entered and left."""
    noted: list[str] = []
    for name, source in (
        ("heavy_one", "import heavy_two"),
        ("heavy_two", ""),
        ("heavy_bad", "raise ValueError('bad')"),
        ("light_one", ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source)
        (tmp_path / name / "part.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        noted.append("in")
        try:
            yield
        finally:
            noted.append("out")

    finders = list(sys.meta_path)
    with watch_imports(("heavy_one", "heavy_two", "heavy_bad"), around):
        yield noted
    assert sys.meta_path == finders
    for name in [each for each in sys.modules if each.startswith(("heavy_", "light_one"))]:
        del sys.modules[name]


def test_a_package_and_what_it_imports_share_one_context(seen: list[str]) -> None:
    importlib.import_module("heavy_one")
    assert seen == ["in", "out"]
    assert {"heavy_one", "heavy_two"} <= set(sys.modules)


def test_a_later_module_of_a_package_has_a_context_and_a_second_import_none(
    seen: list[str],
) -> None:
    importlib.import_module("heavy_two")
    importlib.import_module("heavy_two")
    importlib.import_module("heavy_two.part")
    assert seen == ["in", "out"] * 2


def test_other_packages_and_missing_modules_are_left_alone(seen: list[str]) -> None:
    importlib.import_module("light_one.part")
    with pytest.raises(ModuleNotFoundError, match=r"heavy_two\.none"):
        importlib.import_module("heavy_two.none")
    assert seen == ["in", "out"]


def test_a_package_that_raises_leaves_its_context_and_the_next_one_has_its_own(
    seen: list[str],
) -> None:
    with pytest.raises(ValueError, match="bad"):
        importlib.import_module("heavy_bad")
    importlib.import_module("heavy_two")
    assert seen == ["in", "out"] * 2


def test_the_loader_of_a_package_is_as_it_was(seen: list[str]) -> None:
    loader = importlib.import_module("heavy_two").__loader__
    assert "exec_module" not in vars(loader)
    assert len(seen) == 2
