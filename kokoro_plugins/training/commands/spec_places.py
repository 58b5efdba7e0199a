"""Where in its spec stands what a corpus lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from kokoro_core import ModelSpec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_plugins.training.commands.asked import Asked
from kokoro_plugins.training.data.unfit import UnfitCorpus


@contextmanager
def placed_in(specs: Iterable[tuple[Asked, ModelSpec]]) -> Iterator[None]:
    """Give what a corpus lacks its place in the text of the spec that learns from it.

    The spec of a checkpoint has no text: what is said of it stays as it is.

    Args:
        specs: What was asked for, and the spec that was read.

    Raises:
        SpecError: A corpus lacks something.
    """
    try:
        yield
    except UnfitCorpus as error:
        for asked, spec in specs:
            document = asked.spec_document() if spec is error.spec else None
            if document is not None and document.values:
                raise SpecError(
                    document.problem(each.code, each.path, each.message.rstrip("."))
                    for each in error.violations
                ) from None
        raise
