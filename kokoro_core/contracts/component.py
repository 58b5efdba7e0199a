"""The base of the contracts."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from torch import nn


class Component(nn.Module, ABC):
    """The base of the contracts.

    Attributes:
        entry_points: The methods that the model calls, for tools that observe it from outside.
        couples_rows: True if rows depend on each other in training by design.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("forward",)
    couples_rows: ClassVar[bool] = False
