"""What measures a model from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Profiler(ABC):
    """Measures a model from outside: attaches to it and takes itself off again."""

    @abstractmethod
    def attach(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Watch a model within a ``with`` block and leave it as it was."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """Return what was measured, as values that JSON has."""

    @abstractmethod
    def table(self) -> str:
        """Return what was measured, as a table for a terminal."""

    @abstractmethod
    def export_trace(self, path: Path) -> None:
        """Write what was measured in the Chrome trace format.

        Raises:
            RuntimeError: Nothing was recorded.
        """
