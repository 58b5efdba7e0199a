"""The content hash beside the reading: of every piece, in order, and known before the model is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors import hashing as hashing_module
from kokoro_plugins.safetensors import reading
from kokoro_plugins.safetensors.checkpointer import SafetensorsCheckpointer
from kokoro_plugins.safetensors.hashing import hash_beside
from tests.kokoro_core.test_api import tiny

CHECKPOINTER = SafetensorsCheckpointer()
NUMBERS = {"a": torch.arange(300.0), "b": torch.arange(7.0), "c": torch.arange(100.0)}


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.fixture
def small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of which a tensor is read in many pieces."""
    monkeypatch.setattr(reading, "CHUNK", 64)
    CHECKPOINTER.save(tmp_path / "m.safetensors", NUMBERS, {})
    return tmp_path / "m.safetensors"


def test_pieces_are_hashed_in_the_order_in_which_they_came() -> None:
    content = bytes(range(256)) * 400
    with hash_beside(content[:10]) as hashing:
        for start in range(10, len(content), 7001):
            hashing.update(memoryview(content)[start : start + 7001])
        assert hashing.hexdigest() == hashlib.sha256(content).hexdigest()


def test_what_is_wanted_and_what_is_not_is_hashed(small_pieces: Path) -> None:
    for names in ((), ("a",), ("b",), ("c", "a"), None):
        with CHECKPOINTER.open(small_pieces) as found:
            tensors = found.read(names=names)
        for name, tensor in tensors.items():
            assert torch.equal(tensor, NUMBERS[name])


@pytest.mark.parametrize("names", [(), ("a",), ("b",), None], ids=["none", "a", "b", "all"])
def test_each_piece_counts_wanted_or_not(small_pieces: Path, names: tuple[str, ...] | None) -> None:
    size = small_pieces.stat().st_size
    message = "is damaged: its content has the SHA-256"
    for at in range(size - 407 * 4 + 3, size, 61):
        flip(small_pieces, at)
        with (
            CHECKPOINTER.open(small_pieces) as found,
            pytest.raises(CheckpointError, match=message),
        ):
            found.read(names=names)
        flip(small_pieces, at)


def read_and(path: Path, act: Callable[[dict[str, Tensor]], object]) -> None:
    with CHECKPOINTER.open(path) as found, found.reading() as tensors:
        act(tensors)


def test_what_is_given_is_verified_at_the_end_of_the_block(small_pieces: Path) -> None:
    flip(small_pieces, small_pieces.stat().st_size - 1)
    given: list[str] = []
    with pytest.raises(CheckpointError, match="is damaged"):
        read_and(small_pieces, given.extend)
    assert sorted(given) == ["a", "b", "c"]


def test_damage_is_told_rather_than_what_it_led_to(small_pieces: Path) -> None:
    with pytest.raises(KeyError, match="none of these"):
        read_and(small_pieces, itemgetter("none of these"))
    flip(small_pieces, small_pieces.stat().st_size - 1)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_and(small_pieces, itemgetter("none of these"))


def test_a_model_of_damaged_numbers_that_are_none_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tiny().save(path)
    content = bytearray(path.read_bytes())
    content[-4:] = b"\xff\xff\xff\xff"  # a NaN
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        KokoroModel.load(path)
    with pytest.raises(CheckpointError, match="has 1 NaN"):
        KokoroModel.load(path, verify=False)


def hashing_threads(_: object = None) -> list[str]:
    return [each.name for each in threading.enumerate() if "content-hash" in each.name]


def test_no_thread_is_left_whatever_happens(small_pieces: Path) -> None:
    during: list[str] = []
    read_and(small_pieces, lambda tensors: during.extend(hashing_threads()))
    assert len(during) == 1
    assert hashing_threads() == []
    with pytest.raises(KeyError):
        read_and(small_pieces, itemgetter("none of these"))
    assert hashing_threads() == []


def test_who_gives_up_waits_for_one_piece_and_not_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    hashed: list[object] = []

    class Slow:
        def __init__(self, start: bytes) -> None:
            pass

        def update(self, piece: memoryview) -> None:
            given_up.wait()
            hashed.append(piece)

    monkeypatch.setattr(hashing_module, "sha256", Slow)
    with hash_beside(b"") as hashing:
        futures = [hashing.update(memoryview(b"piece")) for _ in range(10)]
        futures[-1].add_done_callback(lambda _: given_up.set())
    assert futures[-1].cancelled()
    assert len(hashed) <= 1
