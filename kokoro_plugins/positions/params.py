"""The settings of the positional encodings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import Size, embedding, table
from kokoro_core.slots import PositionalEncodingParams

if TYPE_CHECKING:
    from kokoro_plugins.positions.alibi import AlibiPositions
    from kokoro_plugins.positions.learned import LearnedPositions
    from kokoro_plugins.positions.none import NoPositions
    from kokoro_plugins.positions.rotary import RotaryPositions


class LearnedParams(PositionalEncodingParams):
    """Adds a learned vector for each position (Gehring et al., 2017; BERT and GPT-2).

    Attributes:
        max_len: Number of positions in the table; longer sequences are rejected.
    """

    type: Literal["learned"] = "learned"
    max_len: int = Field(5000, ge=1)

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return the size of the trained table."""
        return embedding(self.max_len, hidden_dim)

    def build(self, *, hidden_dim: int, num_heads: int) -> LearnedPositions:
        """Return a table as wide as the stack; the number of heads does not matter."""
        from kokoro_plugins.positions.learned import LearnedPositions

        return LearnedPositions(hidden_dim=hidden_dim, max_len=self.max_len)


class RotaryParams(PositionalEncodingParams):
    """Rotates queries and keys by their positions (RoPE, Su et al., 2021).

    Attributes:
        base: Wavelengths range from 2π to nearly 2π · base positions.
    """

    type: Literal["rotary"] = "rotary"
    base: float = Field(10000.0, gt=1)

    def check_stack(self, *, hidden_dim: int, num_heads: int) -> Iterable[tuple[str, str]]:
        """Yield the type if a head has an odd number of channels."""
        if hidden_dim // num_heads % 2:
            yield (
                "type",
                f"'{self.type}' turns channels in pairs, but a head has "
                f"{hidden_dim} / {num_heads} = {hidden_dim // num_heads}; make that even",
            )

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return an empty size: angles are computed at each call."""
        return Size()

    def build(self, *, hidden_dim: int, num_heads: int) -> RotaryPositions:
        """Return the encoding for heads of ``hidden_dim / num_heads`` channels."""
        from kokoro_plugins.positions.rotary import RotaryPositions

        return RotaryPositions(head_dim=hidden_dim // num_heads, base=self.base)


class AlibiParams(PositionalEncodingParams):
    """Lowers the scores of distant positions by one slope per head (ALiBi, Press et al., 2022)."""

    type: Literal["alibi"] = "alibi"

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return the size of the slopes, one per head."""
        return table(1, num_heads)

    def build(self, *, hidden_dim: int, num_heads: int) -> AlibiPositions:
        """Return the encoding for that number of heads; the width does not matter."""
        from kokoro_plugins.positions.alibi import AlibiPositions

        return AlibiPositions(num_heads=num_heads)


class NoPositionsParams(PositionalEncodingParams):
    """Gives attention no positions, for stacks that encode them otherwise (convolutions)."""

    type: Literal["none"] = "none"

    @property
    def capabilities(self) -> Capabilities:
        """Positions are indistinguishable."""
        return Capabilities(position_free=True)

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return an empty size: there are no parameters."""
        return Size()

    def build(self, *, hidden_dim: int, num_heads: int) -> NoPositions:
        """Return the neutral encoding."""
        from kokoro_plugins.positions.none import NoPositions

        return NoPositions()
