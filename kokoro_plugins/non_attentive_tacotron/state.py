"""What the recurrent decoder remembers between steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kokoro_core.contracts import State
from kokoro_core.nn.rows import put_rows, steps_behind, steps_of


@dataclass
class LstmDecoderState(State):
    """What the decoder remembers.

    Attributes:
        position: Frames made so far, by the row that has most.
        memory: (B, max_frames, H + P), the memory with the place of each frame in its phoneme.
        hidden: (B, layers, C), the output of each recurrent layer.
        cell: (B, layers, C), the cell of each recurrent layer.
        behind: (B,) int64, by how many frames each row is behind `position`; None: none is.
    """

    position: int
    memory: Tensor
    hidden: Tensor
    cell: Tensor
    behind: Tensor | None = None

    def select(self, rows: Tensor) -> LstmDecoderState:
        """Return a copy with these rows; those that have made most may not be among them."""
        chosen = super().select(rows)
        if chosen.behind is not None:
            most, chosen.behind = steps_behind(-chosen.behind)
            chosen.position += most
        return chosen

    def put(self, rows: Tensor, begun: LstmDecoderState) -> None:
        """Put the rows of another state in the place of some.

        Args:
            rows: (b,) int64, each once.
            begun: Of b rows.
        """
        made = self._steps().index_copy(0, rows, begun._steps())
        self.position, self.behind = steps_behind(made)
        self.memory = put_rows(self.memory, rows, begun.memory)
        self.hidden = self.hidden.index_copy(0, rows, begun.hidden)
        self.cell = self.cell.index_copy(0, rows, begun.cell)

    def _steps(self) -> Tensor:
        """Return how many frames each row has made, (B,) int64."""
        return steps_of(self.position, self.behind, self.memory)
