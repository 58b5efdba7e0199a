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
from kokoro_core.slots import MODEL_SLOTS
from kokoro_core.spec.problems.violation import RuleViolation, violation_problem
from kokoro_core.spec.rules.dimensions import find_conflicts
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.testing.data.randomness import seed_torch
from kokoro_core.testing.subjects.fitting import WIDTHS
from kokoro_core.testing.subjects.subject import SIZES
from kokoro_core.testing.subjects.tiny import shrunk


def small_spec(spec: ModelSpec) -> ModelSpec:
    """Return a spec with the same parts, made small, and nothing around them.

    As small as the rules between its parts allow: in the narrowest model that will do, then with
    the settings of the part that a rule names, then with all settings and sizes as they are.
    """
    return small_model(spec).spec


def small_model(spec: ModelSpec, source: str = "") -> ModelSubject:
    """Return the model of a spec made small, as `small_spec` does, with a note of what was not."""
    tried = (_around(spec, _parts(spec, MODEL_SLOTS), width) for width in WIDTHS)
    first = next(find_conflicts(_around(spec, _parts(spec, MODEL_SLOTS), SIZES.hidden_dim)), None)
    if first is not None:
        rest = [slot for slot in MODEL_SLOTS if slot != first.path[0]]
        others = (_around(spec, _parts(spec, rest), width) for width in WIDTHS)
        tried = (each for some in (tried, others) for each in some)
    for each in tried:
        if next(find_conflicts(each), None) is None:
            return ModelSubject(each, source, note=_note(each, first))
    whole = spec.model_copy(update=_NOTHING_AROUND)
    return ModelSubject(whole, source, note=_note(whole, first))


_NOTHING_AROUND = {"audio": None, "frontend": None, "vocoder": None}


def _parts(spec: ModelSpec, small: Iterable[str]) -> dict[str, Any]:
    """Return the parts without widths of their own, and some of them made small."""
    free = {
        slot: None if (part := getattr(spec, slot)) is None else without_width(part)
        for slot in MODEL_SLOTS
    }
    return {
        slot: shrunk(part) if slot in small and part is not None else part
        for slot, part in free.items()
    }


def _around(spec: ModelSpec, parts: dict[str, Any], width: int) -> ModelSpec:
    sizes = {
        "vocab_size": SIZES.vocab_size,
        "pad_id": SIZES.pad_id,
        "mel_dim": SIZES.mel_dim,
        "hidden_dim": width,
    }
    return spec.model_copy(update={**parts, **sizes, **_NOTHING_AROUND})


def _note(spec: ModelSpec, violation: RuleViolation | None) -> str:
    if violation is None:
        return ""
    problem = violation_problem(violation)
    return (
        f"`model/{spec.name}` is not made as small as others (hidden_dim {spec.hidden_dim}), "
        f"since {problem.path}: {problem.message}"
    )


def without_width(params: Any) -> Any:
    """Return the params with no width of their own, so that they take the spec's."""
    fields = {*params.takes.values(), *params.gives.values()} & type(params).model_fields.keys()
    values = {name: getattr(params, name) for name in type(params).model_fields}
    try:
        return type(params).model_validate({**values, **dict.fromkeys(fields)})
    except ValidationError:  # a width that must be said stays
        return params


@dataclass(frozen=True)
class ModelSubject:
    """A whole model under test.

    Attributes:
        spec: Of the model, already small.
        source: The spec's file or name, as a shell line would have it.
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

    def build(self, *, seed: int = 0) -> KokoroModel:
        """Build the model in float64, in evaluation mode; parameters get a little noise."""
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            model = KokoroModel.from_spec(self.spec)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
        return model.double().eval()

    @cached_property
    def component(self) -> KokoroModel:
        """One built model that all checks share; no check may change it."""
        return self.build()
