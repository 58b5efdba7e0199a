"""Files with wrong headers are refused; what is accepted means the same to the reference."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.dtypes import CODES
from kokoro_plugins.safetensors.header import HeaderFault, parse_header
from kokoro_plugins.safetensors.params import SafetensorsParams
from tests.kokoro_core.checkpoints.headers import BODY, GOOD, METADATA, cases, raw

CASES = list(cases())


def test_the_file_that_the_others_are_made_from_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw(GOOD))
    assert SafetensorsParams().build().load(path)["w"].tolist() == [0.0, 0.0]


def test_there_are_more_than_120_of_them_and_no_two_are_the_same() -> None:
    assert len(CASES) > 120
    assert len({content for _, content, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("content", "message"), [each[1:] for each in CASES], ids=[each[0] for each in CASES]
)
def test_a_wrong_header_is_refused_for_what_is_wrong_with_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    checkpointer = SafetensorsParams().build()
    for read in (checkpointer.read_metadata, checkpointer.load):
        with pytest.raises(CheckpointError) as caught:
            read(path)
        text = str(caught.value)
        assert text.startswith(f"`{path}` is not a safetensors file, or it is cut off or damaged: ")
        assert message in text
        assert len(text) < 1000
        assert text.isprintable()


numbers = st.integers(0, 20) | st.sampled_from([2**31, 2**40, 2**63, 2**64, -1, 1.5])
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*CODES, "F4", "", "f32"]),
        "shape": st.lists(numbers, max_size=3),
        "data_offsets": st.lists(numbers, min_size=1, max_size=3),
    }
)
names = st.sampled_from(["w", "a", "é", "a.b", "", "../x", "\u202e"])


@st.composite
def files(draw: Any) -> bytes:
    """Headers that are right, and then changed in a few places of their text."""
    if draw(st.booleans()):
        shapes = draw(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=4))
        header: dict[str, Any] = {"__metadata__": METADATA}
        end = 0
        for number, shape in enumerate(shapes):
            dtype = draw(st.sampled_from(list(CODES)))
            begin, count = end, CODES[dtype][1]
            for size in shape:
                count *= size
            end += count
            header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    else:
        header = {"__metadata__": METADATA, **draw(st.dictionaries(names, entries, max_size=3))}
        end = draw(st.integers(0, 16))
    text = bytearray(json.dumps(header, separators=(",", ":")).encode())
    for place, byte in draw(st.lists(st.tuples(st.integers(0), st.integers(32, 126)), max_size=2)):
        text[place % len(text)] = byte
    body = bytes(index % 2 for index in range(end))  # 0 and 1 are right for every type
    return raw(bytes(text), body)


@settings(max_examples=300, deadline=None)
@given(content=files())
@example(content=raw(GOOD))
@example(content=raw('{"a":{"dtype":"C64","shape":[],"data_offsets":[0,8]}}'))
@example(content=raw('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', b""))
@example(content=raw("{}", b""))
@example(content=raw(r'{"\u0061":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}', BODY))
def test_what_is_accepted_means_the_same_to_the_reference(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    (length,) = struct.unpack("<Q", content[:8])
    try:
        header = parse_header(content[8 : 8 + length], len(content) - 8 - length)
    except HeaderFault:
        return
    expected = safetensors.torch.load(content)
    assert header.tensors.keys() == expected.keys()
    body = content[8 + length :]
    for name, entry in header.tensors.items():
        assert str(expected[name].dtype) == f"torch.{entry.info.dtype}"
        assert tuple(expected[name].shape) == entry.info.shape
        flat = expected[name].reshape(-1)
        found = bytes(flat.view(torch.uint8).tolist()) if flat.numel() else b""
        assert found == body[entry.start : entry.end]
