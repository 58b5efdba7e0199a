"""A sound recurrent decoder whose rows make place for others, with seams for mutants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from tests.kokoro_core.testing.mutants.sound_cell import CellDecoder, Celled


class RelayDecoder(CellDecoder):
    """Forgets the memory that all rows are past, so that each row goes on at 0."""

    replaces_rows = True

    def replace_rows(self, state: Any, rows: Tensor, begun: Any) -> Celled:
        """Put the rows of another state in the place of some."""
        old, new = self.from_here(state), self.from_here(begun)
        wanted = max(old.memory.shape[1], new.memory.shape[1])
        old, new = (
            replace(each, memory=F.pad(each.memory, (0, 0, 0, wanted - each.memory.shape[1])))
            for each in (old, new)
        )
        return self.put(old, rows, new)

    def from_here(self, state: Celled) -> Celled:
        """Return a state without the memory that was read."""
        return replace(state, position=0, memory=state.memory[:, state.position :])

    def put(self, old: Celled, rows: Tensor, new: Celled) -> Celled:
        """Return a state with other rows, both of which go on at 0 and are as wide."""
        return replace(
            old,
            memory=old.memory.index_copy(0, rows, new.memory),
            hidden=old.hidden.index_copy(0, rows, new.hidden),
            cell=old.cell.index_copy(0, rows, new.cell),
        )
