"""What a command says of evaluations: tables, JSON, and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kokoro_core.cli.toolkit import print_json
from kokoro_plugins.evaluation import against
from kokoro_plugins.evaluation.bootstrap import interval
from kokoro_plugins.evaluation.evaluate import Evaluation
from kokoro_plugins.evaluation.page.write import write_page
from kokoro_plugins.evaluation.table import print_differences, print_evaluation


def report(
    evaluations: Sequence[Evaluation],
    other: Evaluation | None,
    *,
    seed: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Print evaluations and how they differ from another one, and write the page.

    Args:
        evaluations: At least one.
        other: What each is set against; None: nothing.
        seed: Of the bootstraps.
        page: The folder of the page; None: there is none.
        as_json: Print JSON instead of tables.

    Raises:
        ValueError: Two evaluations have no sentence in common.
    """
    found = [
        {} if other is None else against.differences(each, other, seed=seed) for each in evaluations
    ]
    written = None
    if page is not None:
        both = [*evaluations, *(() if other is None else (other,))]
        written = write_page(page, both, other, found, seed=seed)
    if as_json:
        listed = [_as_dict(each, seed) for each in evaluations]
        if other is not None:
            for values, differences in zip(listed, found, strict=True):
                values["against"] = against.as_dict(other, differences)
        print_json({"evaluations": listed, **({} if written is None else {"page": str(written)})})
        return
    for evaluation, differences in zip(evaluations, found, strict=True):
        print_evaluation(evaluation, seed)
        if other is not None:
            print_differences(evaluation, other, differences, seed)
    if written is not None:
        print(f"{written}: all sentences to listen to")


def _as_dict(evaluation: Evaluation, seed: int) -> dict[str, Any]:
    """Return an evaluation as values that JSON has, with the intervals of its figures."""
    values = evaluation.as_dict()
    values["intervals"] = {
        system: {
            name: interval(against.parts_of(evaluation, system), name, seed=seed)
            for name in evaluation.values(system)
        }
        for system in evaluation.outcomes
    }
    return values
