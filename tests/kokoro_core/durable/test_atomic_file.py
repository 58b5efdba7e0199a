"""A single file is replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kokoro_core.durable import atomic_file
from kokoro_core.errors import CheckpointError


@pytest.mark.parametrize("name", ["model.safetensors", "ü x.bin", "a" * 255, ".hidden", "-x"])
def test_a_file_of_any_name_is_replaced(tmp_path: Path, name: str) -> None:
    for text in ("old", "new"):
        with atomic_file(tmp_path / name) as temporary:
            temporary.write_text(text)
        assert (tmp_path / name).read_text() == text
        assert os.listdir(tmp_path) == [name]


def test_a_relative_path_is_one_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_file(Path("model.safetensors")) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "model.safetensors").read_text() == "new"


def test_a_block_that_raises_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as temporary:
        temporary.write_text(f"new {1 / 0}")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_is_replaced_and_what_it_led_to_is_left(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("old")
    path.symlink_to(target)
    with atomic_file(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), target.read_text()) == ("new", "old")
    assert not path.is_symlink()


def test_a_writer_that_moves_a_file_into_place_is_fine(tmp_path: Path) -> None:
    """As `safetensors` does, with a file that only its owner may read."""
    with atomic_file(tmp_path / "file") as temporary:
        other = temporary.with_name("other")
        other.write_text("new")
        other.chmod(0o600)
        other.rename(temporary)
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "file").stat().st_mode == plain.stat().st_mode


def test_what_is_no_file_is_not_put_in_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_file(path):
        pass
    refused = pytest.raises(CheckpointError, match="must be a regular file; it is a link")
    with refused, atomic_file(path) as temporary:
        temporary.symlink_to("/etc/passwd")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"), atomic_file(tmp_path / "folder") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"), atomic_file(tmp_path / "missing/file"):
        pass
