"""Match the tensors of a checkpoint with those of another model, before any is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kokoro_core.checkpoints.adapt import Adapt
from kokoro_core.checkpoints.layout import floating_type, wrong_type
from kokoro_core.contracts.checkpoints import TensorInfo
from kokoro_core.errors import CheckpointError


@dataclass(frozen=True)
class Rows:
    """Which rows of a tensor mean what, where it has one for each phoneme or speaker.

    Attributes:
        axis: Along which they lie.
        old: The row in the checkpoint of each row of the model that was there before.
        said: That in words.
    """

    axis: int
    old: Mapping[int, int]
    said: str


@dataclass(frozen=True)
class AdaptationPlan:
    """Which tensor of a model comes from which of a checkpoint, before any is read.

    Attributes:
        whole: Names in the model, with the name in the checkpoint.
        rows: The same, for those of which the known phonemes' or speakers' rows are taken.
        fresh: Names in the model that start anew, with why.
        left: Names in the checkpoint that are not used, with why.
    """

    whole: Mapping[str, str]
    rows: Mapping[str, tuple[str, Rows]]
    fresh: Mapping[str, str]
    left: Mapping[str, str]


def adaptation_plan(
    expected: Mapping[str, TensorInfo],
    found: Mapping[str, TensorInfo],
    adapt: Adapt,
    grown: Mapping[str, Rows],
) -> AdaptationPlan:
    """Match the tensors of a checkpoint with those of a model, by name and shape.

    Args:
        expected: The tensors of the model.
        found: Those of the checkpoint.
        adapt: What the caller wants.
        grown: The rows of the tensors that have one for each phoneme or speaker, if those of the
            two models do not mean the same.

    Raises:
        CheckpointError: A beginning of names is of no tensor, two tensors would get one name, or
            nothing could be taken.
    """
    source_of = renamed(found, adapt.renames)
    _check_used("fresh", adapt.fresh, expected)
    whole: dict[str, str] = {}
    rows: dict[str, tuple[str, Rows]] = {}
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
        own = grown.get(name)
        if any(_begins(name, each) for each in adapt.fresh):
            fresh[name] = left[source] = "as asked for"
        elif (why := _why_not(wanted, found[source], floating, own)) is not None:
            fresh[name] = left[source] = why
        elif own is None:
            whole[name] = source
        else:
            rows[name] = (source, own)
    if not whole and not rows:
        raise CheckpointError(
            "`adapt` would take nothing from the checkpoint: no tensor has the name and the shape "
            "of one of the model; build the model with `KokoroModel.from_spec`."
        )
    return AdaptationPlan(whole, rows, fresh, left)


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
    wanted: TensorInfo, found: TensorInfo, floating: str | None, rows: Rows | None
) -> str | None:
    """Return why a stored tensor cannot be taken, or None; the number of rows may differ."""
    axis = None if rows is None else rows.axis
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
