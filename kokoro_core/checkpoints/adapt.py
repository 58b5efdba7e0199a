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

from kokoro_core.spec.load import Source
from kokoro_core.spec.views.diff import Change
from registry.terminal import print_any
from registry.text import printable


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
    say: Callable[[str], None] = print_any


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
