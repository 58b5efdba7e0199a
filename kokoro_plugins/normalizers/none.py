"""The normalizer `none`: a text as it is written."""

from __future__ import annotations

from typing import final

from kokoro_core.contracts import Normalizer


@final
class Unchanged(Normalizer):
    """Leaves a text as it is written."""

    def normalize(self, text: str) -> str:
        """Return the text itself."""
        return text
