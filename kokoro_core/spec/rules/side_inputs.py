"""Check what the parts of a spec are given by keyword, and say what commands cannot give."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from operator import attrgetter

from kokoro_core.params.component import ComponentParams
from kokoro_core.params.component_failure import attribute_errors_to
from kokoro_core.slots import MODEL_SLOTS, PORTS, slot_row
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.accessed_fields import accessed_fields
from kokoro_core.spec.rules.intake import (
    ENCODER_HIDDEN,
    LATENTS,
    REFERENCE,
    REFERENCE_MASK,
    comes_later,
    embedding_name,
    encoder_parts,
    given_features,
    intake_of,
    needs_of,
    offered,
)
from kokoro_core.spec.rules.wiring import NO_PLAN, parts_of, path_of_part, place_of, reads_phonemes
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import inner_components

ARGUMENTS = frozenset(
    {
        "phoneme_indices",
        "mel_specs",
        "phoneme_durations",
        "stop_token_targets",
        "padding_mask",
        "mel_padding_mask",
        "durations",
        "speed",
        "min_frames",
        "max_mel_len",
        "stop_threshold",
        "length_ratio",
        "chunk_frames",
        "max_seconds",
        "dtype",
        "seed",
        "options",
    }
)
"""Arguments that calls of the model have already, so that no side input can have their names."""

PREDICTED = {"duration_pred": "duration_predictor", "stop_logits": "decoder"}
"""What parts return for the losses and the loop alone, each with the part that does."""


def refusal_of_side_inputs(spec: ModelSpec) -> str | None:
    """Return why no command can train or speak with a spec; None if all it needs has a known form.

    Raises:
        ComponentFailure: A part raised when it was asked for its needs.
    """
    takers: dict[str, list[str]] = {}
    for place, name, feature in given_features(spec):
        if feature is None:
            takers.setdefault(name, []).append(f"the {place}")
    if not takers:
        return None
    wanted = "; ".join(f"`{name}` ({', '.join(who)})" for name, who in sorted(takers.items()))
    keywords = ", ".join(f"{name}=…" for name in sorted(takers))
    return (
        f"`{spec.name}` needs side inputs that no corpus and no command gives: {wanted}; "
        f"in Python they are keywords: `model(…, {keywords})` and `model.generate(…, {keywords})`"
    )


def find_unmet_needs(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield every side input that a part, or a component inside one, cannot be given."""
    made = offered(spec)
    for place, part in parts_of(spec).items():
        path = path_of_part(place)
        for name in sorted(intake_of(spec, place).needs):
            if name == "plan":
                yield from _plan_is_made(spec, place, path, part)
            elif name == LATENTS and name not in made and place == "aligner":
                yield _no_latents(path, part)
            elif name in ARGUMENTS | slot_row(place).arguments:
                yield _taken_name(path, part, name)
            elif name in made and comes_later(place, made[name]):
                yield _too_late(path, part, name, made[name])
            elif (name in PORTS or name in PREDICTED) and name not in made:
                yield _of_the_flow(place, path, part, name)
        yield from _recordings_have_masks(spec, place, path, part)
        yield from _handed_on(spec, part, path)


def find_wrong_widths(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield every feature that the model makes itself, of another width than a part takes."""
    made = _widths_made(spec)
    for place, part in parts_of(spec).items():
        path = path_of_part(place)
        for name, feature in intake_of(spec, place).features.items():
            width, maker = made.get(name, (feature.width, ()))
            if feature.width in (None, width):
                continue
            message = (
                f"the {part.slot} takes `{name}` of width {feature.width} and {{other}} makes it "
                f"of width {width}; make the two equal"
            )
            yield RuleViolation("width-mismatch", path, message, maker, (path, maker))


def _widths_made(spec: ModelSpec) -> dict[str, tuple[int, Path]]:
    """Return the width of each vector that the model makes by name, and who makes it."""
    made: dict[str, tuple[int, Path]] = {}
    for name, conditioner in spec.conditioners.items():
        path = ("conditioners", name)
        with attribute_errors_to(conditioner, path, "width"):
            made[embedding_name(name)] = conditioner.width(spec.sizes), path
    parts = encoder_parts(spec).items()
    return made | {name: (width, ("encoder",)) for name, width in parts}


def _recordings_have_masks(
    spec: ModelSpec, place: str, path: Path, part: ComponentParams
) -> Iterator[RuleViolation]:
    """Find a part that would read the padding of recordings, whose rows differ in length."""
    taken = intake_of(spec, place)
    recording = taken.features.get(REFERENCE)
    if recording is None or recording.per != "recording":
        return
    if REFERENCE_MASK not in taken.needs:
        message = (
            f"the {part.slot} takes the recording `{REFERENCE}` without `{REFERENCE_MASK}`, so "
            f"that it would take the padding of a batch for speech; its author must declare both"
        )
        yield RuleViolation("unmet-need", path, message, None, _causes(part, path))


def _no_latents(path: Path, part: ComponentParams) -> RuleViolation:
    message = (
        f"the {part.slot} needs the decoder's latents, but the decoder at {{other}} has none; "
        f"choose a decoder such as 'coupling_flow', or settings that read the mel"
    )
    decoder = ("decoder", "type")
    return RuleViolation("unmet-need", path, message, decoder, (*_causes(part, path), decoder))


def _taken_name(path: Path, part: ComponentParams, name: str) -> RuleViolation:
    slot = part.slot
    message = (
        f"the {slot} needs a side input `{name}`, which can never be given: it is the name of an "
        f"argument that the model or the {slot} has already; its author must rename it"
    )
    return RuleViolation("unmet-need", path, message, None, _causes(part, path))


def _too_late(path: Path, part: ComponentParams, name: str, after: str) -> RuleViolation:
    message = (
        f"the {part.slot} needs `{name}`, which comes later in the flow, from {{other}}; choose "
        f"another {part.slot}, or settings that do not need it"
    )
    maker = ("decoder",) if name == LATENTS else (after,)
    return RuleViolation("unmet-need", path, message, maker, (*_causes(part, path), maker))


def _of_the_flow(place: str, path: Path, part: ComponentParams, name: str) -> RuleViolation:
    """Say that what flows from part to part is given to nobody else."""
    givers = (key for key, row in MODEL_SLOTS.items() if name in row.slot.base.gives)
    maker = PREDICTED.get(name) or next(givers)
    if comes_later(place, maker):
        return _too_late(path, part, name, maker)
    hint = f"; `{ENCODER_HIDDEN}` is given by name" if maker == "encoder" else ""
    message = (
        f"the {part.slot} needs `{name}`, which flows on from the {maker} and is given to no other "
        f"part by name{hint}; its author must use what its contract passes"
    )
    return RuleViolation("unmet-need", path, message, None, _causes(part, path))


def _handed_on(spec: ModelSpec, owner: ComponentParams, path: Path) -> Iterator[RuleViolation]:
    """Find what an inner component needs and its owner neither takes nor makes itself."""
    given = needs_of(owner, path) | _fed_by(owner, path)
    for at, inner in inner_components(owner, path):
        for name in sorted(needs_of(inner, at) - given):
            place = place_of(path)
            if name == "plan" and (reads_phonemes(spec) or comes_later(place, "regulator")):
                yield from _plan_is_made(spec, place, at, inner)
            else:
                yield _withheld(owner, path, inner, at, name)
        yield from _handed_on(spec, inner, at)


def _fed_by(owner: ComponentParams, path: Path) -> frozenset[str]:
    with attribute_errors_to(owner, path, "feeds"):
        return frozenset(owner.feeds)


def _withheld(
    owner: ComponentParams, path: Path, inner: ComponentParams, at: Path, name: str
) -> RuleViolation:
    what = "the plan" if name == "plan" else f"the side input `{name}`"
    slot = str(path[0])
    message = (
        f"the {inner.slot} in the {slot} needs {what}, which '{owner.type}' at {{other}} does not "
        f"take; choose another {inner.slot}, or a {owner.slot} that needs {what} itself"
    )
    other = (*path, "type")
    return RuleViolation("unmet-need", at, message, other, (*_causes(inner, at), other))


def _plan_is_made(
    spec: ModelSpec, place: str, path: Path, component: ComponentParams
) -> Iterator[RuleViolation]:
    """Find who needs a plan that is made later or never."""
    nested = path != path_of_part(place)
    who = f"the {component.slot}" + (f" in the {place}" if nested else "")
    causes = _causes(component, path)
    if comes_later(place, "regulator"):
        message = f"{who} needs the plan, which is made after it, by the regulator"
        yield RuleViolation("unmet-need", path, message, None, causes)
    elif reads_phonemes(spec):
        message = (
            f"{who} needs the plan, which no component gives, since {{other}} is null; "
            f"fill it, or leave out the settings that need the plan"
        )
        yield RuleViolation("unmet-need", path, message, ("regulator",), (*causes, *NO_PLAN))


def _causes(component: ComponentParams, path: Path) -> tuple[Path, ...]:
    read: Collection[str] = accessed_fields(component, attrgetter("needs"))
    return ((*path, "type"), *((*path, each) for each in sorted(read)))
