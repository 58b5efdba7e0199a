"""Attacks by paths: nothing outside is opened, and nothing blocks.

`KOKORO_FAULTS=release` runs 10,000 swaps of a file for a link while it is read, and 500 else.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.params import SafetensorsParams

SWAPS = 10_000 if os.environ.get("KOKORO_FAULTS") == "release" else 500
CHECKPOINTER = SafetensorsParams().build()
METADATA = {"format_version": 1}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with checkpoints in one file and in two, beside one that is nobody's business."""
    for name in ("inside", "outside"):
        folder = tmp_path / name
        folder.mkdir()
        tensors = {"a": torch.zeros(4), "b": torch.ones(4)}
        CHECKPOINTER.save(folder / "one.safetensors", tensors, METADATA)
        CHECKPOINTER.save(folder / "two.safetensors", tensors, METADATA, max_shard_bytes=16)
    return tmp_path / "inside"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened and no folder, by the name that the system has for it."""
    found: list[str] = []
    original = os.open

    def watched(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        descriptor = original(path, flags, *args, **kwargs)
        if not flags & os.O_DIRECTORY:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    return found


def link(home: Path) -> Path:
    path = home / "link.safetensors"
    path.symlink_to(home.parent / "outside" / "one.safetensors")
    return path


def link_to_nothing(home: Path) -> Path:
    path = home / "link.safetensors"
    path.symlink_to("nothing")
    return path


def link_to_itself(home: Path) -> Path:
    path = home / "link.safetensors"
    path.symlink_to(path)
    return path


def pipe(home: Path) -> Path:
    path = home / "pipe.safetensors"
    os.mkfifo(path)
    return path


def listening_socket(home: Path) -> Path:
    here = os.getcwd()
    try:
        os.chdir(home)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.safetensors")
    finally:
        os.chdir(here)
    return home / "socket.safetensors"


def folder(home: Path) -> Path:
    path = home / "folder.safetensors"
    path.mkdir()
    return path


def behind_a_file(home: Path) -> Path:
    return home / "one.safetensors" / "x.safetensors"


def device(home: Path) -> Path:
    path = home / "zero.safetensors"
    path.symlink_to("/dev/zero")
    return path


def terminal(home: Path) -> Path:
    path = home / "tty.safetensors"
    path.symlink_to("/dev/tty")
    return path


def nul(home: Path) -> Path:
    return home / "a\0b.safetensors"


def long(home: Path) -> Path:
    return home / f"{'a' * 300}.safetensors"


def link_in_the_folder_below(home: Path) -> Path:
    below = home / "below"
    below.mkdir()
    path = below / "one.safetensors"
    path.symlink_to("../../outside/one.safetensors")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link, "it is a link"),
        (link_to_nothing, "it is a link"),
        (link_to_itself, "it is a link"),
        (device, "it is a link"),
        (terminal, "it is a link"),
        (link_in_the_folder_below, "it is a link"),
        (pipe, "it is a pipe"),
        (listening_socket, "it is a socket"),
        (folder, "it is a folder"),
        (behind_a_file, "ot a directory"),
        (nul, "null (byte|character)"),
        (long, "ame too long"),
        (lambda _: Path("/dev/zero"), "it is a device"),
        (lambda _: Path("/dev/null"), "it is a device"),
        (lambda _: Path("/dev/stdin"), "it is a (link|device)"),
        (lambda _: Path("/proc/self/mem"), "is not a safetensors file|could not be read"),
        (lambda home: home / ".." / "inside" / "none.safetensors", "does not exist"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    home: Path, opened: list[str], make: Callable[[Path], Path], message: str
) -> None:
    path = make(home)
    with pytest.raises(CheckpointError, match=message):
        CHECKPOINTER.load(path)
    assert not [each for each in opened if "outside" in each]


def indexed(home: Path, name: str) -> Path:
    """Make an index that lists a file, its own hash right, as an attacker would."""
    index = home / "two.safetensors.index.json"
    values = json.loads(index.read_bytes())
    ours = values["metadata"]["kokoro"]
    old = sorted(ours["shards"])[0]
    ours["shards"] = {name if each == old else each: h for each, h in ours["shards"].items()}
    values["weight_map"] = {
        tensor: name if each == old else each for tensor, each in values["weight_map"].items()
    }
    ours["content_sha256"] = "0" * 64
    text = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    digits = sha256(text).hexdigest().encode()
    start = text.index(b"0" * 64)
    index.write_bytes(text[:start] + digits + text[start + 64 :])
    return index


@pytest.mark.parametrize(
    "name",
    [
        "../outside/one.safetensors",
        "/etc/passwd",
        "/dev/zero",
        "a/../../outside/one.safetensors",
        "./two-00001-of-00002-000000000000.safetensors",
        "sub/two-00001-of-00002-000000000000.safetensors",
        "..\\outside\\one.safetensors",
        "C:\\one.safetensors",
        "~/one.safetensors",
        "$HOME/one.safetensors",
        "one.safetensors\0.json",
        "",
        ".",
        "..",
        "two-00001-of-00002-000000000000.safetensors\n",
        "TWO-00001-of-00002-00000000000G.safetensors",
        "x" * 300,
        "file:///etc/passwd",
        "two-00001-of-00002-000000000000.safetensors/../../outside/one.safetensors",
        "one.safetensors",
        "two.safetensors.index.json",
    ],
)
def test_an_index_leads_to_plain_names_of_shards_only(
    home: Path, opened: list[str], name: str
) -> None:
    index = indexed(home, name)
    with pytest.raises(CheckpointError, match="which is not a valid name of a shard"):
        CHECKPOINTER.load(index)
    assert opened == [str(index)]


def linked_shard(home: Path) -> None:
    shard = min(home.glob("two-*"))
    target = home.parent / "outside" / shard.name
    assert target.read_bytes() == shard.read_bytes()  # even the right content
    shard.unlink()
    shard.symlink_to(target)


def piped_shard(home: Path) -> None:
    shard = min(home.glob("two-*"))
    shard.unlink()
    os.mkfifo(shard)


def folder_for_a_shard(home: Path) -> None:
    shard = min(home.glob("two-*"))
    shard.unlink()
    shard.mkdir()


@pytest.mark.parametrize("change", [linked_shard, piped_shard, folder_for_a_shard])
def test_a_shard_that_is_no_regular_file_is_refused(
    home: Path, opened: list[str], change: Callable[[Path], None]
) -> None:
    change(home)
    with pytest.raises(CheckpointError, match="must be a regular file"):
        CHECKPOINTER.load(home / "two.safetensors")
    assert not [each for each in opened if "outside" in each]


def test_a_folder_that_becomes_a_link_after_it_was_opened_leads_nowhere(
    home: Path, opened: list[str]
) -> None:
    with CHECKPOINTER.open(home / "two.safetensors") as found:
        home.rename(home.with_name("moved"))
        home.symlink_to(home.with_name("outside"))
        assert found.read()["b"].tolist() == [1.0] * 4
    assert not [each for each in opened if "outside" in each]


def test_a_file_that_is_replaced_after_it_was_opened_is_the_one_that_is_read(home: Path) -> None:
    path = home / "one.safetensors"
    with CHECKPOINTER.open(path) as found:
        CHECKPOINTER.save(path, {"a": torch.full((4,), 9.0)}, METADATA)
        assert found.read()["b"].tolist() == [1.0] * 4
    assert CHECKPOINTER.load(path)["a"].tolist() == [9.0] * 4


def test_a_link_that_comes_and_goes_is_never_followed(home: Path, opened: list[str]) -> None:
    path, spare = home / "one.safetensors", home / "spare"
    secret = home.parent / "outside" / "one.safetensors"
    CHECKPOINTER.save(secret, {"secret": torch.zeros(1)}, METADATA)
    content = path.read_bytes()
    opened.clear()
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            spare.symlink_to(secret)
            os.replace(spare, path)
            spare.write_bytes(content)
            os.replace(spare, path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes = {"read": 0, "refused": 0}
    try:
        for _ in range(SWAPS):
            try:
                assert set(CHECKPOINTER.load(path)) == {"a", "b"}
                outcomes["read"] += 1
            except CheckpointError:
                outcomes["refused"] += 1
    finally:
        stop.set()
        swapping.join()
    assert sum(outcomes.values()) == SWAPS
    assert not [each for each in opened if "outside" in each]


def test_a_hard_link_is_a_regular_file_like_any_other(home: Path) -> None:
    os.link(home / "one.safetensors", home / "other.safetensors")
    assert set(CHECKPOINTER.load(home / "other.safetensors")) == {"a", "b"}


def test_a_folder_may_be_reached_by_a_link(home: Path) -> None:
    (home.parent / "way").symlink_to(home)
    assert set(CHECKPOINTER.load(home.parent / "way" / "one.safetensors")) == {"a", "b"}
    assert set(CHECKPOINTER.load(home.parent / "way" / "two.safetensors")) == {"a", "b"}


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before
