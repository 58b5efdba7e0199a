"""`ModelSubject`: a whole model under test, made small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from pydantic import ValidationError

from kokoro_core.api import KokoroModel
from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import ComponentParams
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.problems.violation import RuleViolation, violation_problem
from kokoro_core.spec.rules.dimensions import find_conflicts
from kokoro_core.spec.rules.wiring import parts_of
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.testing.subjects.fitting import WIDTHS
from kokoro_core.testing.subjects.process_state import seed_torch
from kokoro_core.testing.subjects.subject import SIZES
from kokoro_core.testing.subjects.tiny import narrowed, shrunk


def small_model(spec: ModelSpec, source: str = "") -> ModelSubject:
    """Return a model with the same parts, made small, and nothing around them.

    It is as small as the rules between its parts allow: in the narrowest model that will do, then
    with the settings of the part that a rule names, then with all settings and sizes as they are.
    """
    small = _parts(spec, MODEL_SLOTS)
    broken = next(find_conflicts(_around(spec, small, SIZES.hidden_dim)), None)
    tries = [small]
    if broken is not None:
        tries.append(_parts(spec, [slot for slot in MODEL_SLOTS if slot != broken.path[0]]))
    for parts in tries:
        for width in WIDTHS:
            each = _around(spec, parts, width)
            if next(find_conflicts(each), None) is None:
                return ModelSubject(each, source, note=_note(each, broken))
    whole = spec.model_copy(update=_NOTHING_AROUND)
    return ModelSubject(whole, source, note=_note(whole, broken))


_NOTHING_AROUND = {"audio": None, "frontend": None, "vocoder": None}


def _parts(spec: ModelSpec, small: Iterable[str]) -> dict[str, Any]:
    """Return the parts without widths of their own; those of the slots `small` are made small."""
    parts: dict[str, Any] = {key: {} if row.many else None for key, row in MODEL_SLOTS.items()}
    for place, part in parts_of(spec).items():
        key, _, name = place.partition(".")
        free = without_width(part)
        made = shrunk(narrowed(free)) if key in small else free
        parts[key] = {**parts[key], name: made} if name else made
    return parts


def _around(spec: ModelSpec, parts: dict[str, Any], width: int) -> ModelSpec:
    sizes = {
        "vocab_size": SIZES.vocab_size,
        "pad_id": SIZES.pad_id,
        "mel_dim": SIZES.mel_dim,
        "hidden_dim": width,
    }
    generation = spec.generation.model_copy(update={"options": _options(spec)})
    return spec.model_copy(update={**parts, **sizes, **_NOTHING_AROUND, "generation": generation})


def _options(spec: ModelSpec) -> dict[str, float]:
    """Return the options of generation; one named for a setting that is a size, as small."""
    parts = {place: narrowed(part) for place, part in parts_of(spec).items()}
    options = {}
    for name, value in spec.generation.options.items():
        place, _, setting = name.rpartition(".")
        size = getattr(parts.get(place), setting, None)
        options[name] = min(value, float(size)) if type(size) is int else value
    return options


def _note(spec: ModelSpec, violation: RuleViolation | None) -> str:
    if violation is None:
        return ""
    problem = violation_problem(violation)
    return (
        f"`model/{spec.name}` is not made as small as others (hidden_dim {spec.hidden_dim}), "
        f"since {problem.path}: {problem.message}"
    )


def without_width(params: Any) -> Any:
    """Return the params without widths of their own, so that they take those of the spec."""
    fields = {*params.takes.values(), *params.gives.values()} & type(params).model_fields.keys()
    values = {name: getattr(params, name) for name in type(params).model_fields}
    try:
        return type(params).model_validate({**values, **dict.fromkeys(fields)})
    except ValidationError:  # a required width stays
        return params


@dataclass(frozen=True)
class ModelSubject:
    """A whole model under test.

    Attributes:
        spec: Of the model, already small.
        source: The spec's file or name, for replay lines.
        note: What could not be made small, and why.
    """

    spec: ModelSpec
    source: str = ""

    slot = "model"
    capabilities = Capabilities()
    golden: Mapping[str, Any] | None = None
    first: bool = True
    variant: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """``model/`` and the spec's name."""
        return f"model/{self.spec.name}"

    @property
    def parts(self) -> tuple[ComponentParams, ...]:
        """The settings of its parts."""
        return tuple(parts_of(self.spec).values())

    def build(self, *, seed: int = 0) -> KokoroModel:
        """Build the model in float64 and evaluation mode, with noise added to the parameters."""
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            model = KokoroModel.from_spec(self.spec)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
        return model.double().eval()

    @cached_property
    def component(self) -> KokoroModel:
        """The built model that all checks share; a check must not change it."""
        return self.build()
