"""From a checkpoint to another model than its own, on purpose: what is taken, and what is not.

What every toolkit is asked for: fine-tune with more phonemes, with another decoder, with more
layers. Nothing is guessed: the caller says what the new model is and what the phonemes' numbers
mean in it, and gets a list of every tensor that was taken, that starts anew, and that was left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kokoro_core.layouts import floating_type, wrong_type
from kokoro_core.outer_contracts import CheckpointError, TensorInfo
from kokoro_core.spec.diff import Change
from kokoro_core.spec.load import Source
from kokoro_core.spec.problems import printable


@dataclass(frozen=True)
class Adapt:
    """How a model is to differ from the checkpoint that it starts from.

    Attributes:
        spec: The spec of the new model; None: the checkpoint's own.
        overrides: Changes of that spec by dotted paths, ``{"decoder.num_layers": 8}``.
        vocabulary: What the new phoneme indices were in the checkpoint: ``"append"``: the same, and
            the new ones follow; a mapping from a new index to the old one, as
            `vocabulary_by_symbol` makes it; None: the same, and there are as many.
        renames: Beginnings of names in the checkpoint, with what they are called in the model.
        fresh: Beginnings of names in the model that start anew although the checkpoint has them.
        say: Is given the list of what was taken and what was not.
    """

    spec: Source | None = None
    overrides: Mapping[str, Any] | None = None
    vocabulary: Literal["append"] | Mapping[int, int] | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    fresh: Sequence[str] = ()
    say: Callable[[str], None] = print


@dataclass(frozen=True)
class Adaptation:
    """What became of every tensor of a checkpoint and of a model.

    Attributes:
        source: The checkpoint.
        changes: The settings in which the two specs differ.
        taken: Names of tensors that are as in the checkpoint.
        partly: Names of tensors of which a part is, with which.
        fresh: Names of tensors that start anew, with why.
        left: Names of tensors of the checkpoint that were not taken, with why.
    """

    source: str
    changes: tuple[Change, ...]
    taken: tuple[str, ...]
    partly: Mapping[str, str]
    fresh: Mapping[str, str]
    left: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON has."""
        return {
            "source": self.source,
            "changes": [each.as_dict() for each in self.changes],
            "taken": list(self.taken),
            "partly": dict(self.partly),
            "fresh": dict(self.fresh),
            "left": dict(self.left),
        }

    def __str__(self) -> str:
        lines = [f"adapted from {self.source}"]
        lines += [f"  setting {each.path}: {each.old} → {each.new}" for each in self.changes]
        groups = {
            "taken": dict.fromkeys(self.taken, ""),
            "partly taken": self.partly,
            "starts anew": self.fresh,
            "left in the checkpoint": self.left,
        }
        for title, group in groups.items():
            lines.append(f"  {title}: {len(group)} tensors")
            if title != "taken":
                lines += [f"    {each}" for each in _summary(group)]
        return "\n".join(map(printable, lines))


def _summary(group: Mapping[str, str]) -> list[str]:
    """Return a line for tensors that differ in numbers alone, as those of layers do."""
    numbers: dict[tuple[str, str], int] = {}
    for name, why in group.items():
        key = re.sub(r"\.\d+(?=\.)", ".*", name), why
        numbers[key] = numbers.get(key, 0) + 1
    return [
        f"{name}{f' ({count})' if count > 1 else ''}: {why}"
        for (name, why), count in numbers.items()
    ]


def vocabulary_by_symbol(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Return for the new index of each symbol that was there before its old index.

    Args:
        old: The symbols of the checkpoint's frontend, padding included.
        new: Those of the new one.

    Raises:
        ValueError: A symbol stands in one of them twice.
    """
    for name, symbols in (("old", old), ("new", new)):
        if twice := sorted({each for each in symbols if list(symbols).count(each) > 1}):
            raise ValueError(f"`{name}` must have each symbol once; {twice} stand in it twice.")
    index_of = {symbol: index for index, symbol in enumerate(old)}
    return {index: index_of[symbol] for index, symbol in enumerate(new) if symbol in index_of}


@dataclass(frozen=True)
class Plan:
    """Which tensor of a model comes from which of a checkpoint, before any is read.

    Attributes:
        whole: Names in the model, with the name in the checkpoint.
        rows: The same, for those of which the known phonemes' rows are taken, with the axis.
        fresh: Names in the model that start anew, with why.
        left: Names in the checkpoint that are not used, with why.
    """

    whole: Mapping[str, str]
    rows: Mapping[str, tuple[str, int]]
    fresh: Mapping[str, str]
    left: Mapping[str, str]


def plan(
    expected: Mapping[str, TensorInfo],
    found: Mapping[str, TensorInfo],
    adapt: Adapt,
    vocabulary_axes: Mapping[str, int],
) -> Plan:
    """Match the tensors of a checkpoint with those of a model, by name and shape.

    Args:
        expected: The tensors of the model.
        found: Those of the checkpoint.
        adapt: What the caller wants.
        vocabulary_axes: The axis along which a tensor of the model has a row for each phoneme; none
            if the phoneme indices mean the same.

    Raises:
        CheckpointError: A beginning of names is of no tensor, two tensors would get one name, or
            nothing could be taken.
    """
    source_of = renamed(found, adapt.renames)
    _check_used("fresh", adapt.fresh, expected)
    whole: dict[str, str] = {}
    rows: dict[str, tuple[str, int]] = {}
    fresh: dict[str, str] = {}
    left = {
        source: "not in the model" for name, source in source_of.items() if name not in expected
    }
    floating = floating_type(found)
    for name, wanted in expected.items():
        if name not in source_of:
            fresh[name] = "not in the checkpoint"
            continue
        source = source_of[name]
        axis = vocabulary_axes.get(name)
        if any(_begins(name, each) for each in adapt.fresh):
            fresh[name] = left[source] = "as asked for"
        elif (why := _why_not(wanted, found[source], floating, axis)) is not None:
            fresh[name] = left[source] = why
        elif axis is None:
            whole[name] = source
        else:
            rows[name] = (source, axis)
    if not whole and not rows:
        raise CheckpointError(
            "`adapt` would take nothing from the checkpoint: no tensor has the name and the shape "
            "of one of the model; build the model with `KokoroModel.from_spec`."
        )
    return Plan(whole, rows, fresh, left)


def renamed(found: Mapping[str, TensorInfo], renames: Mapping[str, str]) -> dict[str, str]:
    """Return the name in the checkpoint of each tensor, by what it is called in the model.

    Raises:
        CheckpointError: A beginning of names is of no tensor, or two tensors would get one name.
    """
    _check_used("renames", list(renames), found)
    source_of: dict[str, str] = {}
    for source in found:
        old = next((each for each in renames if _begins(source, each)), None)
        name = source if old is None else renames[old] + source[len(old) :]
        if name in source_of:
            raise CheckpointError(
                f"`renames` would give `{source_of[name]}` and `{source}` the same name `{name}`."
            )
        source_of[name] = source
    return source_of


def old_indices(adapt: Adapt, old_size: int, new_size: int) -> dict[int, int] | None:
    """Return the old index of each new phoneme index that has one; None: all are the same.

    Raises:
        CheckpointError: The sizes differ and nothing says how, or an index is out of range.
    """
    chosen = adapt.vocabulary
    if chosen is None:
        if old_size == new_size:
            return None
        raise CheckpointError(
            f"`vocab_size` is {old_size} in the checkpoint and {new_size} in the new spec; say "
            f"with `vocabulary` what the new phoneme indices mean: 'append' if the new ones follow "
            f"the old, or a mapping from new index to old, as `vocabulary_by_symbol` makes it."
        )
    if chosen == "append":
        if new_size < old_size:
            raise CheckpointError(
                f"`vocabulary='append'` needs at least the {old_size} phonemes of the checkpoint, "
                f"not {new_size}; a mapping from new index to old says which are kept."
            )
        return {index: index for index in range(old_size)}
    for new, old in chosen.items():
        if not (0 <= new < new_size and 0 <= old < old_size):
            raise CheckpointError(
                f"`vocabulary` maps {new} to {old}; new indices are 0 to {new_size - 1} and old "
                f"ones 0 to {old_size - 1}."
            )
    return dict(chosen)


def _why_not(
    wanted: TensorInfo, found: TensorInfo, floating: str | None, axis: int | None
) -> str | None:
    """Return why a stored tensor cannot be taken, or None; sizes along an axis may differ."""
    shapes = [
        tuple(size for index, size in enumerate(each.shape) if index != axis)
        for each in (wanted, found)
    ]
    if shapes[0] != shapes[1] or len(wanted.shape) != len(found.shape):
        return f"{wanted.shape} in the model, {found.shape} in the checkpoint"
    return wrong_type(wanted, found, floating)


def _check_used(what: str, beginnings: Sequence[str], names: Mapping[str, Any]) -> None:
    unused = [each for each in beginnings if not any(_begins(name, each) for name in names)]
    if unused:
        tops = sorted({name.partition(".")[0] for name in names})
        raise CheckpointError(
            f"`{what}` has {', '.join(f'`{each}`' for each in unused)}, with which no tensor "
            f"begins; they begin with {', '.join(tops)}."
        )


def _begins(name: str, beginning: str) -> bool:
    """Return whether a dotted name is another or lies in it: ``decoder.out`` in ``decoder``."""
    return name == beginning or name.startswith(f"{beginning}.")
