"""Features as callers give them → as the parts of a model take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kokoro_core.spec.rules.names import NAMED
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry.text import suggestion


def read_features(extras: Mapping[str, Any], spec: ModelSpec, like: Tensor) -> dict[str, Any]:
    """Return side inputs with indices for names, and numbers as the spec normalises them.

    A name or a number stands for all rows, a list of them has one for each.

    Args:
        extras: What the caller gives, by name.
        spec: Lists the speakers and languages, and says what the numbers of features mean.
        like: (B, N), on the device of the model.

    Raises:
        ValueError: A name is not one of the spec's, or there are more or fewer than rows.
    """
    read = {name: _read(name, value, spec, like) for name, value in extras.items()}
    speaker = read.get("speaker")
    return {name: _normalised(name, value, spec, speaker) for name, value in read.items()}


def _read(name: str, value: Any, spec: ModelSpec, like: Tensor) -> Any:
    names: Sequence[str] = getattr(spec, NAMED[name]) if name in NAMED else ()
    if names:
        return _indices(name, value, names, like)
    described = spec.features.get(name)
    if described is None:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return torch.full((len(like),), float(value), device=like.device)
    return value


def _normalised(name: str, value: Any, spec: ModelSpec, speaker: Any) -> Any:
    """Return a feature less its mean, over its standard deviation: those of the row's speaker."""
    described = spec.features.get(name)
    if described is None or not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    if not described.speakers or not isinstance(speaker, Tensor):
        return (value - described.mean) / described.std
    each = [described.speakers.get(name, described) for name in spec.speakers]
    table = value.new_tensor([(one.mean, one.std) for one in each])[speaker]
    # (B,) -> (B, 1 …), one axis for each of the feature's
    mean, std = (column.reshape(-1, *[1] * (value.dim() - 1)) for column in table.unbind(1))
    return (value - mean) / std


def _indices(name: str, value: Any, names: Sequence[str], like: Tensor) -> Any:
    if isinstance(value, Tensor):
        return value
    each = [value] * len(like) if isinstance(value, (str, int)) else value
    if not isinstance(each, Sequence) or len(each) != len(like):
        raise ValueError(
            f"`{name}` must be a name, or one for each of {len(like)} rows, not {value!r}."
        )
    return torch.tensor([_index(name, one, names) for one in each], device=like.device)


def _index(name: str, value: Any, names: Sequence[str]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return value
    if value not in names:
        hint = suggestion(value, names) or f"; it knows {', '.join(names)}"
        end = "" if hint.endswith("?") else "."
        raise ValueError(f"`{name}` must be one that the model knows, not {value!r}{hint}{end}")
    return names.index(value)
