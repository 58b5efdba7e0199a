"""Features that several things have to agree on: their name, and what they have one value for."""

from __future__ import annotations

from collections.abc import Iterator

from kokoro_core.params.features import Feature
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.intake import intakes, offered
from kokoro_core.spec.rules.side_inputs import ARGUMENTS
from kokoro_core.spec.rules.wiring import path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec

_FITS = {"row": ("row",), "phoneme": ("phoneme", "frame"), "frame": ("frame",)}
"""For what a part takes one value for, what a corpus may give one for; frames are averaged."""


def find_wrong_features(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield each feature that is taken, described or made in forms that do not go together."""
    yield from _targets_have_names_of_their_own(spec)
    yield from _takers_agree(spec)
    yield from _described_as_taken(spec)


def _targets_have_names_of_their_own(spec: ModelSpec) -> Iterator[RuleViolation]:
    """What an adaptor learns from is passed by name too."""
    made = offered(spec)
    for place, intake in intakes(spec).items():
        if intake.target is None or intake.target.name in spec.features:
            continue  # what the section describes, the rule of its names looks at
        name, path = intake.target.name, path_of_part(place)
        if name not in made.keys() | ARGUMENTS | {"self"}:
            continue
        message = (
            f"learns from the feature `{name}`, which is the name of something that the model has "
            f"already; write another name, or the setting `feature`"
        )
        yield RuleViolation("name-collision", path, message, None, (path,))


def _takers_agree(spec: ModelSpec) -> Iterator[RuleViolation]:
    """One name means one thing, whoever takes it."""
    made = frozenset(offered(spec))
    seen: dict[str, tuple[Path, Feature]] = {}
    for place, intake in intakes(spec).items():
        path = path_of_part(place)
        for name, feature in intake.given(made).items():
            if feature is None:
                continue
            other, before = seen.setdefault(name, (path, feature))
            agree = (before.per, before.kind) == (feature.per, feature.kind)
            if agree or path[-1] == other[-1]:  # two parts of one name are a problem by themselves
                continue
            message = (
                f"takes the feature `{name}` as {_words(feature)}, and {{other}} as "
                f"{_words(before)}; give one of the two another name, or say in `features` what "
                f"it has one value for"
            )
            yield RuleViolation("wrong-feature", path, message, other, (path, other))


def _described_as_taken(spec: ModelSpec) -> Iterator[RuleViolation]:
    made = frozenset(offered(spec))
    for place, intake in intakes(spec).items():
        forms = {name: each for name, each in intake.given(made).items() if each is not None}
        if intake.target is not None:
            forms[intake.target.name] = intake.target.feature
        for name, feature in forms.items():
            described = spec.features.get(name)
            if (
                described is None
                or name in made
                or described.per in _FITS.get(feature.per, (described.per,))
            ):
                continue
            at: Path = ("features", name, "per")
            message = f"'{described.per}' is not what {{other}} takes, which is {_words(feature)}"
            path = path_of_part(place)
            yield RuleViolation("wrong-feature", at, message, path, (at, path))


def _words(feature: Feature) -> str:
    what = "index" if feature.kind == "index" else "number"
    return f"{'an' if what == 'index' else 'a'} {what} for each {feature.per}"
