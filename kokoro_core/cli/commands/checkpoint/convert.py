"""``checkpoint convert``: the same content in another form."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kokoro_core.checkpoints.layout import is_floating
from kokoro_core.checkpoints.locate import checkpointer_for, open_checkpoint, suffixes
from kokoro_core.cli.output import print_json
from kokoro_core.errors import CheckpointError
from registry import Plugins
from registry.text import printable

if TYPE_CHECKING:
    from torch import Tensor

_DTYPES = ("float64", "float32", "bfloat16", "float16")


def convert(
    path: Path,
    out: Path,
    plugins: Plugins,
    *,
    dtype: str | None,
    max_shard_bytes: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a copy of a checkpoint and read it back.

    Raises:
        CheckpointError: The checkpoint is damaged or none, has numbers beyond the type's range, or
            the copy cannot be written.
        BadParameter: The type is not one that models support.
    """
    if dtype is not None and dtype not in _DTYPES:
        raise typer.BadParameter(f"`--dtype {dtype}` must be one of {', '.join(_DTYPES)}.")
    target = checkpointer_for(out, plugins)
    refuse_existing(out, plugins, force=force)
    with open_checkpoint(path, plugins) as opened:
        tensors = opened.content.read(verify=opened.verify)
        metadata = opened.content.metadata
        if dtype is not None:
            tensors = {name: _in_type(name, each, dtype) for name, each in tensors.items()}
    target.save(out, tensors, metadata, max_shard_bytes=max_shard_bytes)
    with target.open(out) as copy:
        copy.verify()
        stated = copy.content_hash
    if as_json:
        print_json({"path": str(out), "content_hash": stated, "tensors": len(tensors)})
    else:
        print(printable(f"{out}: {len(tensors)} tensors, content hash {stated}"))


def refuse_existing(out: Path, plugins: Plugins, *, force: bool) -> None:
    """Refuse to replace a checkpoint, as one file or as an index, that nobody said to replace.

    Raises:
        CheckpointError: One is there.
    """
    if (there := _there(out, plugins)) and not force:
        raise CheckpointError(f"`{there}` is there already; --force replaces it.")


def _in_type(name: str, tensor: Tensor, dtype: str) -> Tensor:
    """Return a tensor in a floating type; tensors of other types are unchanged.

    Raises:
        CheckpointError: Values would become infinite, and the copy could not be loaded.
    """
    import torch

    if not is_floating(str(tensor.dtype).removeprefix("torch.")):
        return tensor
    copy = tensor.to(getattr(torch, dtype))
    lost = int((copy.isinf() & ~tensor.isinf()).sum())
    if lost:
        raise CheckpointError(
            f"`{name}` has {lost} numbers beyond the range of {dtype}; nothing was written; "
            f"`--dtype bfloat16` has the range of float32."
        )
    return copy


def _there(out: Path, plugins: Plugins) -> Path | None:
    """Return what already exists at the output path, as one file or as an index."""
    endings = sorted(suffixes(plugins), key=len, reverse=True)
    stem = next(out.name.removesuffix(each) for each in endings if out.name.endswith(each))
    names = [out, *(out.with_name(stem + each) for each in endings)]
    return next((each for each in names if os.path.lexists(each)), None)
