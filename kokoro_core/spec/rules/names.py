"""Names that a spec gives: one for each thing, and no option or feature that nobody has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kokoro_core.params.options import Option
from kokoro_core.slots import MODEL_SLOTS, short_name
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.intake import (
    FROM_THE_MODEL,
    embedding_name,
    encoder_parts,
    given_features,
    intakes,
)
from kokoro_core.spec.rules.reserved import RESERVED
from kokoro_core.spec.rules.side_inputs import ARGUMENTS
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry.text import suggestion

NAMED = {"speaker": "speakers", "language": "languages"}
"""Features whose indices stand for names, each with the key that lists them."""


def options_of(spec: ModelSpec) -> dict[str, Option]:
    """Return the options of a model's parts by full name, such as ``decoder.temperature``."""
    return {
        f"{short_name(place)}.{name}": option
        for place, intake in intakes(spec).items()
        for name, option in intake.options.items()
    }


def find_wrong_names(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield each name that two things have, and each that nothing has."""
    yield from _parts_have_names_of_their_own(spec)
    yield from _inputs_have_names_of_their_own(spec)
    yield from _options_are_known(spec)
    yield from _features_are_taken(spec)
    yield from _named_ones_are_listed(spec)
    yield from _speakers_of_features_are_listed(spec)


def _parts_have_names_of_their_own(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Losses and options are named by them."""
    seen: dict[str, Path] = {key: (key,) for key, row in MODEL_SLOTS.items() if not row.many}
    for place in parts_of(spec):
        path, name = path_of_part(place), short_name(place)
        if len(path) > 1 and name in RESERVED:
            message = f"`{name}` is the name of something that torch's modules have; choose another"
            yield RuleViolation("name-collision", path, message, None, (path,))
        if seen.setdefault(name, path) != path:
            yield _collision(path, name, seen[name])


def _inputs_have_names_of_their_own(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Features, the encoder's parts and embeddings are passed by name."""
    seen: dict[str, Path] = dict.fromkeys(FROM_THE_MODEL | ARGUMENTS, ())
    made: list[tuple[str, Path]] = [(name, ("encoder",)) for name in encoder_parts(spec)]
    made += [(embedding_name(name), ("conditioners", name)) for name in spec.conditioners]
    made += [(name, ("features", name)) for name in spec.features]
    for name, path in made:
        if seen.setdefault(name, path) != path:
            yield _collision(path, name, seen[name])


def _collision(path: Path, name: str, other: Path) -> RuleViolation:
    if not other:
        message = f"`{name}` is the name of something that every model has; choose another name"
        return RuleViolation("name-collision", path, message, None, (path,))
    message = f"`{name}` is the name of {{other}} too; give one of the two another name"
    return RuleViolation("name-collision", path, message, other, (path, other))


def _options_are_known(spec: ModelSpec) -> Iterator[RuleViolation]:
    known = options_of(spec)
    for name, value in spec.generation.options.items():
        path: Path = ("generation", "options", name)
        if name not in known:
            yield RuleViolation("unknown-option", path, unknown_option(name, known))
            continue
        try:
            known[name].checked(name, value)
        except (TypeError, ValueError) as error:
            yield RuleViolation("out-of-range", path, str(error).rstrip("."))


def checked_options(spec: ModelSpec, given: Mapping[str, float]) -> dict[str, float]:
    """Return the options with which a model speaks: those given, the spec's, their defaults.

    Raises:
        ValueError: No part has one of these options, or its value is out of range.
        TypeError: A value is not a number.
    """
    known = options_of(spec)
    for name in given:
        if name not in known:
            message = unknown_option(name, known)
            end = "" if message.endswith("?") else "."
            raise ValueError(f"`options` must be options of the model's parts, but {message}{end}")
    chosen = {**spec.generation.options, **given}
    return {
        name: option.checked(name, chosen.get(name, option.default))
        for name, option in known.items()
    }


def unknown_option(name: str, known: Mapping[str, Option]) -> str:
    """Return in words that no part of a model has an option, and which there are."""
    close = (
        suggestion(name, known) or f"; it has {', '.join(f'`{each}`' for each in known) or 'none'}"
    )
    return f"no part of this model has the option `{name}`{close}"


def _features_are_taken(spec: ModelSpec) -> Iterator[RuleViolation]:
    taken = {name for _, name, _ in given_features(spec)}
    for name in spec.features:
        if name not in taken:
            hint = suggestion(name, taken) or f"; it takes {', '.join(sorted(taken)) or 'none'}"
            message = f"no part of this model takes the feature `{name}`{hint}"
            yield RuleViolation("unknown-feature", ("features", name), message)


def _named_ones_are_listed(spec: ModelSpec) -> Iterator[RuleViolation]:
    """A part that takes a speaker's index needs the spec to say whose."""
    for place, name, feature in given_features(spec):
        key = NAMED.get(name)
        counted = feature is not None and feature.kind == "index" and feature.width is None
        if key is not None and counted and not getattr(spec, key):
            message = (
                f"takes the feature `{name}`, but the spec lists no {key}; write their names, such "
                f"as `{key}: [anna, ben]`"
            )
            path = path_of_part(place)
            yield RuleViolation("no-names", path, message, None, (path, (key,)))


def _speakers_of_features_are_listed(spec: ModelSpec) -> Iterator[RuleViolation]:
    """A mean of a speaker whom nobody can choose would be passed over."""
    for feature, described in spec.features.items():
        for name in described.speakers:
            if name not in spec.speakers:
                hint = suggestion(name, spec.speakers)
                message = f"the spec lists no speaker `{name}`{hint or '; write it in `speakers`'}"
                path: Path = ("features", feature, "speakers", name)
                yield RuleViolation("no-names", path, message, None, (path, ("speakers",)))
