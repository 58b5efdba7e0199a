"""``checkpoint diff``: differences between two checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kokoro_core.checkpoints.locate import open_checkpoint
from kokoro_core.cli.output import print_json, print_table
from kokoro_core.contracts.checkpoints import OpenCheckpoint
from registry import Plugins
from registry.text import printable


def diff(a: Path, b: Path, plugins: Plugins, *, as_json: bool) -> None:
    """Print how two checkpoints differ; both are verified, and no model is built.

    Raises:
        CheckpointError: One is missing, damaged or not a checkpoint.
    """
    with ExitStack() as stack:
        old, new = (stack.enter_context(open_checkpoint(each, plugins)) for each in (a, b))
        report = {"a": str(old.path), "b": str(new.path), **compared(old.content, new.content)}
    if as_json:
        print_json(report)
    else:
        _print(report)


def compared(old: OpenCheckpoint, new: OpenCheckpoint) -> dict[str, Any]:
    """Return the differences of two open checkpoints, as JSON values.

    Raises:
        CheckpointError: The content of one is not what was saved.
    """
    names = [name for name in old.layout if name in new.layout]
    alike = [name for name in names if old.layout[name] == new.layout[name]]
    same = old.content_hash is not None and old.content_hash == new.content_hash
    return {
        "metadata": dict(_changes(old.metadata, new.metadata, "")),
        "only_a": [name for name in old.layout if name not in new.layout],
        "only_b": [name for name in new.layout if name not in old.layout],
        "other_form": {
            name: [str(old.layout[name]), str(new.layout[name])]
            for name in names
            if name not in set(alike)
        },
        "other_values": _verified((old, new)) if same else _values(old, new, alike),
        "equal": len(alike),
    }


def _verified(found: Iterable[OpenCheckpoint]) -> dict[str, float]:
    """Return no differences for equal hashes, after verifying that the bytes match them."""
    for each in found:
        each.verify()
    return {}


def _values(old: OpenCheckpoint, new: OpenCheckpoint, names: list[str]) -> dict[str, float]:
    """Return the largest difference of each tensor that is not bit-identical."""
    import torch

    first, second = (each.read(names=set(names)) for each in (old, new))
    found = {}
    for name in names:
        pair = [each[name].reshape(-1) for each in (first, second)]
        if not torch.equal(*(each.view(torch.uint8) for each in pair)):
            wide = torch.complex128 if pair[0].is_complex() else torch.float64
            difference = (pair[0].to(wide) - pair[1].to(wide)).abs().max()
            found[name] = float(difference)
    return found


def _changes(old: Any, new: Any, path: str) -> list[tuple[str, list[Any]]]:
    """Return the dotted paths at which plain values differ, with both values."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return [] if old == new else [(path, [old, new])]
    keys = [*old, *(each for each in new if each not in old)]
    found = []
    for key in keys:
        inner = f"{path}.{key}" if path else str(key)
        found += _changes(old.get(key), new.get(key), inner)
    return found


def _print(report: dict[str, Any]) -> None:
    a, b = report["a"], report["b"]
    for key, (old, new) in report["metadata"].items():
        print(printable(f"{key}: {old!r} → {new!r}"))
    for key, where in (("only_a", a), ("only_b", b)):
        for name in report[key]:
            print(printable(f"{name}: only in {where}"))
    for name, (old, new) in report["other_form"].items():
        print(printable(f"{name}: {old} → {new}"))
    changed = report["other_values"]
    if changed:
        rows = [(name, f"{each:.3g}") for name, each in changed.items()]
        print_table(("tensor", "largest difference"), rows)
    print(f"{report['equal'] - len(changed)} tensors are the same, bit for bit")
