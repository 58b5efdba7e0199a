"""`SymbolsFrontend`: a text whose symbols only need their indices."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, final

from kokoro_core.contracts import Frontend
from kokoro_core.errors import FrontendError

_SHOWN = 8


@final
class SymbolsFrontend(Frontend):
    """Splits a text into symbols and adds those that the model wants around them.

    Args:
        symbols: The symbol of each index.
        split: Where a symbol ends: at blanks, or after each character.
        lowercase: Whether the text is read in small letters.
        end: The symbol that each text ends with.
        between: The symbol before, between and after all others.
    """

    def __init__(
        self,
        *,
        symbols: tuple[str, ...],
        split: Literal["blanks", "characters"],
        lowercase: bool,
        end: str | None,
        between: str | None,
    ) -> None:
        self.symbols = symbols
        self._pattern = re.compile(r"\S+" if split == "blanks" else r"(?s:.)")
        self._lowercase = lowercase
        self._end = end
        self._between = between

    def phonemize(self, text: str) -> list[str]:
        """Return the symbols of a text.

        Raises:
            FrontendError: The text is blank, or something in it is no symbol.
        """
        return [symbol for symbol, _ in self._placed(text)]

    def positions(self, text: str) -> list[int]:
        """Return the offset of each symbol in the text; those added have that of the next or last.

        Raises:
            FrontendError: The text is blank, or something in it is no symbol.
        """
        return [at for _, at in self._placed(text)]

    def _placed(self, text: str) -> list[tuple[str, int]]:
        text = unicodedata.normalize("NFC", text)
        text = text.strip() and text  # offsets are those of the whole text
        found = [(each[0], each.start()) for each in self._pattern.finditer(text)]
        if self._lowercase:
            found = [(symbol.lower(), at) for symbol, at in found]
        if not found:
            raise FrontendError("`text` must have a symbol in it, but it is blank.")
        self._refuse_unknown([symbol for symbol, _ in found])
        if self._end is not None:
            found.append((self._end, found[-1][1]))
        if self._between is None:
            return found
        filler = self._between
        spread = [pair for symbol, at in found for pair in ((filler, at), (symbol, at))]
        return [*spread, (filler, found[-1][1])]

    def _refuse_unknown(self, symbols: list[str]) -> None:
        unknown = sorted({each for each in symbols if each not in self.symbols})
        if unknown:
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            raise FrontendError(
                f"`text` has {', '.join(map(repr, unknown[:_SHOWN]))}{more}, which the frontend "
                f"`symbols` does not know; its {len(self.symbols)} symbols begin with "
                f"{', '.join(map(repr, self.symbols[:_SHOWN]))}."
            )
