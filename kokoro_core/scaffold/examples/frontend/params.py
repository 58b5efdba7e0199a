"""The settings of the component: what a spec may say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import FrontendParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Frontend

PAD = "_"


class ExampleParams(FrontendParams):
    """Letters: each character of a text is a symbol, capital letters are read as small ones.

    Attributes:
        letters: All characters that there are; index 0 is that of padding, theirs follow.
    """

    type: Literal["example"] = "example"
    letters: str = Field(default=" abcdefghijklmnopqrstuvwxyz'.,?!", min_length=1)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each index."""
        return (PAD, *self.letters)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what does not fit between the letters and the model."""
        if len(set(self.symbols)) < len(self.symbols):
            yield "letters", f"a character stands there twice, or is {PAD!r}, that of padding"
        if len(self.symbols) != sizes.vocab_size:
            yield (
                "letters",
                f"there are {len(self.symbols)} symbols, padding included, but `vocab_size` is "
                f"{sizes.vocab_size}; set `vocab_size: {len(self.symbols)}`",
            )
        if sizes.pad_id != 0:
            yield "letters", f"padding is 0, but `pad_id` is {sizes.pad_id}; set `pad_id: 0`"

    def build(self, sizes: Sizes) -> Frontend:
        """Return the frontend.

        Raises:
            ValueError: The letters do not fit the model.
        """
        from kokoro_core.scaffold.examples.frontend.frontend import ExampleFrontend

        problems = [message for _, message in self.cross_check(sizes)]
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return ExampleFrontend(symbols=self.symbols)
