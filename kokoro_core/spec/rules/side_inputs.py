"""Side inputs: what the parts of a spec take by keyword, and who can give it.

The model makes some itself, the caller of the Python API gives the others. No command has an option
for those yet and no corpus brings them, so a command that needs one says so before it starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to, returned
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.accessed_fields import accessed_fields
from kokoro_core.spec.rules.wiring import NO_PLAN, parts_of, reads_phonemes
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import inner_components

FROM_THE_MODEL = frozenset({"plan", "noise"})
"""Side inputs that the model makes itself; all others come from the caller."""

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
    }
)
"""Arguments that calls of the model have already, so that no side input can have their names."""

_SLOTS = tuple(MODEL_SLOTS)
_AFTER_THE_PLAN = _SLOTS[_SLOTS.index("regulator") + 1 :]


def refusal_of_side_inputs(spec: ModelSpec) -> str | None:
    """Return why no command can train or speak with a spec; None if it needs no side input.

    Raises:
        ComponentFailure: A part raised when it was asked for its needs.
    """
    takers: dict[str, list[str]] = {}
    for slot, part in parts_of(spec).items():
        for name in needs_of(part, (slot,)) - FROM_THE_MODEL:
            takers.setdefault(name, []).append(f"the {slot}")
    if not takers:
        return None
    wanted = "; ".join(f"`{name}` ({', '.join(who)})" for name, who in sorted(takers.items()))
    keywords = ", ".join(f"{name}=…" for name in sorted(takers))
    return (
        f"`{spec.name}` needs side inputs that no corpus and no command gives: {wanted}; "
        f"in Python they are keywords: `model(…, {keywords})` and `model.generate(…, {keywords})`"
    )


def needs_of(component: ComponentParams, path: Path) -> frozenset[str]:
    """Return the names of the side inputs that a component takes.

    Raises:
        ComponentFailure: It raised, or returned something else than names.
    """
    with attribute_errors_to(component, path, "needs"):
        needs = component.needs
        names = frozenset() if isinstance(needs, str) else frozenset(needs)
    if isinstance(needs, str) or not all(isinstance(each, str) for each in names):
        what = returned(needs, "a set of names, from `needs`")
        raise ComponentFailure(path, owner_of(type(component)), what)
    return names


def find_unmet_needs(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield every side input that a part, or a component inside one, cannot be given."""
    for slot, part in parts_of(spec).items():
        for name in sorted(needs_of(part, (slot,))):
            if name == "plan":
                yield from _plan_is_made(spec, slot, (slot,), part)
            elif name in ARGUMENTS | MODEL_SLOTS[slot].arguments:
                yield _taken_name(slot, part, name)
        yield from _handed_on(spec, part, (slot,))


def _taken_name(slot: str, part: ComponentParams, name: str) -> RuleViolation:
    message = (
        f"the {slot} needs a side input `{name}`, which can never be given: it is the name of an "
        f"argument that the model or the {slot} has already; its author must rename it"
    )
    return RuleViolation("unmet-need", (slot,), message, None, _causes(part, (slot,)))


def _handed_on(spec: ModelSpec, owner: ComponentParams, path: Path) -> Iterator[RuleViolation]:
    """Find what an inner component needs and its owner neither takes nor makes itself."""
    given = needs_of(owner, path) | _fed_by(owner, path)
    for at, inner in inner_components(owner, path):
        for name in sorted(needs_of(inner, at) - given):
            if name == "plan" and (reads_phonemes(spec) or path[0] not in _AFTER_THE_PLAN):
                yield from _plan_is_made(spec, str(path[0]), at, inner)
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
    spec: ModelSpec, slot: str, path: Path, component: ComponentParams
) -> Iterator[RuleViolation]:
    """Find who needs a plan that is made later or never."""
    who = f"the {component.slot}" + (f" in the {slot}" if len(path) > 1 else "")
    causes = _causes(component, path)
    if slot not in _AFTER_THE_PLAN:
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


def extras_of(needs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the names of the side inputs that the caller must give, from the needs by slot."""
    nothing: frozenset[str] = frozenset()  # the compiler cannot call `frozenset[str]`
    return nothing.union(*needs.values()) - FROM_THE_MODEL
