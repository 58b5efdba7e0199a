"""What the component keeps, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kokoro_core.errors import CheckpointError
from kokoro_core.scaffold.examples.checkpointer.params import ExampleParams

TENSORS = {
    "weight": torch.tensor([[1.5, float("nan")], [-0.0, 3.0]]),
    "half": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "empty": torch.zeros(0, 4, dtype=torch.int64),
    "number": torch.tensor(7),
}
SUFFIX = ExampleParams.suffixes[0]


def test_everything_comes_back_to_the_bit(tmp_path: Path) -> None:
    checkpointer, path = ExampleParams().build(), tmp_path / f"model{SUFFIX}"
    checkpointer.save(path, TENSORS, {"spec": {"name": "x"}})
    assert checkpointer.read_metadata(path) == {"spec": {"name": "x"}}
    loaded = checkpointer.load(path)
    assert loaded.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert (loaded[name].dtype, loaded[name].shape) == (tensor.dtype, tensor.shape)
        found, expected = (each.flatten().view(torch.uint8) for each in (loaded[name], tensor))
        assert torch.equal(found, expected)
    again = tmp_path / f"again{SUFFIX}"
    checkpointer.save(again, dict(reversed(TENSORS.items())), {"spec": {"name": "x"}})
    assert again.read_bytes() == path.read_bytes()


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    checkpointer, path = ExampleParams().build(), tmp_path / f"model{SUFFIX}"
    checkpointer.save(path, TENSORS, {})
    with checkpointer.open(path) as found:
        assert found.layout["half"].dtype == "bfloat16"
        assert [*found.read(names=["number"])] == ["number"]


def test_a_changed_value_is_found(tmp_path: Path) -> None:
    checkpointer, path = ExampleParams().build(), tmp_path / f"model{SUFFIX}"
    checkpointer.save(path, {"x": torch.tensor([1.0])}, {})
    one, two = (torch.tensor([each]).numpy().tobytes() for each in (1.0, 2.0))
    path.write_bytes(path.read_bytes().replace(one, two))
    with checkpointer.open(path) as found, pytest.raises(CheckpointError, match="is damaged"):
        found.verify()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpointer, path = ExampleParams().build(), tmp_path / f"model{SUFFIX}"
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        checkpointer.load(path)
    path.write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        checkpointer.load(path)
    with pytest.raises(CheckpointError, match=r"`x` must have one of the types .* not complex64"):
        checkpointer.save(path, {"x": torch.zeros(1, dtype=torch.complex64)}, {})
    with pytest.raises(CheckpointError, match="`max_shard_bytes` must be None"):
        checkpointer.save(path, TENSORS, {}, max_shard_bytes=1)
