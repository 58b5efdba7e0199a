"""Reading a step: what is damaged is found and said, and nothing outside is opened."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.durable import Step, StepFolder
from kokoro_core.durable.step import StepGone
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.durable.scenes import content_of, read, save


def newest_of(root: Path) -> tuple[int, list[str]]:
    said: list[str] = []
    found = StepFolder(root).newest(said.append)
    assert found is not None
    return found.number, said


def test_a_step_gives_back_what_was_saved(tmp_path: Path) -> None:
    step = save(tmp_path, 120)
    assert step.path == tmp_path / "step-000000120"
    assert read(step) == content_of(120)
    assert {name: step.file(name).read_bytes() for name in step.manifest.files} == content_of(120)
    assert step.manifest.step == 120
    with pytest.raises(CheckpointError, match=r"has no file `weights`; it has model.safetensors"):
        step.file("weights")
    with pytest.raises(CheckpointError, match=r"has no file `../.lock`"), step.open("../.lock"):
        pass


def test_a_folder_without_steps_has_no_newest(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "not-there"):
        assert StepFolder(root).newest(pytest.fail) is None
        assert StepFolder(root).steps() == []
    assert not (tmp_path / "not-there").exists()


def test_a_folder_that_is_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file` could not be read: Not a directory"):
        StepFolder(tmp_path / "file").newest(pytest.fail)
    with pytest.raises(CheckpointError, match=r"file` could not be written to: "):
        save(tmp_path / "file", 1)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(path: Path) -> None:
    other = path.parent.with_name("step-000000001") / path.name
    mine = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(mine)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def bound(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


def linked(path: Path) -> None:
    """Put a link to an equal file outside in place of it."""
    outside = path.parent.parent / f"outside-{path.name}"
    path.rename(outside)
    path.symlink_to(outside)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def whole_linked(path: Path) -> None:
    """Put a link to the whole directory in place of it."""
    outside = path.parent.parent / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)


def to_null(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (
        flip,
        "has different content than when it was written|does not match its own hash|JSON",
    ),
    "cut by one byte": (lambda path: os.truncate(path, path.stat().st_size - 1), "bytes, not|JSON"),
    "empty": (lambda path: os.truncate(path, 0), "has 0 bytes, not|is not JSON"),
    "longer": (lambda path: os.truncate(path, 9999), "has 9999 bytes, not|is not JSON"),
    "missing": (Path.unlink, "No such file"),
    "a folder": (folder, "must be a regular file; it is a folder"),
    "a pipe": (pipe, "must be a regular file; it is a pipe"),
    "a socket": (bound, "must be a regular file; it is a socket"),
    "a link": (linked, "must be a regular file; it is a link"),
    "a link to a device": (to_null, "must be a regular file; it is a link"),
    "the directory is a link": (whole_linked, "Not a directory|symbolic links"),
}


@pytest.mark.parametrize("name", ["model.safetensors", "training.json", "manifest.json"])
@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_step_is_passed_over_and_said(
    tmp_path: Path, name: str, damage: Callable[[Path], Any], message: str
) -> None:
    for number in (1, 2):
        save(tmp_path, number)
    damage(tmp_path / "step-000000002" / name)
    with pytest.raises(CheckpointError, match=message):
        Step(2, tmp_path / "step-000000002").verify()
    number, said = newest_of(tmp_path)
    assert number == 1
    assert len(said) == 1
    assert str(tmp_path / "step-000000002") in said[0]
    assert said[0].endswith("It is skipped; looking for an earlier step.")


def test_files_that_two_steps_have_exchanged_are_found(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save(tmp_path, number, keep_last=3)
    swap(tmp_path / "step-000000003/model.safetensors")
    number, said = newest_of(tmp_path)
    assert (number, len(said)) == (2, 1)


def test_a_step_under_the_name_of_another_is_found(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / "step-000000001").rename(tmp_path / "step-000000002")
    with pytest.raises(CheckpointError, match=r"`manifest.json` is of step 1"):
        Step(2, tmp_path / "step-000000002").verify()


def test_a_folder_in_which_no_step_is_whole_is_an_error_that_names_each(tmp_path: Path) -> None:
    for number in (1, 2):
        flip(save(tmp_path, number).file("model.safetensors"))
    said: list[str] = []
    with pytest.raises(
        CheckpointError,
        match=r"has 2 saved steps and none of them is intact: .*step-000000002.*step-000000001",
    ):
        StepFolder(tmp_path).newest(said.append)
    assert len(said) == 2


def test_a_step_that_is_removed_while_it_is_read_is_not_called_damaged(tmp_path: Path) -> None:
    step = save(tmp_path, 1)
    for each in step.path.iterdir():
        each.unlink()
    step.path.rmdir()
    with pytest.raises(StepGone, match=r"step-000000001` does not exist \(any more\)"):
        step.verify()


def test_an_open_file_is_read_to_its_end_when_its_step_is_pruned(tmp_path: Path) -> None:
    first = save(tmp_path, 1, keep_last=1)
    with first.open("model.safetensors") as file:
        start = file.read(10)
        save(tmp_path, 2, keep_last=1)
        assert not first.path.exists()
        assert start + file.read() == content_of(1)["model.safetensors"]


def test_a_link_that_comes_and_goes_is_never_followed(tmp_path: Path) -> None:
    """A file is opened by name once, and what was opened is what is checked."""
    step = save(tmp_path, 1)
    path, secret = step.file("training.json"), tmp_path / "secret"
    secret.write_bytes(b"s" * path.stat().st_size)
    good = path.read_bytes()
    stat = os.stat

    def swapped_after(*args: Any, **kwargs: Any) -> os.stat_result:
        """Look at the file, and at once put a link in its place."""
        found = stat(*args, **kwargs)
        if args[0] == path.name:
            path.unlink()
            path.symlink_to(secret)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", swapped_after)
        with pytest.raises(CheckpointError, match="symbolic links"), step.open(path.name) as file:
            assert file.read() == good


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "`write` must leave at least one file"),
        (lambda path: (path / "manifest.json").touch(), "must not leave a `manifest.json`"),
        (lambda path: (path / "sub").mkdir(), "`sub` must be a regular file; it is a folder"),
        (lambda path: (path / "a b").touch(), "`'a b'` must be a plain file name"),
        (lambda path: (path / "ü").touch(), r"`'\\xfc'` must be a plain file name"),
        (lambda path: (path / "l").symlink_to("/etc/passwd"), "regular file; it is a link"),
        (lambda path: os.mkfifo(path / "p"), "regular file; it is a pipe"),
    ],
    ids=["nothing", "a manifest", "a folder", "a blank", "another script", "a link", "a pipe"],
)
def test_only_plain_files_can_be_saved(
    tmp_path: Path, write: Callable[[Path], Any], message: str
) -> None:
    save(tmp_path, 1)
    with pytest.raises(CheckpointError, match=rf"step-000000002` could not be saved: .*{message}"):
        StepFolder(tmp_path).save(2, write, facts={})
    assert sorted(os.listdir(tmp_path)) == [".lock", "step-000000001"]


@pytest.mark.parametrize("step", [-1, 1.0, True, "1", None], ids=repr)
def test_a_step_is_a_whole_number_from_0(tmp_path: Path, step: Any) -> None:
    with pytest.raises(CheckpointError, match="`step` must be a whole number from 0 on, not"):
        StepFolder(tmp_path).save(step, lambda path: None, facts={})


@pytest.mark.parametrize("score", [1, True, float("nan"), float("inf"), "good"], ids=repr)
def test_a_score_is_a_finite_float(tmp_path: Path, score: Any) -> None:
    with pytest.raises(CheckpointError, match="`score` must be a finite float or None, not"):
        StepFolder(tmp_path).save(1, lambda path: None, facts={}, score=score)


def test_another_error_of_the_caller_is_handed_on_with_a_note(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        (path / "model.safetensors").touch()
        raise ZeroDivisionError

    save(tmp_path, 1)
    with pytest.raises(ZeroDivisionError) as raised:
        StepFolder(tmp_path).save(2, write, facts={})
    [note] = raised.value.__notes__
    assert "step-000000002` could not be saved. The folder has 1 steps; the newest is 1." in note
    assert sorted(os.listdir(tmp_path)) == [".lock", "step-000000001"]


def test_a_save_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        (path / "model.safetensors").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StepFolder(tmp_path).save(2, write, facts={})
    assert os.listdir(tmp_path) == [".lock"]


def test_what_reads_back_as_something_else_is_not_saved(tmp_path: Path) -> None:
    """A disk that keeps another byte than it was given is found before anything is removed."""
    save(tmp_path, 1, keep_last=1)

    def fail_to_keep(descriptor: int, start: int, length: int, advice: int) -> None:
        """Change what is on the disk, where what is in memory is to be forgotten."""
        if advice == os.POSIX_FADV_DONTNEED:
            flip(Path(os.readlink(f"/dev/fd/{descriptor}")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "posix_fadvise", fail_to_keep)
        with pytest.raises(CheckpointError, match="reads back differently than it was written"):
            save(tmp_path, 2, keep_last=1)
    assert newest_of(tmp_path) == (1, [])


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_step_that_cannot_be_read_back_is_not_saved(tmp_path: Path, fails_at: int) -> None:
    """The first read of a file is of what is in memory, the second of what is on the disk."""
    save(tmp_path, 1, keep_last=1)
    real, seen = os.pread, 0

    def fail(descriptor: int, length: int, at: int) -> bytes:
        nonlocal seen
        seen += length == 2**20
        if seen == fails_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, length, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", fail)
        with pytest.raises(CheckpointError, match=r"step-000000002` could not be saved: Input/out"):
            save(tmp_path, 2, keep_last=1)
    assert newest_of(tmp_path) == (1, [])


@pytest.mark.parametrize("extra", [-1, 0, 1, 12345])
def test_a_file_of_about_a_span_has_the_hash_of_its_whole(tmp_path: Path, extra: int) -> None:
    content = random.Random(extra).randbytes(2**25 + extra)

    def write(path: Path) -> None:
        (path / "a").write_bytes(content)

    step = StepFolder(tmp_path).save(1, write, facts={})
    assert step.manifest.files["a"].sha256 == hashlib.sha256(content).hexdigest()
    assert step.manifest.files["a"].size == len(content)
    step.verify()
