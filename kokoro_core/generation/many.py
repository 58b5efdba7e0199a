"""Many utterances, of which some are spoken at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

from kokoro_core.contracts import AutoregressiveDecoder, Decoder
from kokoro_core.generation.options import Generation, GenerationOptions
from kokoro_core.generation.request import GenerationRequest, Utterances, read_request
from kokoro_core.generation.row import Row
from kokoro_core.generation.row_loop import RowLoop
from kokoro_core.generation.speak import generate
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.compiled import original

OF_ALL_ROWS = ("stop_threshold", "chunk_frames", "dtype", "of_parts")
"""Options that rows which are spoken at the same time share."""

Requests = Iterator[GenerationRequest | None]
Wanted = Callable[[int], bool]


def can_replace_rows(decoder: Decoder) -> bool:
    """Return whether rows of a decoder that ended make place for others."""
    own = original(decoder)
    return isinstance(own, AutoregressiveDecoder) and own.replaces_rows


def generate_many(
    model: AcousticModel,
    requests: Requests,
    decoder: Decoder,
    sizes: Sizes,
    *,
    rows: int,
    wanted: Wanted,
) -> Iterator[tuple[int, Generation]]:
    """Yield each request's number with what was spoken, in the order in which they end.

    Args:
        model: Whose parts speak.
        requests: Of one row each; None says that there is none now, and one may come later.
        decoder: The model's, or a copy of it in another precision.
        sizes: Of the model.
        rows: The most that are spoken at the same time.
        wanted: Whether a request that is being spoken is wanted still; asked after each chunk.

    Raises:
        ValueError: A request is not of one row, differs from the first in what all rows share, or
            cannot be spoken; a note says which.
        TypeError: As of `read_request`.
    """
    source = _Source(model, requests, sizes)
    if not isinstance(decoder, AutoregressiveDecoder) or not can_replace_rows(decoder):
        while (found := source.next()) is not None:
            if wanted(found[0]):
                yield found[0], generate(model, found[1], decoder)
        return
    loop = RowLoop(model, decoder, rows)
    while True:
        for row in loop.going:
            row.is_over = not wanted(row.index)
        loop.add(source.rows(decoder, rows - len(loop.going)))
        if not loop.going:
            return
        for row in loop.advance():
            yield row.index, row.result(model)


@final
class _Source:
    """Reads requests when there is room for them."""

    def __init__(self, model: AcousticModel, requests: Requests, sizes: Sizes) -> None:
        self._model = model
        self._requests = requests
        self._sizes = sizes
        self._first: GenerationOptions | None = None
        self._count = 0

    def next(self) -> tuple[int, Utterances] | None:
        """Return the next request's number and what is to be spoken; None: there is none now."""
        request = next(self._requests, None)
        if request is None:
            return None
        index = self._count
        with _named(index):
            self._check(request)
            utterances = read_request(self._model, request, self._sizes)
        self._count += 1
        return index, utterances

    def rows(self, decoder: AutoregressiveDecoder, most: int) -> list[Row]:
        """Return what can begin now."""
        rows: list[Row] = []
        while len(rows) < most and (found := self.next()) is not None:
            rows.append(Row(*found, decoder))
        return rows

    def _check(self, request: GenerationRequest) -> None:
        """Refuse what cannot be a row among others.

        Raises:
            ValueError: It has several rows, or differs from the first in what all rows share.
        """
        if len(request.phoneme_indices) != 1:
            raise ValueError(
                f"`requests` must have one row each, not {len(request.phoneme_indices)}; make a "
                f"request of each row."
            )
        self._first = first = self._first or request.options
        for name in OF_ALL_ROWS:
            value, wanted = getattr(request.options, name), getattr(first, name)
            if value != wanted:
                raise ValueError(
                    f"`{name}` must be the same in all requests, which share each step, but is "
                    f"{value} after {wanted}; call `generate_many` for each."
                )


@contextmanager
def _named(index: int) -> Iterator[None]:
    """Note at errors which request they are of."""
    try:
        yield
    except Exception as error:
        error.add_note(f"It is request {index} of `generate_many`.")
        raise
