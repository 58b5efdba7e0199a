"""The settings of the positional encodings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import UNKNOWN_PART, Size, embedding, table
from kokoro_core.slots import PositionalEncodingParams

if TYPE_CHECKING:
    from kokoro_plugins.positions.alibi import AlibiPositions
    from kokoro_plugins.positions.learned import LearnedPositions
    from kokoro_plugins.positions.none import NoPositions
    from kokoro_plugins.positions.relative_keys import RelativeKeys
    from kokoro_plugins.positions.rotary import RotaryPositions


class LearnedParams(PositionalEncodingParams):
    """Adds a learned vector for each position (Gehring et al., 2017; BERT and GPT-2).

    Attributes:
        max_len: Number of positions in the table; longer sequences are rejected.
    """

    type: Literal["learned"] = "learned"
    max_len: int = Field(default=5000, ge=1)

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
        fraction: Share of each head's channels that is turned, the first ones; an even number.
    """

    type: Literal["rotary"] = "rotary"
    base: float = Field(default=10000.0, gt=1)
    fraction: float = Field(default=1.0, gt=0, le=1)

    def check_stack(self, *, hidden_dim: int, num_heads: int) -> Iterable[tuple[str, str]]:
        """Yield what makes the number of turned channels odd, or 0."""
        head_dim, turned = hidden_dim // num_heads, self._turned(hidden_dim, num_heads)
        if turned and turned % 2 == 0:
            return
        if self.fraction < 1:
            yield (
                "fraction",
                f"turns {turned} of the {head_dim} channels of a head, but they are turned in "
                f"pairs; make that even and at least 2",
            )
        else:
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

        return RotaryPositions(head_dim=self._turned(hidden_dim, num_heads), base=self.base)

    def _turned(self, hidden_dim: int, num_heads: int) -> int:
        return int(hidden_dim // num_heads * self.fraction)


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


class RelativeKeysParams(PositionalEncodingParams):
    """Adds to each key a learned vector of its distance (Shaw et al., 2018; SpeechT5).

    Attributes:
        max_distance: From so many steps on, distances are not told apart.
        absolute: An encoding that is used besides; null for none.
    """

    type: Literal["relative_keys"] = "relative_keys"
    max_distance: int = Field(default=160, ge=1)
    absolute: PositionalEncodingParams | None = None

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return distances alone, and beside rotated positions."""
        return {"": {"max_distance": 3}, "both": {"absolute": {"type": "rotary"}}}

    def check_stack(self, *, hidden_dim: int, num_heads: int) -> Iterable[tuple[str, str]]:
        """Yield what the other encoding forbids."""
        if self.absolute is not None:
            for field, message in self.absolute.check_stack(
                hidden_dim=hidden_dim, num_heads=num_heads
            ):
                yield f"absolute.{field}", message

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return the size of the vectors and of the other encoding."""
        own = embedding(2 * self.max_distance, hidden_dim // num_heads)
        if self.absolute is None:
            return own
        other = self.absolute.size(hidden_dim=hidden_dim, num_heads=num_heads)
        return own + (other or UNKNOWN_PART)

    def build(self, *, hidden_dim: int, num_heads: int) -> RelativeKeys:
        """Return the encoding for heads of ``hidden_dim / num_heads`` channels."""
        from kokoro_plugins.positions.relative_keys import RelativeKeys

        absolute = None
        if self.absolute is not None:
            absolute = self.absolute.build(hidden_dim=hidden_dim, num_heads=num_heads)
        return RelativeKeys(
            head_dim=hidden_dim // num_heads, max_distance=self.max_distance, absolute=absolute
        )
