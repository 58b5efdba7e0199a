"""What the checkpointer refuses to write or to read, and what a failed save leaves behind."""

from __future__ import annotations

import os
import resource
import signal
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save
from torch import nn

from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors import header, writing
from kokoro_plugins.safetensors.params import SafetensorsParams


@pytest.fixture
def checkpointer():
    return SafetensorsParams().build()


GOOD = save({"w": torch.ones(64)}, {"kokoro": '{"format":1}'})


def readers(checkpointer):
    return [checkpointer.read_metadata, checkpointer.load]


@pytest.mark.parametrize("reader", [0, 1], ids=["read_metadata", "load"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a safetensors file"),
        (b"<!DOCTYPE html><html></html>", "is not a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is not a safetensors file"),
        (GOOD[:4], "is not a safetensors file, or it is cut off"),
        (GOOD[:30], "is not a safetensors file, or it is cut off"),
        (GOOD[:-1], "is not a safetensors file, or it is cut off"),
        (GOOD + b"\0", "is not a safetensors file, or it is cut off or damaged"),
        (struct.pack("<Q", 2**63) + GOOD[8:], "is not a safetensors file"),
        (save({"w": torch.ones(1)}), "has no key `kokoro`"),
        (save({"w": torch.ones(1)}, {"format": "pt"}), "has no key `kokoro`"),
        (save({}, {"kokoro": "{'a': 1}"}), "under `kokoro` that is not JSON"),
        (save({}, {"kokoro": ""}), "under `kokoro` that is not JSON"),
        (save({}, {"kokoro": "[" * 100_000}), "under `kokoro` that is not JSON"),
        (save({}, {"kokoro": "[1]"}), r"must have a JSON object .* not list \('\[1\]'\)"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_one_clear_line(
    tmp_path, checkpointer, reader, content, message
):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        readers(checkpointer)[reader](path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", [0, 1], ids=["read_metadata", "load"])
def test_a_folder_a_missing_file_and_a_pickle_are_refused(tmp_path, checkpointer, reader):
    read = readers(checkpointer)[reader]
    with zipfile.ZipFile(tmp_path / "pickle.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    with pytest.raises(CheckpointError, match="must be a regular file; it is a folder"):
        read(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        read(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        read(tmp_path / "pickle.pt")
    with pytest.raises(CheckpointError, match=r"could not be read: .*[Nn]ot a directory"):
        read(tmp_path / "pickle.pt" / "a.safetensors")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, checkpointer):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "a.safetensors"
    path.write_bytes(GOOD)
    path.chmod(0)
    with pytest.raises(CheckpointError, match=r"could not be read: .*ermission"):
        checkpointer.read_metadata(path)


def test_every_length_of_a_cut_off_file_is_refused(tmp_path, checkpointer):
    path = tmp_path / "a.safetensors"
    for length in range(len(GOOD)):
        path.write_bytes(GOOD[:length])
        with pytest.raises(CheckpointError, match="cut off"):
            checkpointer.load(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (lambda w: {"tied.a": w, "tied.b": w}, "`tied.a` and `tied.b` lie in the same memory"),
        (lambda w: {"all": w, "part": w[3:5]}, "`all` and `part` lie in the same memory"),
        (lambda w: {"x": w[:5], "y": w[4:]}, "`x` and `y` lie in the same memory"),
        (lambda w: {"x": w, "z": w.view(torch.int32)[11:]}, "`x` and `z` lie in the same memory"),
        (lambda w: {"meta": w.to("meta")}, "`meta` is on the meta device and has no data"),
        (lambda w: {"s": w.to_sparse()}, r"`s` must be dense, not torch.sparse_coo"),
        (lambda w: {"c": w.to(torch.complex128)}, "`c` is torch.complex128, which safetensors"),
        (lambda w: {"__metadata__": w}, "`__metadata__` is where safetensors keeps"),
    ],
)
def test_a_tensor_that_would_not_come_back_as_it_is_is_refused(
    tmp_path, checkpointer, tensors, message
):
    with pytest.raises(CheckpointError, match=message):
        checkpointer.save(tmp_path / "a.safetensors", tensors(torch.arange(12.0)), {})
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_that_would_not_be_read(tmp_path, checkpointer, monkeypatch):
    path = tmp_path / "a.safetensors"
    monkeypatch.setattr(header, "MAX_HEADER_BYTES", 1000)
    monkeypatch.setattr(writing, "MAX_HEADER_BYTES", 1000)
    with pytest.raises(
        CheckpointError, match=r"make a header of 1\d\d\d bytes, more than the 1000"
    ):
        checkpointer.save(path, {"w": torch.ones(1)}, {"log": "x" * 900})
    with pytest.raises(CheckpointError, match=r"cannot be stored as they are: the name '\.\./w'"):
        checkpointer.save(path, {"../w": torch.ones(1)}, {})
    assert list(tmp_path.iterdir()) == []
    checkpointer.save(path, {"w": torch.ones(1)}, {"log": "x" * 700})
    assert checkpointer.read_metadata(path) == {"log": "x" * 700}


def test_tied_weights_of_a_model_are_named(tmp_path, checkpointer):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    with pytest.raises(CheckpointError, match=r"`0\.weight` and `1\.weight`"):
        checkpointer.save(tmp_path / "a.safetensors", model.state_dict(), {})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": {"b": [1, (2, 3)]}}, r"`metadata\.a\.b\[1\]` = \(2, 3\) would change"),
        ({1: "one"}, r"keys that are strings; `metadata` = \{1: 'one'\} would change"),
        ({"a": float("nan")}, "this is not one: Out of range float"),
        ({"a": float("inf")}, "this is not one: Out of range float"),
        ({"a": {1, 2}}, "this is not one: Object of type set"),
        ({"a": torch.ones(1)}, "this is not one: Object of type Tensor"),
    ],
)
def test_metadata_that_json_would_change_is_refused(tmp_path, checkpointer, metadata, message):
    with pytest.raises(CheckpointError, match=message):
        checkpointer.save(tmp_path / "a.safetensors", {"w": torch.ones(1)}, metadata)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_and_a_path_that_is_a_folder_cannot_be_written(
    tmp_path, checkpointer
):
    (tmp_path / "taken").mkdir()
    with pytest.raises(CheckpointError, match=r"could not be written: .*No such file"):
        checkpointer.save(tmp_path / "none" / "a.safetensors", {"w": torch.ones(1)}, {})
    with pytest.raises(CheckpointError, match=r"could not be written: .*[Ii]s a directory"):
        checkpointer.save(tmp_path / "taken", {"w": torch.ones(1)}, {})
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
    assert list((tmp_path / "taken").iterdir()) == []


@pytest.mark.parametrize("limit", [0, 100, 4096, 40_000])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, checkpointer, limit):
    path = tmp_path / "a.safetensors"
    path.write_bytes(GOOD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(
            CheckpointError, match=r"could not be written: .*the old file or the new one"
        ):
            checkpointer.save(path, {"w": torch.ones(20_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == GOOD
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_save_that_fails_at_the_disk_leaves_the_old_file(
    tmp_path, checkpointer, monkeypatch, call
):
    def fail(*args, **kwargs):
        raise OSError(5, "Input/output error")

    path = tmp_path / "a.safetensors"
    path.write_bytes(GOOD)
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(CheckpointError, match=r"could not be written: .*Input/output error"):
        checkpointer.save(path, {"w": torch.ones(4)}, {})
    assert path.read_bytes() == GOOD
    assert list(tmp_path.iterdir()) == [path]
