"""``checkpoint inspect``: metadata and layout of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from kokoro_core.checkpoints.locate import open_checkpoint
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.contracts.checkpoints import OpenCheckpoint, TensorInfo
from registry import Plugins
from registry.text import printable

_BYTES = {"float64": 8, "int64": 8, "uint64": 8, "complex64": 8, "bfloat16": 2, "float16": 2}
_BYTES |= {"float32": 4, "int32": 4, "uint32": 4, "int16": 2, "uint16": 2}


def inspect(path: Path, plugins: Plugins, *, tensors: bool, as_json: bool) -> None:
    """Print the content of a checkpoint.

    Raises:
        CheckpointError: The file is missing or not a checkpoint.
    """
    with open_checkpoint(path, plugins, verify=False) as opened:
        report = {"path": str(opened.path), **described(opened.content)}
    if opened.step is not None:
        manifest = opened.step.manifest
        report["step"] = manifest.step
        report["score"] = manifest.score
        report["progress"] = manifest.facts.get("progress")
        report["files"] = {name: each.size for name, each in sorted(manifest.files.items())}
    if not tensors:
        report.pop("tensors")
    if as_json:
        print_json(report)
    else:
        _print(report)


def described(found: OpenCheckpoint) -> dict[str, Any]:
    """Return the metadata and layout of an open checkpoint, as JSON values."""
    metadata = found.metadata
    spec = metadata.get("spec")
    types: dict[str, int] = {}
    for each in found.layout.values():
        types[each.dtype] = types.get(each.dtype, 0) + 1
    return {
        "content_hash": found.content_hash,
        "format_version": metadata.get("format_version"),
        "spec": spec.get("name") if isinstance(spec, dict) else None,
        "components": metadata.get("components", []),
        "dtypes": types,
        "numbers": sum(prod(each.shape) for each in found.layout.values()),
        "bytes": sum(map(size_of, found.layout.values())),
        "parts": parts_of(found.layout),
        "tensors": {
            name: {"dtype": each.dtype, "shape": list(each.shape)}
            for name, each in sorted(found.layout.items())
        },
        "metadata": sorted(metadata),
    }


def size_of(info: TensorInfo) -> int:
    """Return the bytes of a stored tensor; unlisted types have one byte per element."""
    return prod(info.shape) * _BYTES.get(info.dtype, 1)


def parts_of(layout: Mapping[str, TensorInfo]) -> dict[str, dict[str, int]]:
    """Return the number of tensors, values and bytes for each first component of the names."""
    parts: dict[str, dict[str, int]] = {}
    for name, info in layout.items():
        part = parts.setdefault(name.partition(".")[0], {"tensors": 0, "numbers": 0, "bytes": 0})
        part["tensors"] += 1
        part["numbers"] += prod(info.shape)
        part["bytes"] += size_of(info)
    return parts


def _print(report: dict[str, Any]) -> None:
    print(printable(report["path"]))
    for title, key in (("spec", "spec"), ("content hash", "content_hash"), ("step", "step")):
        if report.get(key) is not None:
            print(printable(f"{title}: {report[key]}"))
    if isinstance(progress := report.get("progress"), dict):
        said = ", ".join(f"{name} {each}" for name, each in progress.items())
        print(printable(f"progress: {said}"))
    if report["content_hash"] is None:
        print("content hash: none, written by the first version")
    print(f"{report['numbers']:,} numbers, {report['bytes']:,} bytes")
    rows = [
        (part, *(f"{each[key]:,}" for key in ("tensors", "numbers", "bytes")))
        for part, each in report["parts"].items()
    ]
    print_table(("part", "tensors", "numbers", "bytes"), rows)
    if report["components"]:
        print()
        print_table(
            ("component", "name", "distribution"),
            [(each.get("path"), each.get("name"), _origin(each)) for each in report["components"]],
        )
    if "tensors" in report:
        print()
        rows = [(name, each["dtype"], each["shape"]) for name, each in report["tensors"].items()]
        print_table(("tensor", "type", "shape"), rows)


def _origin(component: Mapping[str, Any]) -> str:
    return f"{component.get('distribution')} {component.get('version')}"
