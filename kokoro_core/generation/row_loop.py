"""`RowLoop`: makes frames of rows of which each begins and ends by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, State, answers
from kokoro_core.contracts.answers import Callee
from kokoro_core.generation.loop import DROP_SHARE, begun_state, checked_step
from kokoro_core.generation.row import Row
from kokoro_core.generation.speak import given_to_decoder
from kokoro_core.kernels import ExpectedRows
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.noise import RowNoise

Begun = tuple[Row, State, Tensor]
"""A row with its state and (1, r, M) zeros before its first frame."""


@final
class RowLoop:
    """Makes frames step by step, while rows that are over make place for others.

    A row gives what it gives alone: its frames, its noise and its room are its own, and what the
    row before it left in its place is replaced.

    Args:
        model: Whose decoder it is.
        decoder: The model's, or a copy of it in another precision; its `replaces_rows` is True.
        most: The most rows at once.
    """

    def __init__(self, model: AcousticModel, decoder: AutoregressiveDecoder, most: int) -> None:
        self._model = model
        self._decoder = decoder
        self._expected = ExpectedRows(most)
        self._rows: list[Row] = []
        self._state: State | None = None
        self._frames = torch.empty(0)
        self._noise: RowNoise | None = None

    @property
    def going(self) -> list[Row]:
        """The rows that are not over."""
        return [row for row in self._rows if not row.is_over]

    def add(self, rows: Sequence[Row]) -> None:
        """Let rows begin, first in the places of those that are over."""
        if not self.going:
            self._state, self._rows = None, []
        with torch.inference_mode():
            begun = [self._begun(row) for row in rows]
            if self._state is None and begun:
                self._begin(begun.pop(0))
            places = [place for place, row in enumerate(self._rows) if row.is_over]
            if len(begun) > len(places):
                places += self._grow(len(begun) - len(places))
            for place, each in zip(places, begun, strict=False):
                self._replace(place, each)

    def _begun(self, row: Row) -> Begun:
        """Return a row with its state and its frame before its first one."""
        wanted, given = given_to_decoder(self._model, self._decoder, row.utterances)
        group = self._decoder.reduction_factor, row.utterances.frame_dim
        with self._expected.here():
            state = begun_state(self._decoder, given.memory, row.room, wanted)
        return row, state, given.memory.vectors.new_zeros(1, *group)

    def _begin(self, begun: Begun) -> None:
        """Let the first row begin."""
        row, self._state, self._frames = begun
        self._rows = [row]
        if self._decoder.draws_in_step:
            self._noise = _noise_of(row)

    def _grow(self, count: int) -> list[int]:
        """Make copies of the first row, whose places others take at once, and return these."""
        places = list(range(len(self._rows), len(self._rows) + count))
        self._select([*range(len(self._rows)), *[0] * count])
        return places

    def _select(self, chosen: list[int]) -> None:
        """Go on with these rows."""
        assert self._state is not None
        rows = torch.tensor(chosen, device=self._frames.device)
        self._state, self._frames = self._state.select(rows), self._frames[rows]
        self._rows = [self._rows[place] for place in chosen]
        if self._noise is not None:
            self._noise = self._noise.select(chosen)

    def _replace(self, place: int, begun: Begun) -> None:
        """Let a row begin in a place."""
        row, state, frames = begun
        rows = torch.tensor([place], device=self._frames.device)
        decoder = original(self._decoder)
        state = decoder.replace_rows(self._state, rows, state)
        self._state = answers.kind(state, State, Callee("decoder", decoder, "replace_rows"))
        # A copy: the frames made last are kept by other rows.
        self._frames = self._frames.index_copy(0, rows, frames)
        self._rows[place] = row
        if self._noise is not None:
            self._noise = self._noise.replace(place, _noise_of(row).seeds[0])

    def advance(self) -> list[Row]:
        """Make a chunk of frames, and return the rows that they end."""
        self._drop()
        r, first = self._decoder.reduction_factor, self._rows[0]
        chunk = first.utterances.options.chunk(self._frames.device) // r
        room = min(row.room - row.made for row in self._rows) // r
        mel, stop_logits = self._steps(min(max(1, chunk), room))
        going = [place for place, row in enumerate(self._rows) if not row.is_over]
        for place, row in enumerate(self._rows):
            row.take(mel[place : place + 1])
        if len(going) < len(self._rows):
            mel, stop_logits = mel[going], stop_logits[going]
        rows = self.going
        if any(row.is_due for row in rows) or rows[0].ends.any_ends(mel, stop_logits):
            for row, *made in zip(
                rows, torch.split(mel, 1), torch.split(stop_logits, 1), strict=True
            ):
                row.look(*made)
        return [row for row in rows if row.is_over]

    def _drop(self) -> None:
        """Let rows that are over leave if they are many, or have no room to be passed over."""
        over = [row for row in self._rows if row.is_over]
        r = self._decoder.reduction_factor
        if len(over) * DROP_SHARE >= len(self._rows) or any(
            row.room - row.made < r for row in over
        ):
            with torch.inference_mode():
                self._select([at for at, row in enumerate(self._rows) if not row.is_over])

    def _steps(self, count: int) -> tuple[Tensor, Tensor]:
        """Return mel (B, k, M) and stop logits (B, k) of the next steps."""
        made: list[tuple[Tensor, Tensor]] = []
        given: tuple[Any, ...] = () if self._noise is None else (self._noise,)
        with torch.inference_mode():
            for _ in range(count):
                answer = self._decoder.step(self._frames, self._state, *given)
                is_first = not any(row.made for row in self._rows)
                self._frames, stop_logits = (
                    checked_step(self._decoder, answer, self._frames) if is_first else answer
                )
                made.append((self._frames, stop_logits))
        mel, stop_logits = (torch.cat(parts, dim=1) for parts in zip(*made, strict=True))
        return mel, stop_logits


def _noise_of(row: Row) -> RowNoise:
    noise: RowNoise = row.utterances.available["noise"].of("decoder.step")
    return noise
