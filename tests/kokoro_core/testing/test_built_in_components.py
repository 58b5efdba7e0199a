"""Every component that the installed plugins register keeps the promises of its slot."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kokoro_core.slots import POSITIONAL_ENCODING
from kokoro_core.spec.load import load_spec
from kokoro_core.testing import conformance
from kokoro_core.testing.check import PARTS
from kokoro_core.testing.checks import CONFORMANCE_VERSION, checks_of
from kokoro_core.testing.engine.component import check_component
from kokoro_core.testing.engine.levels import level_named
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.subjects.model_subject import ModelSubject, small_model
from kokoro_core.testing.subjects.subject import Subject
from registry import installed_plugins
from tests.kokoro_core.testing.small import tiny_params

REGISTRY = installed_plugins().components
COMPONENTS = [f"{slot}/{name}" for slot in PARTS for name in REGISTRY.names(slot)]
SPECS = sorted(installed_plugins().specs)


def small_models() -> dict[str, ModelSubject]:
    """Return the small model of each named spec, by the names of all that are made the same."""
    found: dict[str, ModelSubject] = {}
    for name in SPECS:
        spec = small_model(load_spec(name)).spec.model_copy(update={"name": "small"})
        twin = next((each for each, other in found.items() if other.spec == spec), None)
        found[f"{twin}={name}" if twin else name] = ModelSubject(spec, name)
        found.pop(twin or "", None)
    return found


MODELS = small_models()
MODEL_CHECKS = [each.id for each in checks_of("model")]

PLAN = CheckPlan(level_named("fast"), seed=0, version=CONFORMANCE_VERSION)

ATTENTION = [
    kind
    for slot in ("encoder", "decoder")
    for kind in (REGISTRY.find(slot, name).component for name in REGISTRY.names(slot))
    if "positional_encoding" in kind.model_fields
]
ENCODINGS = REGISTRY.names("positional_encoding")

OF_POSITIONS = (
    "row-alone",
    "padding-poison",
    "reach",
    "order-matters",
    "order-does-not-matter",
    "empty-row",
    "low-precision",
    "parameters-learn",
    "causality",
    "step-equals-forward",
    "chunks-and-forks",
)
"""What a positional encoding can spoil in the attention that it is given to."""


@conformance(*COMPONENTS, level="ci", golden="golden_keys.json", version=CONFORMANCE_VERSION)
def test_a_built_in_component_keeps_its_promises(check):
    check()


@pytest.mark.parametrize("check", MODEL_CHECKS)
@pytest.mark.parametrize("names", MODELS)
def test_the_model_of_a_named_spec_keeps_its_promises(names, check):
    subject = MODELS[names]
    found = next(each for each in checks_of("model") if each.id == check)
    result = run_check(
        cast("Any", subject),
        found,
        PLAN,
    )
    assert result.status in ("passed", "skipped"), result.explain()


def test_every_named_spec_is_one_of_the_models():
    assert sorted(name for names in MODELS for name in names.split("=")) == SPECS


def test_speaking_with_a_postnet_that_tracks_statistics_is_pure():
    model = small_model(load_spec("small", overrides={"postnet": {"type": "conv"}}), "small")
    [check] = [each for each in checks_of("model") if each.id == "speaking-is-pure"]
    result = run_check(
        cast("Any", model),
        check,
        PLAN,
    )
    assert result.status == "passed", result.explain()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ATTENTION, ids=lambda kind: f"{kind.slot}-{kind.component_name}")
def test_any_positional_encoding_serves_any_attention(kind, encoding):
    of_positions = REGISTRY.get(POSITIONAL_ENCODING, encoding)
    (own,) = (tiny_params(kind)[""],)
    small = tiny_params(of_positions)[""]
    params = type(own).model_validate(
        {
            **{name: getattr(own, name) for name in type(own).model_fields},
            "positional_encoding": small,
        }
    )
    known = {each.id for each in checks_of(params.slot)}
    report = check_component(Subject(params), only=[each for each in OF_POSITIONS if each in known])
    assert report.counts().get("passed", 0) >= 6
