"""``checkpoint convert``: the same content in another form."""

from __future__ import annotations

import os
from pathlib import Path

from kokoro_core.checkpointers import checkpointer_for, locate, suffixes
from kokoro_core.cli.output import print_json
from kokoro_core.layouts import is_floating
from kokoro_core.outer_contracts import CheckpointError
from kokoro_core.spec.problems import printable
from registry import Plugins

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
        CheckpointError: The checkpoint is damaged or none, or the copy cannot be written.
        ValueError: The type is none that a model has.
    """
    import torch

    if dtype is not None and dtype not in _DTYPES:
        raise ValueError(f"`--dtype {dtype}` must be one of {', '.join(_DTYPES)}.")
    located = locate(path, plugins)
    target = checkpointer_for(out, plugins)
    if (there := _there(out, plugins)) and not force:
        raise CheckpointError(f"`{there}` is there already; --force replaces it.")
    verify = not located.verify()
    with checkpointer_for(located.path, plugins).open(located.path) as found:
        tensors, metadata = found.read(verify=verify), found.metadata
        if dtype is not None:
            tensors = {
                name: each.to(getattr(torch, dtype)) if is_floating(str(each.dtype)[6:]) else each
                for name, each in tensors.items()
            }
    target.save(out, tensors, metadata, max_shard_bytes=max_shard_bytes)
    with target.open(out) as copy:
        copy.verify()
        stated = copy.content_hash
    if as_json:
        print_json({"path": str(out), "content_hash": stated, "tensors": len(tensors)})
    else:
        print(printable(f"{out}: {len(tensors)} tensors, content hash {stated}"))


def _there(out: Path, plugins: Plugins) -> Path | None:
    """Return what stands where a checkpoint is to be written, in one file or as an index."""
    endings = sorted(suffixes(plugins), key=len, reverse=True)
    stem = next(out.name.removesuffix(each) for each in endings if out.name.endswith(each))
    names = [out, *(out.with_name(stem + each) for each in endings)]
    return next((each for each in names if os.path.lexists(each)), None)
