"""Checkpoints in several files: whole, ordered, and never more in memory than they must be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from kokoro_core import KokoroModel
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors import reading
from kokoro_plugins.safetensors.params import SafetensorsParams
from kokoro_plugins.safetensors.sharded import split
from tests.kokoro_core.test_api import tiny

CHECKPOINTER = SafetensorsParams().build()
METADATA = {"format_version": 1}
TENSORS = {f"t{number:02d}": torch.full((10,), float(number)) for number in range(25)}
INDEX = "m.safetensors.index.json"


def files(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def save(folder: Path, tensors: dict[str, torch.Tensor], limit: int | None = 200) -> None:
    CHECKPOINTER.save(folder / "m.safetensors", tensors, METADATA, max_shard_bytes=limit)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=20),
    limit=st.integers(1, 60),
)
@example(sizes={}, limit=1)
@example(sizes={"a": 0, "b": 0}, limit=1)
@example(sizes={"a": 50, "b": 10, "c": 50}, limit=60)
def test_shards_hold_every_name_once_and_no_more_than_they_may(
    sizes: dict[str, int], limit: int
) -> None:
    shards = split(sizes, limit)
    assert [name for shard in shards for name in shard] == sorted(sizes)
    for shard in shards:
        assert len(shard) == 1 or sum(sizes[name] for name in shard) <= limit


def test_what_is_split_comes_back_and_other_readers_find_it(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    save(tmp_path, TENSORS)
    index = json.loads((tmp_path / INDEX).read_bytes())
    assert index["metadata"]["total_size"] == 25 * 40
    assert files(tmp_path) == {INDEX, *index["weight_map"].values()}
    assert len(files(tmp_path)) == 1 + 5
    for name, file in index["weight_map"].items():
        assert torch.equal(load_file(tmp_path / file)[name], TENSORS[name])
    for path in (tmp_path / "m.safetensors", tmp_path / INDEX):
        loaded = CHECKPOINTER.load(path)
        assert loaded.keys() == TENSORS.keys()
        assert all(torch.equal(loaded[name], each) for name, each in TENSORS.items())
        assert CHECKPOINTER.read_metadata(path) == METADATA


def test_equal_content_gives_equal_files_in_any_order(tmp_path: Path) -> None:
    for name, tensors in (("a", TENSORS), ("b", dict(reversed(TENSORS.items())))):
        (tmp_path / name).mkdir()
        save(tmp_path / name, tensors)
    first, second = (
        {each.name: each.read_bytes() for each in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == second


def test_what_fits_is_one_file(tmp_path: Path) -> None:
    save(tmp_path, TENSORS, 1000)
    assert files(tmp_path) == {"m.safetensors"}


def test_the_next_checkpoint_takes_the_place_of_the_last(tmp_path: Path) -> None:
    save(tmp_path, TENSORS)
    before = files(tmp_path)
    (tmp_path / "m-00001-of-00005-notours.safetensors").write_bytes(b"x")
    (tmp_path / "n-00001-of-00005-0123456789ab.safetensors").write_bytes(b"y")
    foreign = files(tmp_path) - before
    changed = {**TENSORS, "t24": torch.zeros(10)}
    save(tmp_path, changed)
    after = files(tmp_path) - foreign
    assert len(after) == len(before) == 6
    assert len(after & before) == 5  # the index, and the four shards that are the same
    assert torch.equal(CHECKPOINTER.load(tmp_path / INDEX)["t24"], torch.zeros(10))
    assert foreign <= files(tmp_path)


@pytest.mark.parametrize("fails", range(1, 9))
def test_a_save_that_fails_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    save(tmp_path, TENSORS)
    original, calls = os.rename, []

    def rename(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) == fails:
            raise OSError(28, "No space left on device")
        original(*args, **kwargs)

    monkeypatch.setattr(os, "rename", rename)
    changed = {name: each + 1 for name, each in TENSORS.items()}
    with pytest.raises(CheckpointError, match=r"could not be written: .*No space left"):
        save(tmp_path, changed)
    monkeypatch.undo()
    loaded = CHECKPOINTER.load(tmp_path / INDEX)
    assert all(torch.equal(loaded[name], each) for name, each in TENSORS.items())
    save(tmp_path, changed)
    assert len(files(tmp_path)) == 6  # what the failed one left is gone
    assert torch.equal(CHECKPOINTER.load(tmp_path / INDEX)["t00"], torch.ones(10))


def test_two_forms_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    save(tmp_path, TENSORS)
    before = files(tmp_path)
    with pytest.raises(CheckpointError, match=r"written as one file, and `m\.safetensors\.index"):
        save(tmp_path, TENSORS, None)
    assert files(tmp_path) == before
    (tmp_path / "b").mkdir()
    save(tmp_path / "b", TENSORS, None)
    with pytest.raises(CheckpointError, match=r"written as several files, and `m\.safetensors` is"):
        save(tmp_path / "b", TENSORS)
    assert files(tmp_path / "b") == {"m.safetensors"}


def test_two_forms_of_one_name_are_not_guessed_between(tmp_path: Path) -> None:
    save(tmp_path, TENSORS)
    (tmp_path / "m.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="are both there, and each may be the newer"):
        CHECKPOINTER.load(tmp_path / "m.safetensors")
    assert len(CHECKPOINTER.load(tmp_path / INDEX)) == 25


def test_the_name_of_an_index_is_not_the_name_of_one_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"save to `m\.safetensors`, or give a lower"):
        CHECKPOINTER.save(tmp_path / INDEX, TENSORS, METADATA)
    CHECKPOINTER.save(tmp_path / INDEX, TENSORS, METADATA, max_shard_bytes=200)
    assert INDEX in files(tmp_path)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_shard_of_nothing_is_refused(tmp_path: Path, limit: int) -> None:
    with pytest.raises(CheckpointError, match=f"`max_shard_bytes` must be at least 1, not {limit}"):
        save(tmp_path, TENSORS, limit)


def test_a_shard_alone_says_what_it_is(tmp_path: Path) -> None:
    tiny().save(tmp_path / "m.safetensors", max_shard_bytes=20_000)
    shard = min(tmp_path.glob("m-*"))
    assert CHECKPOINTER.read_metadata(shard)["index"] == INDEX
    with pytest.raises(CheckpointError, match=f"is a part of a checkpoint; load `{INDEX}` beside"):
        KokoroModel.load(shard)


def test_a_model_in_shards_is_the_model(tmp_path: Path) -> None:
    model = tiny()
    model.save(tmp_path / "m.safetensors", max_shard_bytes=20_000)
    loaded = KokoroModel.load(tmp_path / "m.safetensors").acoustic.state_dict()
    assert all(
        torch.equal(loaded[name], each) for name, each in model.acoustic.state_dict().items()
    )


# What is in memory


class Allocations(TorchDispatchMode):
    """Notes the bytes of every tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        there = {each.untyped_storage()._cdata for each in args if isinstance(each, torch.Tensor)}
        if isinstance(result, torch.Tensor):
            storage = result.untyped_storage()
            if storage._cdata not in there:  # it is no view of what was given
                self.made.append(storage.nbytes())
        return result


@pytest.mark.parametrize("limit", [None, 200], ids=["one file", "shards"])
def test_reading_makes_each_tensor_once_and_reads_it_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    save(tmp_path, TENSORS, limit)
    buffers: list[int] = []
    original = os.preadv

    def watched(descriptor: int, targets: Any, offset: int) -> int:
        buffers.append(sum(len(each) for each in targets))
        return original(descriptor, targets, offset)

    monkeypatch.setattr(os, "preadv", watched)
    with Allocations() as allocations:
        loaded = CHECKPOINTER.load(tmp_path / "m.safetensors")
    assert sum(allocations.made) == sum(each.nbytes for each in loaded.values()) == 25 * 40
    assert sum(buffers) == 25 * 40  # every byte once
    assert max(buffers) <= reading.CHUNK


def test_no_more_than_one_shard_is_open_and_its_bytes_are_the_most_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, TENSORS)
    path = tmp_path / INDEX

    def open_shards() -> list[str]:
        links = (os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd"))
        return [each for each in links if os.path.basename(each).startswith("m-")]

    most = 0
    original = os.preadv

    def watched(*args: Any) -> int:
        nonlocal most
        most = max(most, len(open_shards()))
        return original(*args)

    monkeypatch.setattr(os, "preadv", watched)
    CHECKPOINTER.load(path)
    assert most == 1


def test_on_another_device_one_tensor_at_a_time_exists_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, TENSORS)
    alive: list[int] = []
    most = 0
    original = torch.empty

    def made(*args: Any, **kwargs: Any) -> torch.Tensor:
        import weakref

        nonlocal most
        tensor = original(*args, **kwargs)
        if tensor.device.type == "cpu":
            alive.append(tensor.nbytes)
            weakref.finalize(tensor, alive.remove, tensor.nbytes)
            most = max(most, sum(alive))
        return tensor

    monkeypatch.setattr(torch, "empty", made)
    loaded = CHECKPOINTER.load(tmp_path / INDEX, device="meta")
    assert {each.device.type for each in loaded.values()} == {"meta"}
    assert most == 2 * 40  # the one that is read, and the one before it that is just let go


def test_tensors_that_are_not_wanted_are_not_kept(tmp_path: Path) -> None:
    save(tmp_path, TENSORS)
    with Allocations() as allocations, CHECKPOINTER.open(tmp_path / INDEX) as found:
        assert set(found.read(names={"t03"})) == {"t03"}
    assert sum(allocations.made) == 40


def test_saving_copies_no_tensor_that_is_plain(tmp_path: Path) -> None:
    with Allocations() as allocations:
        save(tmp_path, TENSORS, None)
    assert sum(allocations.made) == 0
