"""A manifest is read only as it was written, to the bit."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kokoro_core.durable import FileRecord, Manifest, canonical_json
from kokoro_core.durable.manifest import MAX_BYTES
from kokoro_core.errors import CheckpointError

SHA256 = hashlib.sha256(b"weights").hexdigest()
RECORD = {"sha256": SHA256, "size": 7}
MANIFEST = Manifest(
    step=120,
    files={"model.safetensors": FileRecord(7, SHA256)},
    facts={"spec": {"name": "ü", "rate": 1e-3, "on": True, "none": None}, "plugins": ["a", "b"]},
    score=0.25,
)


def hashed(body: dict[str, Any]) -> bytes:
    """Return a manifest with a right hash of a body that may be wrong; by hand, as a peer would."""

    def text(values: Any) -> str:
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    return text({**body, "sha256": hashlib.sha256(text(body).encode()).hexdigest()}).encode()


def body(**changes: Any) -> dict[str, Any]:
    right = {
        "facts": dict(MANIFEST.facts),
        "files": {"model.safetensors": RECORD},
        "format_version": 1,
        "score": 0.25,
        "step": 120,
    }
    return {**right, **changes}


def test_a_manifest_is_the_canonical_text_with_a_hash_of_the_rest() -> None:
    assert MANIFEST.to_bytes() == hashed(body())
    assert Manifest.from_bytes(hashed(body())) == MANIFEST


def test_every_flipped_bit_is_found() -> None:
    content = MANIFEST.to_bytes()
    for index in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[index // 8] ^= 1 << index % 8
        with pytest.raises(CheckpointError, match=r"manifest|plain file name"):
            Manifest.from_bytes(bytes(flipped))


def test_every_truncation_and_anything_behind_is_found() -> None:
    content = MANIFEST.to_bytes()
    for wrong in (*(content[:length] for length in range(len(content))), content + b"\n"):
        with pytest.raises(CheckpointError, match=r"manifest.json"):
            Manifest.from_bytes(wrong)


WRONG = {
    "another format": (body(format_version=2), "has format 2; this version reads 1"),
    "a format that is true": (body(format_version=True), "has format True; this version reads 1"),
    "a key too many": (body(extra=1), "has the keys extra, facts, files"),
    "a negative step": (body(step=-1), "has the step -1"),
    "a step that is a float": (body(step=1.0), "has the step 1.0"),
    "a score that is text": (body(score="good"), "has the score 'good'"),
    "a score that is whole": (body(score=1), "has the score 1,"),
    "facts that are a list": (body(facts=[]), "must hold facts and at least one file"),
    "no files": (body(files={}), "must hold facts and at least one file"),
    "files that are a list": (body(files=["a"]), "must hold facts and at least one file"),
    "a record that is text": (body(files={"a": "b"}), "has a record of `a`"),
    "a record of itself": (body(files={"manifest.json": RECORD}), "record of `manifest.json`"),
    "a record with more": (body(files={"a": {**RECORD, "x": 1}}), "has a record of `a`"),
    "a negative size": (body(files={"a": {**RECORD, "size": -1}}), "has the size -1 for `a`"),
    "a size that is true": (body(files={"a": {**RECORD, "size": True}}), "has the size True"),
    "a short hash": (body(files={"a": {**RECORD, "sha256": "ab"}}), "hash that is not a SHA-256"),
    "a hash in capitals": (body(files={"a": {**RECORD, "sha256": "A" * 64}}), "not a SHA-256"),
    "a hash that is a number": (body(files={"a": {**RECORD, "sha256": 5}}), "not a SHA-256"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_a_right_hash_does_not_make_a_manifest(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Manifest.from_bytes(hashed(wrong))


NAMES = (
    *("", ".", "..", "../model", "a/b", "/etc/passwd", "a\\b", "C:", "a b", "a\0b", "a\nb"),
    *("naïve", "a" * 256, "~", "$HOME", "a:b", "model.safetensors\u200b", "-/x"),
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_a_name_that_is_not_plain_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"must be a plain file name: 1 to 255 letters"):
        Manifest.from_bytes(hashed(body(files={name: RECORD})))


NOT_CANONICAL = {
    "spaces": json.dumps(json.loads(MANIFEST.to_bytes())).encode(),
    "another order": json.dumps(
        dict(reversed(json.loads(MANIFEST.to_bytes()).items())), separators=(",", ":")
    ).encode(),
    "a key twice": MANIFEST.to_bytes().replace(b'{"facts"', b'{"step":1,"facts"', 1),
    "escapes": MANIFEST.to_bytes().replace(b'"facts"', b'"\\u0066acts"', 1),
}


@pytest.mark.parametrize("content", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_another_text_of_the_same_values_is_no_manifest(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="was changed by hand"):
        Manifest.from_bytes(content)


NOT_JSON = {
    "nothing": b"",
    "a list": b"[]",
    "a number": b"5",
    "deep": b"[" * 100_000,
    "a number too long": b'{"step":' + b"9" * 5000 + b"}",
    "infinity": b'{"score":Infinity}',
    "not a number": b'{"score":NaN}',
    "too large to be one": b'{"score":1e999}',
    "other letters": "{ü}".encode(),
    "zeros": bytes(500),
    "too much": b" " * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_object_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"^`manifest"):
        Manifest.from_bytes(content)


texts = st.text(max_size=5)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    plain | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # it measures the machine
@given(facts=st.dictionaries(texts, json_values, max_size=4))
@example(facts={"": -0.0, "\ud800": 1e308, "x": [[], {}, 10**300]})
def test_facts_come_back_whatever_they_are(facts: dict[str, Any]) -> None:
    manifest = Manifest(1, MANIFEST.files, facts, None)
    back = Manifest.from_bytes(manifest.to_bytes())
    assert back.facts == facts
    assert json.dumps(back.facts, sort_keys=True) == json.dumps(facts, sort_keys=True)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"a": (1, 2)}, r"`facts.a` = \(1, 2\) would change"),
        ({"a": [{"b": {1: 2}}]}, r"`facts.a\[0\].b` = \{1: 2\} would change"),
        ({"a": math.nan}, "must hold only values that JSON has"),
        ({"a": {1}}, "must hold only values that JSON has"),
        ({"a": b"x"}, "must hold only values that JSON has"),
        ({"a": 10**5000}, "must hold only values that JSON has"),
    ],
    ids=["tuple", "key", "nan", "set", "bytes", "long"],
)
def test_facts_that_json_would_change_are_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        canonical_json(facts, "facts")


def test_facts_that_hold_themselves_are_refused() -> None:
    facts: dict[str, Any] = {}
    facts["self"] = facts
    with pytest.raises(CheckpointError, match="must hold only values that JSON has"):
        canonical_json(facts)


def test_facts_that_are_too_large_are_refused_when_they_are_written() -> None:
    manifest = Manifest(1, MANIFEST.files, {"log": "x" * MAX_BYTES})
    with pytest.raises(CheckpointError, match="write what is large to a file of its own"):
        manifest.to_bytes()
