"""Nested values with tensors in them ↔ JSON and named tensors, exactly.

What PyTorch calls a state dict holds more than JSON has: tensors, tuples, keys that are numbers,
infinities. Each of those is written as an object with one key that starts with ``$``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kokoro_core.errors import CheckpointError


def pack(value: Any, name: str = "state") -> tuple[Any, dict[str, Tensor]]:
    """Return values that JSON has and the tensors that they name.

    Args:
        value: Nested mappings, lists and tuples of tensors, numbers, texts and None.
        name: The first word of the tensors' names.

    Raises:
        CheckpointError: There is something else in it; the message says where.
    """
    tensors: dict[str, Tensor] = {}
    return _pack(value, name, tensors), tensors


def unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return what `pack` was given.

    Raises:
        CheckpointError: A tensor is missing, or the values are not of `pack`.
    """
    if isinstance(value, list):
        return [unpack(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    marks = [key for key in value if key.startswith("$")]
    if not marks:
        return {key: unpack(each, tensors) for key, each in value.items()}
    return _unmarked(value, tensors)


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        if name in tensors:
            raise CheckpointError(f"`{name}` is what two tensors of the state would be called.")
        tensors[name] = value.detach()
        return {"$tensor": name}
    if isinstance(value, Mapping):
        return _pack_mapping(value, name, tensors)
    if isinstance(value, (list, tuple)):
        items = [_pack(each, f"{name}.{index}", tensors) for index, each in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if type(value) is float and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise CheckpointError(
        f"`{name}` is a `{type(value).__name__}`, which is not saved; a state is made of tensors, "
        f"numbers, texts, None and lists, tuples and mappings of them."
    )


def _pack_mapping(value: Mapping[Any, Any], name: str, tensors: dict[str, Tensor]) -> Any:
    packed = {key: _pack(each, f"{name}.{key}", tensors) for key, each in value.items()}
    if all(type(key) is str and not key.startswith("$") for key in packed):
        return packed
    return {"$items": [[_pack(key, name, {}), each] for key, each in packed.items()]}


def _unmarked(value: dict[str, Any], tensors: Mapping[str, Tensor]) -> Any:
    match value if len(value) == 1 else {}:
        case {"$tensor": str(name)} if name in tensors:
            return tensors[name]
        case {"$tensor": name}:
            raise CheckpointError(f"`{name}` is a tensor of the state that the file does not hold.")
        case {"$tuple": list(items)}:
            return tuple(unpack(each, tensors) for each in items)
        case {"$items": list(items)}:
            return {unpack(key, tensors): unpack(each, tensors) for key, each in items}
        case {"$float": "nan" | "inf" | "-inf" as text}:
            return float(text)
    raise CheckpointError(f"`{value}` is no value that this version has written.")
