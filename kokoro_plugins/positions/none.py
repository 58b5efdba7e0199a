"""`NoPositions`: the neutral positional encoding."""

from __future__ import annotations

from typing import final

from kokoro_core.contracts import PositionalEncoding


@final
class NoPositions(PositionalEncoding):
    """Gives attention no positions: every method keeps the contract's neutral result."""
