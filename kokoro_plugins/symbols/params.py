"""The settings of the frontend `symbols`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import FrontendParams

if TYPE_CHECKING:
    from kokoro_plugins.symbols.frontend import SymbolsFrontend


class SymbolsFrontendParams(FrontendParams):
    """A text that already is symbols: phonemes with blanks between them, or characters.

    Attributes:
        symbols: The symbol of each index, padding included.
        split: Whether a text's symbols stand between blanks, or each of its characters is one.
        lowercase: Whether a text is read in small letters.
        end: The symbol that each text ends with; null for none.
        between: The symbol before, between and after all others; null for none.
    """

    type: Literal["symbols"] = "symbols"
    symbols: Annotated[tuple[str, ...], Field(strict=False, min_length=2)]
    split: Literal["blanks", "characters"] = "blanks"
    lowercase: bool = False
    end: str | None = None
    between: str | None = None

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what keeps the symbols from being those of the model."""
        if len(self.symbols) != sizes.vocab_size:
            yield (
                "symbols",
                f"{len(self.symbols)} symbols are listed, but `vocab_size` is {sizes.vocab_size}; "
                f"there must be one for each index",
            )
        if twice := [each for each, count in Counter(self.symbols).items() if count > 1]:
            yield "symbols", f"{', '.join(map(repr, twice))} is listed more than once"
        for field, symbol in (("end", self.end), ("between", self.between)):
            if symbol is not None and symbol not in self.symbols:
                yield field, f"{symbol!r} is not among the symbols"

    def build(self, sizes: Sizes) -> SymbolsFrontend:
        """Return the frontend.

        Raises:
            ValueError: The symbols are not those of the model.
        """
        from kokoro_plugins.symbols.frontend import SymbolsFrontend

        problems = [f"`{field}`: {message}" for field, message in self.cross_check(sizes)]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return SymbolsFrontend(
            symbols=self.symbols,
            split=self.split,
            lowercase=self.lowercase,
            end=self.end,
            between=self.between,
        )
