"""`ExampleFrontend`."""

from __future__ import annotations

import unicodedata
from typing import final

from kokoro_core.contracts import Frontend
from kokoro_core.errors import FrontendError


@final
class ExampleFrontend(Frontend):
    """Takes each character of a text for a symbol.

    Args:
        symbols: The symbol of each index, that of padding first.
    """

    def __init__(self, *, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols

    def phonemize(self, text: str) -> list[str]:
        """Return the characters of a text, in small letters.

        Raises:
            FrontendError: The text is blank, or has a character that is no symbol.
        """
        if not text.strip():
            raise FrontendError("`text` must have something to speak in it, but it is blank.")
        characters = [*unicodedata.normalize("NFC", text.lower())]
        known = set(self.symbols[1:])
        unknown = sorted({each for each in characters if each not in known})
        if unknown:
            raise FrontendError(
                f"`text` has {', '.join(map(repr, unknown))} in it, which no symbol stands for; "
                f"the symbols are {''.join(self.symbols[1:])!r}."
            )
        return characters
