"""What CI's numerics leave out of the kit is what a processor or a kernel cannot change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kokoro_core.kernels.choice import by_reference
from kokoro_core.testing.check import PARTS
from kokoro_core.testing.checks import CHECKS, checks_of
from kokoro_core.testing.engine.levels import level_named
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.pytest_support.checks import BoundCheck
from kokoro_core.testing.subjects.subject import Subject
from registry import installed_plugins
from tests.kokoro_core.testing.same_everywhere import COMPUTE_NOTHING, TRACE_MODELS
from tests.kokoro_core.testing.small import tiny_params

COMPUTED = {
    "addmm",
    "baddbmm",
    "bmm",
    "convolution",
    "linear",
    "mm",
    "native_layer_norm",
    "_softmax",
}
"""Operations of torch, at least one of which every component with weights calls."""

REGISTRY = installed_plugins().components
PLAN = CheckPlan(level_named("fast"), seed=0)


class Computed(TorchDispatchMode):
    """Note which of those operations are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        self.names |= {str(getattr(func, "overloadpacket", func)).rpartition(".")[2]} & COMPUTED
        return func(*args, **kwargs or {})


def computed_by(subject: Subject, check: str) -> set[str]:
    """Return which of those operations a check of a component calls."""
    [found] = [each for each in checks_of(subject.slot) if each.id == check]
    seen = Computed()
    with seen:
        result = run_check(subject, found, PLAN)
    assert result.status in ("passed", "skipped"), result.explain()
    return seen.names


@pytest.mark.parametrize("slot", PARTS)
def test_the_checks_that_are_said_to_compute_nothing_compute_nothing(slot: str) -> None:
    kind = REGISTRY.find(slot, REGISTRY.names(slot)[0]).component
    subject = Subject(tiny_params(kind)[""])
    for check in COMPUTE_NOTHING:
        if check in {each.id for each in checks_of(slot)}:
            assert not computed_by(subject, check), check


def test_a_check_that_calls_a_component_is_seen_to_compute() -> None:
    kind = REGISTRY.find("encoder", "transformer").component
    assert computed_by(Subject(tiny_params(kind)[""]), "shapes")


def test_models_are_traced_by_the_formulas() -> None:
    class Asks(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if by_reference() else x - 1

    graph = torch.export.export(Asks(), (torch.zeros(2),)).module()
    assert graph(torch.zeros(2)).tolist() == [1, 1]


def test_all_are_checks_of_the_kit_and_each_traced_one_is_costly() -> None:
    known = {each.id: each for each in CHECKS}
    assert {*COMPUTE_NOTHING, *TRACE_MODELS} <= known.keys()
    assert all(known[each].costly for each in TRACE_MODELS)


def bound(check: str) -> BoundCheck:
    """Return the test of a check, as the marker `conformance` makes it."""
    [found] = [each for each in checks_of("encoder") if each.id == check]
    params = tiny_params(REGISTRY.find("encoder", "transformer").component)[""]
    return BoundCheck(Subject(params), found, PLAN)


TESTS = {
    **{each: each for each in (*COMPUTE_NOTHING, *TRACE_MODELS, "shapes", "compile")},
    "bound to size": bound("size"),
    "bound to row-alone": bound("row-alone"),
}


@pytest.mark.parametrize("check", TESTS.values(), ids=TESTS)
def test_a_check_is_marked_where_it_is_one_of_these(
    check: str | BoundCheck, request: pytest.FixtureRequest
) -> None:
    name = check if isinstance(check, str) else check.check.id
    marked = request.node.get_closest_marker("same_everywhere") is not None
    assert marked == (name in (*COMPUTE_NOTHING, *TRACE_MODELS))
