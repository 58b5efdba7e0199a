"""Whether a corpus has what a model learns from, told before anything of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kokoro_core import ModelSpec
from kokoro_core.slots import CorpusParams
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.intake import features_for_training, intakes, places_of_features
from kokoro_core.spec.rules.names import NAMED
from kokoro_core.spec.rules.wiring import path_of_part
from kokoro_plugins.training.data.feature_problems import names_of
from kokoro_plugins.training.data.unfit import UnfitCorpus
from registry.text import suggestion


def needs_durations(spec: ModelSpec) -> bool:
    """Return whether the model of a spec learns from durations that the corpus must have."""
    return spec.aligner is None and _reads_durations(spec) is not None


def _reads_durations(spec: ModelSpec) -> str | None:
    """Return the first part that reads durations in training, or None."""
    averaging = (
        place for place, each in intakes(spec).items() if each.target and each.target.averaged
    )
    return "regulator" if spec.regulator is not None else next(averaging, None)


def learned_from(spec: ModelSpec) -> dict[str, Any]:
    """Return the keywords of `AlignedSpeech` that say what the model of a spec learns from."""
    return {
        "features": features_for_training(spec),
        "names": names_of(spec),
        "needs_durations": needs_durations(spec),
    }


def refuse_corpus(spec: ModelSpec, corpus: CorpusParams) -> None:
    """Refuse a corpus that the model of a spec cannot learn from.

    Raises:
        UnfitCorpus: It has no durations and the model no aligner, it lacks a feature, or it has a
            speaker or a language that the spec does not list.
    """
    checks = (_lacks_durations, _lacks_features, _has_unlisted_names)
    violations = [each for check in checks for each in check(spec, corpus)]
    if violations:
        raise UnfitCorpus(spec, violations)


def _lacks_durations(spec: ModelSpec, corpus: CorpusParams) -> Iterator[RuleViolation]:
    place = _reads_durations(spec)
    if place is not None and spec.aligner is None and not corpus.has_durations:
        yield RuleViolation(
            "corpus-without-durations",
            path_of_part(place),
            f"The corpus `{corpus.type}` has no durations here, and `{spec.name}` has no `aligner` "
            f"to find them; add durations (docs/data.md), or an aligner, such as "
            f"`--set aligner.type=forward_sum`.",
        )


def _lacks_features(spec: ModelSpec, corpus: CorpusParams) -> Iterator[RuleViolation]:
    given = corpus.gives_features
    for name, place in places_of_features(spec).items():
        if name not in given:
            hint = suggestion(name, given) or f"; it has {', '.join(sorted(given)) or 'none'}"
            yield RuleViolation(
                "corpus-without-feature",
                path_of_part(place),
                f"`{spec.name}` learns from the feature `{name}`, which the corpus "
                f"`{corpus.type}` does not have{hint}.",
            )


def _has_unlisted_names(spec: ModelSpec, corpus: CorpusParams) -> Iterator[RuleViolation]:
    learned, given = places_of_features(spec), corpus.gives_names
    for feature, key in NAMED.items():
        listed = getattr(spec, key)
        unlisted = sorted(given.get(feature, frozenset()) - {*listed})
        if feature in learned and unlisted:
            yield RuleViolation(
                "unlisted-name",
                (key,),
                f"`{spec.name}` lists {', '.join(listed) or 'none'}, and the corpus "
                f"`{corpus.type}` also has the {feature} {_some(unlisted)}; add what is missing "
                f"to `{key}`, or leave those utterances out.",
            )


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{each}'" for each in names[:most]) + more
