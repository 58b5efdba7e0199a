"""The figures of evaluations on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kokoro_core.cli.toolkit import print_table
from kokoro_plugins.evaluation.against import parts_of
from kokoro_plugins.evaluation.bootstrap import DRAWS, Difference, interval
from kokoro_plugins.evaluation.evaluate import SYSTEMS, Evaluation
from kokoro_plugins.evaluation.measures import MEASURES


def print_evaluation(evaluation: Evaluation, seed: int) -> None:
    """Print a line for each measure, with a column for each system and an interval of the last."""
    print(f"{evaluation.name}: {counts(evaluation)}")
    print_table(headings(evaluation), rows(evaluation, seed))


def main_system(evaluation: Evaluation) -> str:
    """Return what the figures are about: the model on recorded sentences, if there are any."""
    return "model" if "model" in evaluation.outcomes else "texts"


def headings(evaluation: Evaluation) -> list[str]:
    """Return the headings of the table."""
    names = [SYSTEMS[each] for each in evaluation.outcomes]
    return ["", *names, f"95 % of {SYSTEMS[main_system(evaluation)]}"]


def rows(evaluation: Evaluation, seed: int) -> Iterator[list[str]]:
    """Yield the cells of each measure that a system has."""
    main = parts_of(evaluation, main_system(evaluation))
    for measure in MEASURES:
        values = [evaluation.value(system, measure.name) for system in evaluation.outcomes]
        if any(value is not None for value in values):
            ends = interval(main, measure.name, seed=seed)
            between = "" if ends is None else " to ".join(map(measure.written, ends))
            yield [measure.heading, *(measure.written(value) for value in values), between]


def print_differences(
    mine: Evaluation, theirs: Evaluation, found: Mapping[str, Sequence[Difference]], seed: int
) -> None:
    """Print a line for each measure of each system that both models have."""
    print(f"\n{mine.name} against {theirs.name}: {bootstrap_words(found, seed)}")
    for system, differences in found.items():
        print_table(
            [SYSTEMS[system], "this", "other", "difference", "95 %", ""],
            [difference_cells(each) for each in differences],
        )


def difference_cells(each: Difference) -> list[str]:
    """Return the cells of a difference."""
    measure = each.measure
    return [
        measure.heading,
        measure.written(each.mine),
        measure.written(each.theirs),
        measure.signed(each.difference),
        f"{measure.signed(each.low)} to {measure.signed(each.high)}",
        each.verdict,
    ]


def bootstrap_words(found: Mapping[str, Sequence[Difference]], seed: int) -> str:
    """Return how differences were found, in words."""
    most = max(each.sentences for differences in found.values() for each in differences)
    return f"paired bootstrap over {most} sentences, {DRAWS:,} draws, seed {seed}"


def counts(evaluation: Evaluation) -> str:
    """Return how many sentences and words the figures are of, in words."""
    recorded = sum(each.utterance is not None for each in evaluation.sentences)
    texts = len(evaluation.sentences) - recorded
    words = sum(
        outcome.errors.words
        for system in ("model", "texts")
        for outcome in evaluation.outcomes.get(system, {}).values()
        if outcome.errors is not None
    )
    parts = [
        f"{recorded} sentences held out" if recorded else "",
        f"{texts} texts" if texts else "",
        f"{words} words" if words else "",
    ]
    return ", ".join(part for part in parts if part)
