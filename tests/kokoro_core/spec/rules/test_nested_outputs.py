"""An encoder that gives more than hidden vectors stands only where somebody reads that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import Registration
from tests.kokoro_core.spec.toys import Unbuildable, minimal, plugins_with


class RichEncoder(Unbuildable, EncoderParams):
    """Gives a part, and a loss."""

    type: Literal["rich"] = "rich"
    part: bool = False
    loss: bool = False

    def gives_parts(self, sizes: Sizes) -> Mapping[str, int]:
        return {"mean": sizes.mel_dim} if self.part else {}

    @property
    def losses(self) -> Mapping[str, float | None] | None:
        return {"prior": None} if self.loss else None


class WrappingEncoder(Unbuildable, EncoderParams):
    """Adds to what another encoder returns, as plugins of version 1 did."""

    type: Literal["wrapping"] = "wrapping"
    inner: EncoderParams


class ReadingEncoder(WrappingEncoder):
    """Knows what an encoder may return."""

    type: Literal["reading"] = "reading"  # type: ignore[assignment]

    @property
    def reads_encoder_output(self) -> bool:
        return True


PLUGINS = plugins_with(
    *(
        Registration(each, "acme", "acme-rich", "1.0")
        for each in (RichEncoder, WrappingEncoder, ReadingEncoder)
    )
)
PART = {"type": "rich", "part": True}


def load(encoder: dict[str, Any]) -> ModelSpec:
    return load_spec(minimal(encoder=encoder), plugins=PLUGINS)


def problem_of(encoder: dict[str, Any]) -> Problem:
    with pytest.raises(SpecError) as caught:
        load(encoder)
    [problem] = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("inner", "what"),
    [(PART, "mean"), ({**PART, "loss": True}, "mean, the loss prior")],
)
def test_a_wrapper_that_reads_a_tensor_is_refused_around_an_encoder_that_gives_more(
    inner: dict[str, Any], what: str
) -> None:
    problem = problem_of({"type": "wrapping", "inner": inner})
    assert (problem.path, problem.code) == ("encoder.inner", "unmet-input")
    assert f"encoder 'rich' also gives {what}, and 'wrapping' at `encoder.type`" in problem.message
    assert "declares `reads_encoder_output`" in problem.message


def test_an_encoder_with_a_loss_of_its_own_is_one_that_gives_more() -> None:
    problem = problem_of({"type": "wrapping", "inner": {"type": "rich", "loss": True}})
    assert "also gives the loss prior" in problem.message


@pytest.mark.parametrize(
    "encoder",
    [
        PART,
        {"type": "wrapping", "inner": {"type": "rich"}},
        {"type": "reading", "inner": PART},
        {"type": "wrapping", "inner": {"type": "reading", "inner": PART}},
    ],
)
def test_hidden_vectors_alone_and_whoever_reads_the_rest_are_right(encoder: dict[str, Any]) -> None:
    assert load(encoder).hidden_dim == 8


def test_it_is_found_at_any_depth() -> None:
    deep = {"type": "reading", "inner": {"type": "wrapping", "inner": PART}}
    assert problem_of(deep).path == "encoder.inner.inner"
