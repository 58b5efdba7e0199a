"""Bit rot and truncation: every flipped bit and every missing end is found.

`KOKORO_FAULTS=release` flips 10,000 bits of bodies instead of some 2,000.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.params import SafetensorsParams

RELEASE = os.environ.get("KOKORO_FAULTS") == "release"
BODY_BYTES = 1256 if RELEASE else 256
CHECKPOINTER = SafetensorsParams().build()
METADATA = {"format_version": 1, "spec": {"name": "größe"}, "components": []}


def tensors() -> dict[str, torch.Tensor]:
    numbers = torch.arange(BODY_BYTES, dtype=torch.uint8)
    return {"a.weight": numbers[:96].view(torch.float32).view(2, 12), "b": numbers[96:]}


@pytest.fixture
def single(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    CHECKPOINTER.save(path, tensors(), METADATA)
    return path


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    CHECKPOINTER.save(tmp_path / "model.safetensors", tensors(), METADATA, max_shard_bytes=100)
    return tmp_path / "model.safetensors.index.json"


def flipped(path: Path, bits: range) -> Iterator[int]:
    """Yield each bit while it is flipped in the file."""
    content = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for bit in bits:
            place, mask = bit // 8, 1 << bit % 8
            os.pwrite(file.fileno(), bytes([content[place] ^ mask]), place)
            yield bit
            os.pwrite(file.fileno(), content[place : place + 1], place)
    assert path.read_bytes() == content


def is_refused(read: Callable[[], object]) -> bool:
    try:
        read()
    except CheckpointError:
        return True
    return False


def verified(path: Path) -> Callable[[], object]:
    def verify() -> None:
        with CHECKPOINTER.open(path) as found:
            found.verify()

    return verify


def body_start(path: Path) -> int:
    content = path.read_bytes()
    return 8 + int.from_bytes(content[:8], "little")


def test_every_flipped_bit_of_length_and_header_is_found(single: Path) -> None:
    bits = range(8 * body_start(single))
    assert len(bits) > 2500
    missed = [bit for bit in flipped(single, bits) if not is_refused(lambda: load(single))]
    assert missed == []


def test_every_flipped_bit_of_the_body_is_found(single: Path) -> None:
    start, end = body_start(single), single.stat().st_size
    bits = range(8 * start, 8 * end)
    assert len(bits) == 8 * BODY_BYTES
    missed = [bit for bit in flipped(single, bits) if not is_refused(verified(single))]
    assert missed == []


def test_every_flipped_bit_of_an_index_is_found(sharded: Path) -> None:
    bits = range(8 * sharded.stat().st_size)
    missed = [bit for bit in flipped(sharded, bits) if not is_refused(lambda: load(sharded))]
    assert missed == []


def test_every_flipped_bit_of_a_shard_is_found(sharded: Path) -> None:
    shard = min(sharded.parent.glob("*.safetensors"))
    bits = range(0, 8 * shard.stat().st_size, 1 if RELEASE else 3)
    missed = [bit for bit in flipped(shard, bits) if not is_refused(lambda: load(sharded))]
    assert missed == []


def load(path: Path) -> object:
    return CHECKPOINTER.load(path)


def test_without_verifying_a_flipped_bit_of_the_body_passes(single: Path) -> None:
    def unverified() -> object:
        with CHECKPOINTER.open(single) as found:
            return found.read(verify=False)

    bits = range(8 * body_start(single), 8 * body_start(single) + 8)
    assert [is_refused(unverified) for _ in flipped(single, bits)] == [False] * 8


def test_a_flipped_bit_of_a_tensor_that_is_not_wanted_is_found(single: Path) -> None:
    def read() -> object:
        with CHECKPOINTER.open(single) as found:
            return found.read(names={"a.weight"})

    assert not is_refused(read)
    last = 8 * single.stat().st_size
    assert [is_refused(read) for _ in flipped(single, range(last - 8, last))] == [True] * 8


def test_every_length_of_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    wide = {"a": torch.arange(500 if not RELEASE else 2000, dtype=torch.uint8)}
    CHECKPOINTER.save(path, wide, METADATA)
    for length in range(path.stat().st_size - 1, -1, -1):
        os.truncate(path, length)
        with pytest.raises(CheckpointError, match="cut off"):
            load(path)


def test_every_length_of_a_cut_off_index_and_shard_is_refused(sharded: Path) -> None:
    for path in (min(sharded.parent.glob("*.safetensors")), sharded):
        content = path.read_bytes()
        for length in range(path.stat().st_size - 1, -1, -1):
            os.truncate(path, length)
            assert is_refused(lambda: load(sharded)), (path.name, length)
        path.write_bytes(content)
    assert load(sharded)


def test_a_file_that_another_program_wrote_anew_is_refused(single: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(single, "pt") as file:
        metadata = file.metadata()
    changed = {name: each + 1 for name, each in load_file(single).items()}
    save_file(changed, single, metadata)
    with pytest.raises(CheckpointError, match="is damaged: its content has the SHA-256"):
        load(single)
    save_file(changed, single, {"format": "pt", **metadata})
    with pytest.raises(CheckpointError, match="another program has rewritten it"):
        load(single)


def test_the_error_names_both_hashes_and_what_to_do(single: Path) -> None:
    with CHECKPOINTER.open(single) as found:
        stated = found.content_hash
    assert stated is not None
    last = 8 * single.stat().st_size
    for _ in flipped(single, range(last - 1, last)):
        with pytest.raises(CheckpointError, match="nothing of it was used; take another") as caught:
            load(single)
        assert f"it states {stated[:12]}…" in str(caught.value)


def test_shards_of_two_checkpoints_are_not_mixed(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        named = {name: each + number for name, each in tensors().items()}
        CHECKPOINTER.save(folder / "m.safetensors", named, METADATA, max_shard_bytes=100)
    first, second = (min(folder.glob("*.safetensors")) for folder in folders)
    assert first.name != second.name
    first.write_bytes(second.read_bytes())
    with pytest.raises(
        CheckpointError, match=r"is not the shard that `m\.safetensors\.index\.json`"
    ):
        load(folders[0] / "m.safetensors")
    first.unlink()
    with pytest.raises(CheckpointError, match=r"a shard of .* could not be read: .*No such file"):
        load(folders[0] / "m.safetensors")
