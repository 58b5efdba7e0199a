"""Safetensors files whose headers are wrong, each with a part of what must be said of it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

METADATA = {"kokoro": '{"format_version":1}'}
META = json.dumps({"__metadata__": METADATA})[1:-1]
W = '"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
BODY = bytes(8)
GOOD = "{" + META + "," + W + "}"

Case = tuple[str, bytes, str]


def raw(header: str | bytes, body: bytes = BODY, length: int | None = None) -> bytes:
    """Return a file with this header, whatever it is."""
    text = header.encode("utf-8", "surrogatepass") if isinstance(header, str) else header
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def one(dtype: Any, shape: Any, offsets: Any, name: str = "w") -> str:
    """Return a header with one tensor, its parts as they are."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    return json.dumps({"__metadata__": METADATA, name: entry})


def with_entry(text: str) -> str:
    """Return a header whose one tensor is written as in a text."""
    return "{" + META + ',"w":' + text + "}"


def cases() -> Iterator[Case]:
    """Yield every file: its name, its bytes, and what the error must say."""
    yield from _lengths()
    yield from _other_files()
    yield from _no_json()
    yield from _twice()
    yield from _structure()
    yield from _entries()
    yield from _names()
    yield from _types()
    yield from _shapes()
    yield from _offsets()
    yield from _layouts()
    yield from _many()


def _lengths() -> Iterator[Case]:
    for count in range(8):
        yield f"{count} bytes", b"\0" * count, "the first 8 must say a length"
    for bits in (40, 53, 62, 63):
        yield f"length 2^{bits}", raw(GOOD, length=2**bits), "more than there are"
    yield "length 2^64-1", raw(GOOD, length=2**64 - 1), "more than there are"
    yield "length 1 too many", raw(GOOD, b"", len(GOOD) + 1), "more than there are"
    yield "length 1 too few", raw(GOOD, length=len(GOOD) - 1), "is not JSON"
    yield "length 0", raw("", BODY), "does not start with a brace"
    yield "length big endian", struct.pack(">Q", len(GOOD)) + GOOD.encode(), "more than there are"
    long = GOOD + " " * (16 * 2**20)
    yield "header of 16 MiB and 1", raw(long[: 16 * 2**20 + 1]), "more than 16777216"


def _other_files() -> Iterator[Case]:
    yield "zip", b"PK\x03\x04" + bytes(60), "more than there are"
    yield "pickle", b"\x80\x02}q\x00." + bytes(60), "more than there are"
    yield "torch zip", b"PK\x03\x04\x00\x00\x08\x08" + b"archive/data.pkl", "more than there are"
    yield "html", b"<!DOCTYPE html><html><body>404</body></html>", "more than there are"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    yield "lfs pointer", pointer, "more than there are"
    yield "zeros", bytes(4096), "does not start with a brace"
    yield "ones", b"\xff" * 4096, "more than there are"
    yield "numpy", b"\x93NUMPY\x01\x00" + bytes(200), "more than there are"
    yield "gguf", b"GGUF\x03\0\0\0" + bytes(200), "more than there are"
    yield "hdf5", b"\x89HDF\r\n\x1a\n" + bytes(200), "more than there are"


def _no_json() -> Iterator[Case]:
    yield "leading space", raw(" " + GOOD), "does not start with a brace"
    yield "leading newline", raw("\n" + GOOD), "does not start with a brace"
    yield "byte order mark", raw("\ufeff" + GOOD), "does not start with a brace"
    yield "utf-16", raw(GOOD.encode("utf-16")), "does not start with a brace"
    yield "list", raw("[" + GOOD + "]"), "does not start with a brace"
    yield "null", raw("null"), "does not start with a brace"
    yield "text", raw('"w"'), "does not start with a brace"
    yield "open brace", raw(GOOD[:-1]), "is not JSON"
    yield "two objects", raw(GOOD + GOOD), "is not JSON"
    yield "text behind", raw(GOOD + '"x"'), "is not JSON"
    yield "comma at the end", raw(GOOD[:-1] + ",}"), "is not JSON"
    yield "comment", raw(GOOD[:-1] + "/**/}"), "more than objects, lists"
    yield "single quotes", raw(GOOD.replace('"', "'")), "more than objects, lists"
    yield "tab between", raw(GOOD.replace(",", ",\t", 1)), "more than objects, lists"
    yield "newline at the end", raw(GOOD + "\n"), "more than objects, lists"
    yield "NUL at the end", raw(GOOD + "\0"), "more than objects, lists"
    yield "no utf-8", raw(GOOD.encode().replace(b'"w"', b'"\xff"')), "is not JSON"
    yield "overlong utf-8", raw(GOOD.encode().replace(b'"w"', b'"\xc0\xaf"')), "is not JSON"
    yield "half a character", raw(GOOD.replace('"w"', '"\ud800"')), "is not JSON"
    yield "newline in a name", raw(GOOD.replace('"w"', '"w\n"')), "is not JSON"
    yield "bad escape", raw(GOOD.replace('"w"', r'"\x77"')), "is not JSON"
    yield "open text", raw(GOOD[:-1] + ',"x}'), "more than objects, lists"
    yield "depth 200", raw("{" + META + ',"w":' + "[" * 200 + "]" * 200 + "}"), "has a list of"
    yield "objects in objects", raw('{"a":' * 5000 + "1" + "}" * 5000), "is not JSON"
    yield "many objects", raw('{"a":' * 200_000), "lists more than 100000 tensors"


def _twice() -> Iterator[Case]:
    other = W.replace("[0,8]", "[8,16]")
    yield "name twice, same bytes", raw(f"{{{META},{W},{W}}}"), "has 'w' twice"
    yield "name twice, other bytes", raw(f"{{{META},{W},{other}}}", bytes(16)), "has 'w' twice"
    escaped = W.replace('"w"', r'"\u0077"')
    yield "name twice, once escaped", raw(f"{{{META},{W},{escaped}}}"), "has 'w' twice"
    yield "metadata twice", raw(f"{{{META},{META},{W}}}"), "has '__metadata__' twice"
    pair = '"kokoro":"{}"'
    yield (
        "metadata key twice",
        raw(f'{{"__metadata__":{{{pair},{pair}}},{W}}}'),
        "has 'kokoro' twice",
    )
    for key, value in (("dtype", '"F32"'), ("shape", "[2]"), ("data_offsets", "[0,8]")):
        text = W[4:-1] + f',"{key}":{value}}}'
        yield f"{key} twice", raw(with_entry(text)), f"has '{key}' twice"


def _structure() -> Iterator[Case]:
    for name, value in (
        ("text", '"x"'),
        ("list", "[]"),
        ("number", "1"),
        ("number by key", '{"kokoro":1}'),
        ("list by key", '{"kokoro":[]}'),
        ("object by key", '{"kokoro":{}}'),
    ):
        yield f"metadata {name}", raw(f'{{"__metadata__":{value},{W}}}'), "is not texts by key"
    yield "metadata null", raw(f'{{"__metadata__":null,{W}}}'), "more than objects, lists"
    yield "metadata true", raw(f'{{"__metadata__":{{"a":true}},{W}}}'), "more than objects, lists"
    half = json.dumps({"__metadata__": {**METADATA, "x": "\ud800"}})
    yield "half a character in metadata", raw(half, b""), "has half a character"
    for name, value in (("text", '"x"'), ("list", "[1]"), ("number", "1"), ("empty", "{}")):
        yield f"tensor is {name}", raw(with_entry(value)), "must have `dtype`, `shape`"


def _entries() -> Iterator[Case]:
    parts = {"dtype": '"F32"', "shape": "[2]", "data_offsets": "[0,8]"}
    for missing in parts:
        rest = ",".join(f'"{key}":{value}' for key, value in parts.items() if key != missing)
        yield f"no {missing}", raw(with_entry(f"{{{rest}}}")), "must have `dtype`, `shape`"
    for extra in ("strides", "data", "Dtype", "", "__reduce__"):
        text = W[4:-1] + f',"{extra}":[]}}'
        yield f"field {extra!r} more", raw(with_entry(text)), "and no more"


def _names() -> Iterator[Case]:
    for title, name, why in (
        ("empty", "", "has 0 characters"),
        ("long", "w" * 513, "has 513 characters"),
        ("10 KB", "w" * 10_240, "has 10240 characters"),
        ("NUL", "w\0", "do not show"),
        ("escape", "w\x1b[2J", "do not show"),
        ("newline", "w\n", "do not show"),
        ("delete", "w\x7f", "do not show"),
        ("right to left", "w\u202e", "do not show"),
        ("zero width", "w\u200b", "do not show"),
        ("half a character", "\udc80", "do not show"),
        ("private", "\ue000", "do not show"),
        ("leading space", " w", "do not show"),
        ("trailing space", "w ", "do not show"),
        ("no-break space", "w\xa0x", "do not show"),
        ("ligature", "o\ufb03ce", "look like others"),
        ("decomposed", "a\u0308", "look like others"),
        ("full width", "\uff57", "look like others"),
        ("angstrom", "\u212b", "look like others"),
        ("parent", "../w", "taken for a path"),
        ("parent inside", "a/../../w", "taken for a path"),
        ("absolute", "/etc/passwd", "taken for a path"),
        ("backslash", "a\\w", "taken for a path"),
        ("drive", "C:\\w", "taken for a path"),
        ("two dots", "a..b", "taken for a path"),
    ):
        yield f"name {title}", raw(one("F32", [2], [0, 8], name)), why


def _types() -> Iterator[Case]:
    for dtype in (
        *("", "f32", "F32 ", "float32", "F128", "U128", "I4", "F4", "F6_E2M3", "F6_E3M2"),
        *("F8_E8M0", "C128", "Q8_0", "O", "object", "BOOL8", "F33", "\u0660"),
    ):
        yield f"type {dtype!r}", raw(one(dtype, [2], [0, 8])), "has the type"
    no_text: tuple[object, ...] = (["F32"], {"F32": []}, 32)
    for other in no_text:
        yield f"type {other}", raw(one(other, [2], [0, 8])), "has the type"
    yield "bool of 7 bytes", raw(one("BOOL", [8], [0, 7]), bytes(7)), "its offsets have 7"


def _shapes() -> Iterator[Case]:
    shape: object
    for shape in ("2", [2**40, 0], [0, 2**63], [2**64], [1] * 17, [2**53, 2**53], {"0": 2}):
        shown = str(shape)[:30]
        yield f"shape {shown}", raw(one("F32", shape, [0, 8])), "must have as shape at most"
    for shape in ([2.0], [-2], [-1, -2], [True], [None], [1e3]):
        yield f"shape {shape}", raw(one("F32", shape, [0, 8])), "more than objects, lists"
    yield "shape of texts", raw(one("F32", ["2"], [0, 8])), "must have as shape at most"
    yield "shape in shape", raw(one("F32", [[2]], [0, 8])), "has a list of something else"
    yield "shape 02", raw(with_entry(W[4:].replace("[2]", "[02]"))), "is not JSON"
    yield "shape of 5000 digits", raw(with_entry(W[4:].replace("2]", "2" * 5000 + "]"))), "not JSON"
    for shape in ([3], [1], [], [2, 2], [0], [2**39], [2**39] * 16):
        yield f"shape {shape} of 8 bytes", raw(one("F32", shape, [0, 8])), "its offsets have 8"


def _offsets() -> Iterator[Case]:
    offsets: object
    for offsets in ([8, 0], [0], [], [0, 8, 16], "08", 8, {"0": 8}, ["0", "8"], [0, "8"]):
        yield f"offsets {offsets}", raw(one("F32", [2], offsets)), "must have two offsets"
    for offsets in ([-8, 0], [0.0, 8.0], [0, 8.5], [None, 8], [False, 8]):
        yield f"offsets {offsets}", raw(one("F32", [2], offsets)), "more than objects, lists"
    for offsets in ([0, 2**63], [0, 2**64], [2**64, 2**64 + 16], [0, 9], [0, 4]):
        yield f"offsets {offsets}", raw(one("F32", [2], offsets)), "its offsets have"
    yield "offsets far", raw(one("F32", [2], [2**62, 2**62 + 8])), "leaves a hole before it"


def _two(first: list[int], second: list[int], body: int) -> bytes:
    entries = {
        name: {"dtype": "U8", "shape": [each[1] - each[0]], "data_offsets": each}
        for name, each in (("a", first), ("b", second))
    }
    return raw(json.dumps({"__metadata__": METADATA, **entries}), bytes(body))


def _layouts() -> Iterator[Case]:
    yield "hole between", _two([0, 4], [5, 8], 8), "leaves a hole before it"
    yield "hole at the start", _two([1, 4], [4, 8], 8), "leaves a hole before it"
    yield "overlap by one", _two([0, 5], [4, 8], 8), "overlaps what is before it"
    yield "one in the other", _two([0, 8], [2, 4], 8), "overlaps what is before it"
    yield "the same bytes", _two([0, 8], [0, 8], 8), "overlaps what is before it"
    yield "empty in a hole", _two([0, 4], [6, 6], 4), "leaves a hole before it"
    yield "empty inside", _two([0, 8], [4, 4], 8), "overlaps what is before it"
    yield "a byte behind", _two([0, 4], [4, 8], 9), "and 9 follow the header"
    yield "a byte missing", _two([0, 4], [4, 8], 7), "and 7 follow the header"
    yield "no body", _two([0, 4], [4, 8], 0), "and 0 follow the header"
    yield "no tensors, a body", raw("{" + META + "}", b"\0"), "and 1 follow the header"
    yield "a file behind", _two([0, 4], [4, 8], 8) + raw(GOOD), "follow the header"


def _many() -> Iterator[Case]:
    entry = ':{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    names = ",".join(f'"{number}"{entry}' for number in range(100_002))
    yield "100,002 tensors", raw("{" + names + "}", b""), "lists more than 100000 tensors"
    shape = "[" + "1," * 3_000_000 + "1]"
    yield "shape of 3,000,001 sizes", raw(with_entry(W[4:].replace("[2]", shape))), "lists more"
