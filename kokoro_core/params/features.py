"""What components take by keyword besides the tensors of a contract: features, and named parts.

This file imports no torch, since params classes declare features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

Per = Literal["row", "phoneme", "frame", "recording"]
"""What a feature has one value for; a recording is a mel (B, R, M) of a length of its own."""

When = Literal["always", "training", "speaking"]


@dataclass(frozen=True)
class NamesPart:
    """Marks a setting as the name of something that the model makes."""


PartName = Annotated[str, Field(min_length=1), NamesPart()]
"""A setting that names what the model makes, mostly a part of the encoder's output.

`needs` lists its value; a spec that names what no part gives has a problem at that setting.
"""


@dataclass(frozen=True)
class Feature:
    """A property of an utterance that a component takes by keyword, such as pitch or a speaker.

    Attributes:
        per: What it has one value for.
        kind: Numbers, or indices from 0.
        width: Channels of a ``float``, or None for one number without a channel axis; the number
            of indices of an ``index``, None for as many as the spec names.
        when: When it must be given; in the other mode the component gets `default` if it is not.
        default: What stands for it where it need not be given.
    """

    per: Per = "row"
    kind: Literal["float", "index"] = "float"
    width: int | None = None
    when: When = "always"
    default: Any = None

    def is_required(self, *, training: bool) -> bool:
        """Return whether it must be given in training, or in speaking."""
        return self.when in ("always", "training" if training else "speaking")
