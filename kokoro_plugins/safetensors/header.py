"""The header of a safetensors file, read more strictly than the format's own reader does.

The format is eight bytes of length, JSON, and the tensors' bytes without a gap
(https://github.com/huggingface/safetensors#format). The reference reader accepts duplicate names,
any number of tensors, and headers of 100 MB; a file that two readers could interpret differently is
rejected here, and so is one that would take much time or memory to reject.
"""

from __future__ import annotations

import json
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeGuard

from kokoro_core.contracts import TensorInfo
from kokoro_plugins.safetensors.dtypes import CODES

LENGTH = struct.Struct("<Q")
METADATA = "__metadata__"
MAX_HEADER_BYTES = 16 * 2**20
MAX_TENSORS = 100_000
MAX_NAME = 512
MAX_DIMENSIONS = 16
MAX_SIZE = 2**40
_MAX_COMMAS = MAX_TENSORS * (MAX_DIMENSIONS + 4)

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OUTSIDE_STRINGS = re.compile(rb"[0-9,:{}\[\] ]*")
_NESTED_IN_LIST = re.compile(rb"\[[^\]]*[\[{]")


class HeaderFault(ValueError):
    """A problem of a header, as the end of a sentence."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in the header: its type and shape, and the range of its bytes in the body."""

    info: TensorInfo
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header that passed every check.

    Attributes:
        tensors: By name, in the order of their bytes.
        metadata: Text by key.
    """

    tensors: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]


def header_length(start: bytes, file_size: int) -> int:
    """Return the length of the JSON from the first eight bytes of a file.

    Raises:
        HeaderFault: The file is too short, or the header too long.
    """
    if len(start) < LENGTH.size:
        raise HeaderFault(f"it has {file_size} bytes, and the first 8 must say a length")
    (length,) = LENGTH.unpack(start)
    if length > file_size - LENGTH.size:
        raise HeaderFault(f"its first 8 bytes say a header of {length} bytes, more than there are")
    if length > MAX_HEADER_BYTES:
        raise HeaderFault(f"its header has {length} bytes, more than {MAX_HEADER_BYTES}")
    return int(length)


def parse_header(text: bytes, body_size: int) -> Header:
    """Parse a header, checking that tensors cover the body to its last byte.

    Raises:
        HeaderFault: It violates a rule; the first one is named.
    """
    _check_outline(text)
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except HeaderFault:
        raise
    except (ValueError, RecursionError) as error:
        raise HeaderFault(f"its header is not JSON: {error}") from error
    metadata = _metadata(values.pop(METADATA, {}))
    tensors = {name: _stored_tensor(name, each) for name, each in values.items()}
    return Header(_in_order(tensors, body_size), metadata)


def check_name(name: str) -> None:
    """Reject a tensor's name that could be mistaken for another, or for a path.

    Raises:
        HeaderFault: It is empty or too long, has invisible characters, or resembles a path.
    """
    if not 0 < len(name) <= MAX_NAME:
        raise HeaderFault(f"a name of a tensor has {len(name)} characters, not 1 to {MAX_NAME}")
    if not name.isprintable() or name != name.strip():
        raise HeaderFault(f"the name {name!a} has characters that do not show")
    if not unicodedata.is_normalized("NFKC", name):
        raise HeaderFault(f"the name {name!a} has characters that look like others")
    if "\\" in name or name.startswith("/") or ".." in name:
        raise HeaderFault(f"the name {name!a} could be taken for a path")


def _check_outline(text: bytes) -> None:
    """Reject what can be seen without parsing, since parsing it could take much memory or time."""
    if not text.startswith(b"{"):
        raise HeaderFault("its header does not start with a brace")
    outline = _STRING.sub(b"", text)
    if outline.count(b"{") > MAX_TENSORS + 2 or outline.count(b",") > _MAX_COMMAS:
        raise HeaderFault(f"its header lists more than {MAX_TENSORS} tensors")
    if not _OUTSIDE_STRINGS.fullmatch(outline):
        raise HeaderFault("its header has more than objects, lists, texts and whole numbers")
    if _NESTED_IN_LIST.search(outline):
        raise HeaderFault("its header has a list of something else than whole numbers")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise HeaderFault(f"its header has {twice!a} twice")
    return values


def _metadata(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
        raise HeaderFault(f"its `{METADATA}` is not texts by key")
    if any("\ud800" <= char <= "\udfff" for pair in values.items() for char in "".join(pair)):
        raise HeaderFault(f"its `{METADATA}` has half a character")
    return values


def _stored_tensor(name: str, values: Any) -> StoredTensor:
    check_name(name)
    if not isinstance(values, dict) or set(values) != {"dtype", "shape", "data_offsets"}:
        raise HeaderFault(f"`{name}` must have `dtype`, `shape` and `data_offsets`, and no more")
    dtype, shape, offsets = (values[key] for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in CODES:
        raise HeaderFault(f"`{name}` has the type {dtype!a}; known are {', '.join(CODES)}")
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS or max(shape, default=0) >= MAX_SIZE:
        raise HeaderFault(
            f"`{name}` must have as shape at most {MAX_DIMENSIONS} sizes below 2^40, "
            f"not {_short(shape)}"
        )
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise HeaderFault(f"`{name}` must have two offsets, the lower first, not {_short(offsets)}")
    torch_name, size = CODES[dtype]
    start, end = offsets
    if end - start != prod(shape) * size:
        raise HeaderFault(
            f"`{name}` is {dtype} {_short(shape)}, {prod(shape) * size} bytes, "
            f"and its offsets have {end - start}"
        )
    return StoredTensor(TensorInfo(torch_name, tuple(shape)), start, end)


def _are_sizes(values: Any) -> TypeGuard[list[int]]:
    """Return whether a value is a list of integers; the outline check excludes negative ones."""
    return isinstance(values, list) and all(type(each) is int for each in values)


def _in_order(tensors: Mapping[str, StoredTensor], body_size: int) -> dict[str, StoredTensor]:
    """Return the tensors ordered by offset; their bytes must cover the body exactly once."""
    ordered = sorted(tensors.items(), key=lambda each: (each[1].start, each[1].end))
    end = 0
    for name, tensor in ordered:
        if tensor.start != end:
            what = "leaves a hole before it" if tensor.start > end else "overlaps what is before it"
            raise HeaderFault(f"`{name}` starts at byte {tensor.start}, not {end}, so it {what}")
        end = tensor.end
    if end != body_size:
        raise HeaderFault(f"its tensors have {end} bytes, and {body_size} follow the header")
    return dict(ordered)


def _short(values: Any) -> str:
    text = ascii(values)
    return text if len(text) <= 80 else f"{text[:80]}…"
