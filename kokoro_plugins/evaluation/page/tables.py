"""The tables of the page: figures, differences and confusions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from kokoro_plugins.evaluation.bootstrap import Difference
from kokoro_plugins.evaluation.evaluate import SYSTEMS, Evaluation
from kokoro_plugins.evaluation.table import (
    bootstrap_words,
    counts,
    difference_cells,
    headings,
    rows,
)
from kokoro_plugins.evaluation.words import most_confused

MOST = 40
"""Confusions of a system that are listed."""


def evaluation_part(evaluation: Evaluation, seed: int) -> Iterator[str]:
    """Yield the figures of a model and what was heard wrongly."""
    yield f"<h2>{escape(evaluation.name)}</h2><p>{escape(counts(evaluation))}</p>"
    yield table(headings(evaluation), rows(evaluation, seed))
    for system, outcomes in evaluation.outcomes.items():
        errors = [each.errors for each in outcomes.values() if each.errors is not None]
        if confused := most_confused(errors):
            more = len(confused) - MOST
            yield (
                f"<details><summary>Confusions of the recognizer: {escape(SYSTEMS[system])} "
                f"({len(confused)})</summary>"
            )
            cells = ((wanted, said, str(count)) for wanted, said, count in confused[:MOST])
            yield table(("was to be said", "was heard", "times"), cells)
            yield f"<p>… and {more} more</p></details>" if more > 0 else "</details>"


def difference_part(
    mine: Evaluation, theirs: Evaluation, found: Mapping[str, Sequence[Difference]], seed: int
) -> Iterator[str]:
    """Yield how a model differs from another."""
    if not found:
        return
    yield f"<h3>{escape(mine.name)} against {escape(theirs.name)}</h3>"
    yield f"<p>{escape(bootstrap_words(found, seed))}</p>"
    for system, differences in found.items():
        heading = (SYSTEMS[system], "this", "other", "difference", "95 %", "")
        yield table(heading, (difference_cells(each) for each in differences))


def table(heading: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML; the first cell of a line is its heading."""
    top = "".join(f"<th>{escape(each)}</th>" for each in heading)
    body = "".join(f"<tr>{_cells(line)}</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cells(line: Iterable[str]) -> str:
    first, *others = line
    return f"<th>{escape(first)}</th>" + "".join(
        f'<td class="{each}">{each}</td>'
        if each in ("better", "worse")
        else f"<td>{escape(each)}</td>"
        for each in others
    )
