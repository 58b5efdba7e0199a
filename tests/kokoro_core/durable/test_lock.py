"""The writer's lock, what dead processes leave behind, and who may do what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kokoro_core.durable import StepFolder, atomic_file
from kokoro_core.durable.identity import ProcessIdentity
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.durable import other_users
from tests.kokoro_core.durable.scenes import judge, save, write_file
from tests.kokoro_core.durable.small_process import in_small_process


def test_a_second_writer_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    sentence = (
        rf"is being written to by process {os.getpid()} on '.*' \(boot '[0-9a-f]{{8}}'\); "
        r"a folder has one writer at a time\. Wait for it, stop it, or write to another folder"
    )
    with StepFolder(tmp_path).hold(), pytest.raises(CheckpointError, match=sentence):
        save(tmp_path, 1)
    save(tmp_path, 1)
    assert judge(tmp_path, 1, 1) == (1, [])


def test_who_holds_a_folder_saves_to_it(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    with folder.hold(), folder.hold():
        folder.save(1, lambda path: (path / "a").touch(), facts={})
        folder.save(2, lambda path: (path / "a").touch(), facts={})
    assert [each.number for each in folder.steps()] == [1, 2]


def test_an_error_of_the_holder_is_not_taken_for_one_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="something of mine"), StepFolder(tmp_path).hold():
        raise FileNotFoundError("something of mine")
    save(tmp_path, 1)


@pytest.mark.parametrize("card", [b"", b"{", b"[]", b'{"pid":"x"}', b"\xff" * 5000], ids=ascii)
def test_a_holder_that_wrote_nothing_sensible_is_another_process(
    tmp_path: Path, card: bytes
) -> None:
    with StepFolder(tmp_path).hold():
        (tmp_path / ".lock").write_bytes(card)
        with pytest.raises(CheckpointError, match="is being written to by another process"):
            save(tmp_path, 1)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(CheckpointError, match=r"could not be written to: .*symbolic links"):
        save(tmp_path, 1)
    assert not (tmp_path / "precious").exists()


def test_the_lock_ends_with_its_process_and_not_with_its_children() -> None:
    assert in_small_process(other_users.lock_and_die) == {"free": True, "child_was_refused": True}


def of(identity: ProcessIdentity) -> str:
    return f".tmp-step-{identity}-0"


def test_what_a_dead_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    own = ProcessIdentity.own()
    dead = [
        of(ProcessIdentity(own.pid, own.started + 1, own.boot)),  # its number is used again
        of(ProcessIdentity(own.pid, own.started, "00000000")),  # another boot
        of(ProcessIdentity(2**22 + 1, 1, own.boot)),  # no such process
        f".tmp-old-{ProcessIdentity(1, 5, '00000000')}-7",
        f".tmp-file-{ProcessIdentity(1, 5, '00000000')}-7",
    ]
    others = [
        of(own),
        ".tmp-step-1-5-00000000",
        ".tmp-step-1-5-0000000g-0",
        "tmp-step-1-5-00000000-0",
    ]
    for name in (*dead, *others):
        (tmp_path / name / "nested").mkdir(parents=True)
        (tmp_path / name / "nested/file").touch()
    (tmp_path / f".tmp-step-{ProcessIdentity(1, 5, '00000000')}-1").symlink_to(tmp_path / others[1])
    save(tmp_path, 1)
    left = {each for each in os.listdir(tmp_path) if "tmp" in each}
    assert left == {*others, ".tmp-step-1-5-00000000-1"}
    assert (tmp_path / others[1] / "nested/file").exists()


def test_what_is_in_use_is_not_swept_whoever_its_process_is(tmp_path: Path) -> None:
    """As where two machines, that cannot see each other's processes, share a folder."""
    stranger = ProcessIdentity(1, 5, "00000000")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProcessIdentity, "own", classmethod(lambda cls: stranger))
        with atomic_file(tmp_path / "a") as temporary:
            temporary.write_text("new")
            patch.undo()
            write_file(tmp_path / "b", 1)  # it sweeps the folder
    assert (tmp_path / "a").read_text() == "new"


def test_an_identity_is_read_as_it_is_written() -> None:
    own = ProcessIdentity.own()
    assert ProcessIdentity.parse(str(own)) == own
    assert own.is_alive()
    assert ProcessIdentity(own.pid, 0, own.boot).is_alive()  # where no start is known
    for text in ("", "1", "1-2", "0-1-00000000", "1-1-0000000", "1-1-00000000 ", "-1-1-00000000"):
        assert ProcessIdentity.parse(text) is None


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
def test_files_and_folders_have_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        step = save(tmp_path / "run", 1)
        write_file(tmp_path / "file", 1)
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in step.path.iterdir()}
    assert modes == dict.fromkeys(step.manifest.files, 0o666 & ~umask) | {
        "manifest.json": 0o666 & ~umask
    }
    assert step.path.stat().st_mode & 0o777 == 0o777 & ~umask
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.fixture(scope="module")
def said_without_rights() -> dict[str, str]:
    said: dict[str, str] = in_small_process(other_users.without_rights)
    return said


@pytest.mark.parametrize("case", other_users.CASES)
def test_what_may_not_be_read_or_written_is_said(
    case: str, said_without_rights: dict[str, str]
) -> None:
    assert other_users.CASES[case] in said_without_rights[case]
