"""Two evaluations of the same sentences, measure by measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kokoro_plugins.evaluation.bootstrap import Difference, paired_difference
from kokoro_plugins.evaluation.evaluate import SYSTEMS, Evaluation
from kokoro_plugins.evaluation.measures import MEASURES, Parts

COMPARED = tuple(each for each in SYSTEMS if each != "recordings")
"""The systems whose figures a model has a part in."""


def differences(
    mine: Evaluation, theirs: Evaluation, *, seed: int = 0
) -> dict[str, list[Difference]]:
    """Return how one model differs from another, by system.

    Args:
        mine: Of the first model.
        theirs: Of the other; sentences that one of them lacks are left out.
        seed: Of the bootstrap's draws.

    Raises:
        ValueError: They have no sentence of a system in common.
    """
    found = {
        system: [
            difference
            for measure in MEASURES
            if (difference := paired_difference(first, second, measure, seed=seed)) is not None
        ]
        for system in COMPARED
        if (first := parts_of(mine, system))
        and (second := parts_of(theirs, system))
        and not _sound_alike(mine, theirs, system)
    }
    found = {system: each for system, each in found.items() if each}
    if not found:
        raise ValueError(
            f"`{mine.name}` and `{theirs.name}` have no sentence in common; evaluate both on the "
            f"same corpus or texts."
        )
    return found


def parts_of(evaluation: Evaluation, system: str) -> Mapping[str, Parts]:
    """Return what each sentence adds to the measures of a system, by its text."""
    texts = {each.name: each.text for each in evaluation.sentences}
    outcomes = evaluation.outcomes.get(system, {})
    return {f"{name} {texts[name]}": outcome.parts for name, outcome in outcomes.items()}


def _sound_alike(mine: Evaluation, theirs: Evaluation, system: str) -> bool:
    """Return whether all that a system says is the same twice, as true mels through one vocoder."""
    pairs = [evaluation.outcomes[system] for evaluation in (mine, theirs)]
    first, second = (
        {name: each.rendition.samples.tobytes() for name, each in outcomes.items()}
        for outcomes in pairs
    )
    return system == "true_mels" and first == second


def as_dict(theirs: Evaluation, found: Mapping[str, list[Difference]]) -> dict[str, Any]:
    """Return differences as values that JSON has."""
    return {
        "name": theirs.name,
        "differences": {
            system: {each.measure.name: each.as_dict() for each in differences}
            for system, differences in found.items()
        },
    }
