"""Files that other programs wrote: their tensors, without a hash, read as strictly as ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kokoro_core.contracts import Checkpointer, OpenCheckpoint
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.params import SafetensorsParams

CHECKPOINTER = SafetensorsParams().build()
TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3), "c": torch.ones(4).half()}


def in_two(folder: Path) -> Path:
    save_file({"a": TENSORS["a"]}, folder / "one.safetensors")
    save_file({"b": TENSORS["b"], "c": TENSORS["c"]}, folder / "two.safetensors")
    files = {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": files}), encoding="utf-8")
    return index


def in_one(folder: Path) -> Path:
    save_file(TENSORS, folder / "model.safetensors", {"format": "pt"})
    return folder / "model.safetensors"


@pytest.mark.parametrize("written", [in_one, in_two])
def test_tensors_are_those_that_were_written(tmp_path: Path, written: Any) -> None:
    with CHECKPOINTER.open_published(written(tmp_path)) as found:
        assert {name: str(each) for name, each in found.layout.items()} == {
            "a": "float32 (2, 3)",
            "b": "int64 ()",
            "c": "float16 (4,)",
        }
        assert found.content_hash is None
        tensors = found.read()
        assert list(found.read(names={"c"})) == ["c"]
    assert {*tensors} == {*TENSORS}
    assert all(torch.equal(tensors[name], each) for name, each in TENSORS.items())


@pytest.mark.parametrize("written", [in_one, in_two])
def test_nothing_can_tell_whether_they_are_damaged(tmp_path: Path, written: Any) -> None:
    with (
        CHECKPOINTER.open_published(written(tmp_path)) as found,
        pytest.raises(CheckpointError, match=r"states no content hash, .* import` writes one"),
    ):
        found.verify()


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = in_one(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with (
        pytest.raises(CheckpointError, match="is not a safetensors file, or it is cut off"),
        CHECKPOINTER.open_published(path),
    ):
        pass


def test_an_index_that_is_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokoro_plugins.safetensors.published.MAX_INDEX_BYTES", 20)
    with (
        pytest.raises(CheckpointError, match="is not an index: it has more than 20 bytes"),
        CHECKPOINTER.open_published(in_two(tmp_path)),
    ):
        pass


class OwnFormat(Checkpointer):
    """A checkpointer of before, which knows its own files alone."""

    def save(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, Any],
        *,
        max_shard_bytes: int | None = None,
    ) -> None:
        path.write_text("mine")

    @contextmanager
    def open(self, path: Path) -> Iterator[OpenCheckpoint]:
        raise NotImplementedError
        yield


def test_a_checkpointer_of_before_reads_its_own_files_alone() -> None:
    with pytest.raises(CheckpointError, match="a format in which `OwnFormat` reads only its own"):
        OwnFormat().open_published(Path("a.mine"))
