"""The contract of profilers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Profiler(ABC):
    """Measures a model from outside: attaches to it and detaches itself again."""

    @abstractmethod
    def attach(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Observe a model within a ``with`` block and leave it unchanged."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """Return the measurements as JSON values."""

    @abstractmethod
    def table(self) -> str:
        """Return the measurements as a table for a terminal."""

    @abstractmethod
    def export_trace(self, path: Path) -> None:
        """Write the measurements in the Chrome trace format.

        Raises:
            RuntimeError: Nothing was recorded.
        """
