"""The normalizer `wetext`: rules of our own, then the grammars of WeTextProcessing."""

from __future__ import annotations

import re
from typing import Any, final

from kokoro_core.contracts import Normalizer
from kokoro_plugins.normalizers.english import FIRST_RULES
from kokoro_plugins.normalizers.rule import apply_all

_RUN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""What the grammars take in one go: ASCII without blanks at its ends, which they would drop."""


@final
class Wetext(Normalizer):
    """The grammars of WeTextProcessing for English, behind rules for what they misread.

    Args:
        grammars: Its `wetext.Normalizer`.
    """

    def __init__(self, *, grammars: Any) -> None:
        self._grammars = grammars

    def normalize(self, text: str) -> str:
        """Return the text in words."""
        return _RUN.sub(self._read, apply_all(FIRST_RULES, text))

    def _read(self, found: re.Match[str]) -> str:
        try:
            said: str = self._grammars.normalize(found.group())
        except AssertionError:  # their answer to what they have no path for
            return found.group()
        return said.replace('\\"', '"')  # they put a stroke before the quotation mark of inches
