"""What the checkpointer writes and gives back."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kokoro_core.errors import CheckpointError
from kokoro_core.slots import CHECKPOINTER
from kokoro_plugins.safetensors import plugin
from kokoro_plugins.safetensors.params import SafetensorsParams
from registry import ComponentRegistry, Registration

METADATA = {"spec": {"name": "größe", "layers": [1, 2]}, "format": 1, "ratio": 0.1, "none": None}

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
]


def raw_header(path: Path) -> dict[str, dict[str, str]]:
    """The header as the format's description says: 8 bytes of length, then JSON."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + length])
    return header


def content_hash(path: Path) -> str:
    """The hash as docs/checkpoints.md says: of the file with zeros for the digits."""
    data = bytearray(path.read_bytes())
    assert data[8:].startswith(b'{"__metadata__":{"kokoro":"{\\"content_sha256\\":\\"')
    data[57:121] = b"0" * 64
    return hashlib.sha256(data).hexdigest()


def some_tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    return {
        f"x.{dtype}": (numbers.to(dtype) if dtype.is_floating_point else numbers.real.to(dtype))
        for dtype in DTYPES
    }


def test_the_plugin_brings_the_checkpointer_under_its_name_and_suffix():
    found = plugin.kokoro_components()
    registry = ComponentRegistry([Registration(each, "safetensors", "d", "1") for each in found])
    params = registry.get(CHECKPOINTER, "safetensors")
    assert params is SafetensorsParams
    assert params.suffixes == (".safetensors", ".safetensors.index.json")


def test_tensors_of_every_type_come_back_exactly(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    tensors = some_tensors() | {"scalar": torch.tensor(3.5), "empty": torch.empty(0, 4)}
    checkpointer.save(path, tensors, METADATA)
    loaded = checkpointer.load(path)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert loaded[name].shape == tensor.shape
        assert torch.equal(loaded[name], tensor)


def test_not_a_number_infinity_and_the_sign_of_zero_come_back_bit_for_bit(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    odd = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45])
    checkpointer.save(path, {"odd": odd}, {})
    assert torch.equal(checkpointer.load(path)["odd"].view(torch.int32), odd.view(torch.int32))


def test_another_reader_of_the_format_reads_the_file(tmp_path):
    path = tmp_path / "a.safetensors"
    SafetensorsParams().build().save(path, {"w": torch.arange(6.0).view(2, 3)}, METADATA)
    assert torch.equal(safetensors.torch.load_file(path)["w"], torch.arange(6.0).view(2, 3))


def test_the_metadata_is_one_key_of_canonical_json(tmp_path):
    path = tmp_path / "a.safetensors"
    SafetensorsParams().build().save(path, {"w": torch.ones(1)}, METADATA)
    assert raw_header(path)["__metadata__"] == {
        "kokoro": (
            f'{{"content_sha256":"{content_hash(path)}","metadata":'
            '{"format":1,"none":null,"ratio":0.1,'
            '"spec":{"layers":[1,2],"name":"gr\\u00f6\\u00dfe"}}}'
        )
    }


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(metadata=st.dictionaries(st.text(), json_values, max_size=4))
@example(metadata={})
@example(metadata={"": "", "\x00": "\ud800", "b": 2**70, "a": [[], {}, -0.0]})
def test_any_json_comes_back_whatever_the_order_of_its_keys(tmp_path_factory, metadata):
    folder = tmp_path_factory.mktemp("json")
    checkpointer = SafetensorsParams().build()
    turned = dict(reversed(metadata.items()))
    checkpointer.save(folder / "a.safetensors", {"w": torch.ones(2)}, metadata)
    checkpointer.save(folder / "b.safetensors", {"w": torch.ones(2)}, turned)
    assert checkpointer.read_metadata(folder / "a.safetensors") == metadata
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()


def test_equal_content_gives_equal_bytes_in_any_order_and_any_process(tmp_path):
    tensors = {f"w{n}": torch.full((n,), float(n)) for n in range(1, 9)}
    turned = dict(reversed(tensors.items()))
    program = (
        "import torch; from kokoro_plugins.safetensors.params import SafetensorsParams\n"
        "tensors = {f'w{n}': torch.full((n,), float(n)) for n in range(8, 0, -1)}\n"
        "SafetensorsParams().build().save('c.safetensors', tensors, {'b': [1, 2], 'a': 'x'})"
    )
    checkpointer = SafetensorsParams().build()
    checkpointer.save(tmp_path / "a.safetensors", tensors, {"a": "x", "b": [1, 2]})
    checkpointer.save(tmp_path / "b.safetensors", turned, {"b": [1, 2], "a": "x"})
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    first, second, third = ((tmp_path / f"{each}.safetensors").read_bytes() for each in "abc")
    assert first == second == third


def test_a_transposed_and_an_expanded_tensor_are_stored_as_they_look(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    wide = torch.arange(6.0).view(2, 3)
    checkpointer.save(path, {"t": wide.t(), "e": torch.tensor([7.0]).expand(4)}, {})
    loaded = checkpointer.load(path)
    assert loaded["t"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    assert loaded["e"].tolist() == [7.0] * 4


def test_lazy_conjugates_and_negatives_are_stored_as_they_look(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    z = torch.tensor([1 + 2j, 3 - 4j])
    checkpointer.save(path, {"conj": z.conj(), "neg": z.clone().conj().imag}, {})
    loaded = checkpointer.load(path)
    assert loaded["conj"].tolist() == [1 - 2j, 3 + 4j]
    assert loaded["neg"].tolist() == [-2.0, 4.0]


def test_separate_parts_of_one_storage_are_no_sharing(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    flat = torch.arange(6.0)
    checkpointer.save(path, {"a": flat[:2], "b": flat[2:], "none": flat[:0]}, {})
    loaded = checkpointer.load(path)
    assert (loaded["a"].tolist(), loaded["b"].tolist()) == ([0.0, 1.0], [2.0, 3.0, 4.0, 5.0])


def test_parameters_are_stored_without_their_graph_and_buffers_with_their_type(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    model = nn.BatchNorm1d(3)
    checkpointer.save(path, dict(model.named_parameters()) | dict(model.named_buffers()), {})
    loaded = checkpointer.load(path)
    assert not any(each.requires_grad for each in loaded.values())
    nn.BatchNorm1d(3).load_state_dict(loaded, strict=True)


def test_what_was_loaded_does_not_change_when_the_file_is_overwritten_in_place(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    checkpointer.save(path, {"w": torch.ones(100_000)}, {})
    loaded = checkpointer.load(path)
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
    assert torch.equal(loaded["w"], torch.ones(100_000))


def test_what_was_loaded_can_be_saved_over_the_file_that_it_came_from(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    checkpointer.save(path, some_tensors(), METADATA)
    before = path.read_bytes()
    checkpointer.save(path, checkpointer.load(path), checkpointer.read_metadata(path))
    assert path.read_bytes() == before


def test_reading_the_metadata_leaves_torch_unimported_and_the_body_unread(tmp_path):
    path = tmp_path / "a.safetensors"
    SafetensorsParams().build().save(path, {"w": torch.ones(5_000_000)}, {"a": 1})
    program = (
        "import sys, resource; from pathlib import Path\n"
        "from kokoro_plugins.safetensors.params import SafetensorsParams\n"
        "import numpy\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"assert SafetensorsParams().build().read_metadata(Path({str(path)!r})) == {{'a': 1}}\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "assert 'torch' not in sys.modules\n"
        "assert grown < 5_000, grown  # KiB; the body has 20,000\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_tensors_of_a_device_are_saved_and_loaded_onto_it(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    checkpointer.save(path, {"w": torch.arange(4.0, device="cuda")}, {})
    assert checkpointer.load(path, device="cuda")["w"].device.type == "cuda"


def test_a_device_that_does_not_exist_is_not_blamed_on_the_file(tmp_path):
    checkpointer, path = SafetensorsParams().build(), tmp_path / "a.safetensors"
    checkpointer.save(path, {"w": torch.ones(1)}, {})
    with pytest.raises(RuntimeError, match="nonsense"):
        checkpointer.load(path, device="nonsense")


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_file_has_the_mode_of_the_umask(tmp_path, umask):
    old = os.umask(umask)
    try:
        SafetensorsParams().build().save(tmp_path / "a.safetensors", {"w": torch.ones(1)}, {})
    finally:
        os.umask(old)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask


def test_errors_are_value_errors_that_name_the_path(tmp_path):
    with pytest.raises(CheckpointError, match=r"`.*a\.safetensors` does not exist"):
        SafetensorsParams().build().load(tmp_path / "a.safetensors")
    assert issubclass(CheckpointError, ValueError)
