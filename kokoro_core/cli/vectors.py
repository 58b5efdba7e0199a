"""A vector on the command line: its numbers, or a file that holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

JSON, SAFETENSORS = ".json", ".safetensors"


def vector_of(name: str, text: str, width: int) -> Tensor:
    """Return the vector that was written for a feature, as the one row that is spoken.

    Args:
        name: Of the feature.
        text: A list such as ``[0.1, -2]``, or the path of a .json with such a list or a
            .safetensors with one tensor.
        width: How many numbers it must be.

    Returns:
        (1, `width`) float32.

    Raises:
        ValueError: It is neither, the file cannot be read, or there are more or fewer numbers.
    """
    import torch

    said = f"`--feature {name}={text}`"
    vector = _read(said, text).to(torch.float32).squeeze()
    if vector.shape != (width,):
        raise ValueError(
            f"{said} has the shape {tuple(vector.shape)}, but the model takes `{name}` as a vector "
            f"of {width} numbers."
        )
    if not bool(vector.isfinite().all()):
        raise ValueError(f"{said} has a NaN or an infinity; every number must be finite.")
    return vector.unsqueeze(0)


def _read(said: str, text: str) -> Tensor:
    path = Path(text)
    readers = {JSON: _from_json, SAFETENSORS: _from_safetensors}
    reader = readers.get(path.suffix.lower(), _from_list)
    try:
        return reader(text)
    except OSError as error:
        raise ValueError(f"{said} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # what a reader of somebody's file raises has many types
        raise ValueError(
            f"{said} must be a vector: numbers such as `[0.1, -2]`, or the path of a .json with "
            f"such a list or of a .safetensors with one tensor ({error})."
        ) from None


def _from_list(text: str) -> Tensor:
    import torch

    return torch.tensor(json.loads(text), dtype=torch.float32)


def _from_json(text: str) -> Tensor:
    return _from_list(Path(text).read_text(encoding="utf-8"))


def _from_safetensors(text: str) -> Tensor:
    from safetensors.torch import load_file

    [tensor] = load_file(text).values()
    return tensor
