"""The index of a checkpoint in several files: the file of each tensor, and the hash of each file.

Other readers of sharded safetensors files find what they expect (`weight_map`, a map from tensor
to file); ours is under `metadata`: the checkpoint's metadata, the content hash of every shard, and
that of the index itself, which is the SHA-256 of the index with zeros in place of its digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from kokoro_core.durable import canonical_json
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.envelope import HASH_KEY, METADATA_KEY, NO_DIGITS
from kokoro_plugins.safetensors.header import MAX_TENSORS, HeaderFault, check_name
from kokoro_plugins.safetensors.strict_json import parse_strictly

INDEX_SUFFIX = ".safetensors.index.json"
SHARD = re.compile(r"(?P<stem>[A-Za-z0-9._-]+)-\d{5}-of-\d{5}-[0-9a-f]{12}\.safetensors")
MAX_INDEX_BYTES = 64 * 2**20

_START = f'{{"metadata":{{"{METADATA_KEY}":{{"{HASH_KEY}":"'.encode()
_DIGITS = slice(len(_START), len(_START) + len(NO_DIGITS))
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Index:
    """The content of an index.

    Attributes:
        metadata: What was saved with the tensors.
        shards: The content hash of each file, by its name.
        weight_map: The file of each tensor.
        total_size: Bytes of all tensors.
        content_hash: Hash of the index itself, and thereby of everything that it lists.
    """

    metadata: dict[str, Any]
    shards: Mapping[str, str]
    weight_map: Mapping[str, str]
    total_size: int
    content_hash: str = NO_DIGITS

    def to_bytes(self) -> bytes:
        """Return the file's content.

        Raises:
            CheckpointError: The metadata would change when read back, or is too large.
        """
        ours = {HASH_KEY: NO_DIGITS, "metadata": self.metadata, "shards": dict(self.shards)}
        values = {
            "metadata": {METADATA_KEY: ours, "total_size": self.total_size},
            "weight_map": dict(self.weight_map),
        }
        text = canonical_json(values, "index").encode("ascii")
        if len(text) > MAX_INDEX_BYTES:
            raise CheckpointError(
                f"`metadata` must make an index of at most {MAX_INDEX_BYTES} bytes, "
                f"not {len(text)}."
            )
        return text[: _DIGITS.start] + sha256(text).hexdigest().encode() + text[_DIGITS.stop :]

    @classmethod
    def from_bytes(cls, path: object, content: bytes) -> Index:
        """Parse the file strictly.

        Raises:
            CheckpointError: It is damaged, or was not written by this checkpointer.
        """
        if len(content) > MAX_INDEX_BYTES:
            raise _damaged(path, f"it has more than {MAX_INDEX_BYTES} bytes")
        if not content.startswith(_START):
            raise CheckpointError(
                f"`{path}` is not an index of ours, or it is damaged: it does not start with its "
                f"content hash; such an index is written by `model.save(path, max_shard_bytes=…)`."
            )
        stated = content[_DIGITS]
        zeroed = content[: _DIGITS.start] + NO_DIGITS.encode() + content[_DIGITS.stop :]
        if sha256(zeroed).hexdigest().encode() != stated:
            raise _damaged(path, "its content does not match its hash")
        return cls._from_values(path, _parse(path, content), stated.decode())

    @classmethod
    def _from_values(cls, path: object, values: Any, stated: str) -> Index:
        """Return the index; after the hash check, only a faulty writer can cause errors here."""
        try:
            ours, weight_map = values["metadata"][METADATA_KEY], values["weight_map"]
            metadata, shards = ours["metadata"], ours["shards"]
            total_size = values["metadata"]["total_size"]
        except (KeyError, TypeError):
            raise _damaged(path, "a part of it is missing") from None
        if not all(isinstance(each, dict) for each in (metadata, shards, weight_map)):
            raise _damaged(path, "a part of it is not an object")
        _check_shards(path, shards, weight_map)
        if type(total_size) is not int or total_size < 0:
            raise _damaged(path, f"its total size is {total_size!a}")
        return cls(metadata, shards, weight_map, total_size, stated)


def _check_shards(path: object, shards: Mapping[str, Any], weight_map: Mapping[str, Any]) -> None:
    for name, content_hash in shards.items():
        if not SHARD.fullmatch(name):
            raise _damaged(path, f"it lists {name!a}, which is not a valid name of a shard")
        if not isinstance(content_hash, str) or not _HASH.fullmatch(content_hash):
            raise _damaged(path, f"it has for `{name}` a hash that is not a SHA-256")
    if len(weight_map) > MAX_TENSORS:
        raise _damaged(path, f"it lists {len(weight_map)} tensors, more than {MAX_TENSORS}")
    if set(map(str, weight_map.values())) != set(shards):
        raise _damaged(path, "its `weight_map` does not lead to just the shards that it lists")
    try:
        for name in weight_map:
            check_name(name)
    except HeaderFault as fault:
        raise _damaged(path, str(fault)) from None


def _parse(path: object, content: bytes) -> Any:
    try:
        return parse_strictly(content.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON: {error}") from error


def _damaged(path: object, what: str) -> CheckpointError:
    return CheckpointError(f"`{path}` is damaged: {what}; take another copy.")
