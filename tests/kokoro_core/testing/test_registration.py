"""Layers in a plain list: one check names them, and the others say that they were not run."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.contracts import Encoder
from kokoro_core.slots import EncoderParams
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.testing.engine.component import check_component
from kokoro_core.testing.pytest_support.checks import BoundCheck
from kokoro_core.testing.pytest_support.markers import Request
from kokoro_core.testing.subjects.registration import find_unregistered
from tests.kokoro_core.testing.test_doors_pytest import requested

pytestmark = pytest.mark.same_everywhere


class Stack(Encoder):
    """An embedding and layers, which `keep` puts somewhere."""

    def __init__(self, vocab_size: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.keep([nn.Linear(width, width) for _ in range(2)])

    def keep(self, layers: list[nn.Linear]) -> None:
        self.layers: Any = layers

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        x = self.embedding(phoneme_indices)
        for layer in self.layers:
            x = layer(x)
        return zero_padding(x, padding_mask)


class PlainListParams(EncoderParams):
    """Keeps its layers in a plain list."""

    type: Literal["plain_list"] = "plain_list"

    def build(self, sizes: Any) -> Encoder:
        return Stack(sizes.vocab_size, sizes.hidden_dim)


def said_of(module: nn.Module) -> list[str]:
    return [str(each) for each in find_unregistered(module)]


def test_layers_in_a_plain_list_fail_one_check_that_names_attribute_and_list() -> None:
    report = check_component(PlainListParams, raises=False)
    failed = [each for each in report.results if each.status == "failed"]
    assert [each.check for each in failed] == ["registered"]
    assert "`layers[0]` (Linear) is unknown to torch" in failed[0].reason
    assert "`layers[1]` (Linear)" in failed[0].reason
    assert "make `layers` an `nn.ModuleList`" in failed[0].reason


def test_the_other_checks_say_that_they_were_not_run_because_of_it() -> None:
    report = check_component(PlainListParams, raises=False)
    others = [each for each in report.results if each.check != "registered"]
    assert {each.status for each in others} == {"blocked"}
    assert all("because `registered` fails: `layers[0]`" in each.reason for each in others)
    assert report.explain().count("not run, because `registered` fails") == 1


def test_a_check_that_was_not_run_is_no_pass_even_if_it_is_asked_alone() -> None:
    report = check_component(PlainListParams, only="shapes", raises=False)
    assert not report.ok
    assert "not run, because `registered` fails: `layers[0]`" in report.explain()


def test_a_failure_that_is_announced_lets_the_others_run() -> None:
    known = {"encoder/plain_list-registered": "known"}
    report = check_component(PlainListParams, expected_failures=known, raises=False)
    assert "blocked" not in report.counts()
    known = {"registered": "known"}
    few = ["registered", "shapes", "state-unchanged"]
    report = check_component(PlainListParams, only=few, expected_failures=known, raises=False)
    assert "blocked" not in report.counts()
    assert {each.check for each in report.results} == set(few)


def by_id(bound: list[BoundCheck]) -> dict[str, BoundCheck]:
    return {each.check.id: each for each in bound}


def test_pytest_skips_the_others_once_the_cause_was_a_failure_and_fails_them_before() -> None:
    bound = by_id(requested(Request((PlainListParams,))))
    with pytest.raises(pytest.fail.Exception, match="not run: because `registered` fails"):
        bound["shapes"]()
    with pytest.raises(pytest.fail.Exception, match=r"`layers\[0\]` \(Linear\) is unknown"):
        bound["registered"]()
    with pytest.raises(pytest.skip.Exception, match="not run because `registered` fails"):
        bound["shapes"]()


def holding(**attributes: Any) -> nn.Module:
    module = nn.Module()
    for name, each in attributes.items():
        module.__dict__[name] = each
    return module


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (holding(heads={"a": nn.Linear(1, 1)}), r"`heads\['a'\]` \(Linear\) .*`nn.ModuleDict`"),
        (holding(pair=(1, [nn.Linear(1, 1)])), r"`pair\[1\]\[0\]` .*`pair` an `nn.ModuleList`"),
        (holding(scales=[nn.Parameter(torch.ones(1))]), r"`scales\[0\]` .*`nn.ParameterList`"),
        (holding(by={"x": nn.Parameter(torch.ones(1))}), "`nn.ParameterDict`"),
        (holding(norm=nn.BatchNorm1d(2, affine=False)), "`norm` .* assign it as an attribute"),
        (nn.Sequential(holding(inner=[nn.Linear(1, 1)])), r"`0.inner\[0\]` .* make `0.inner`"),
    ],
)
def test_every_plain_container_is_looked_into(module: nn.Module, message: str) -> None:
    [said] = said_of(module)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(said)


def test_what_is_registered_elsewhere_or_has_no_tensors_may_stand_in_a_list() -> None:
    module = nn.Sequential(nn.Linear(1, 1), nn.GELU())
    module.__dict__["shared"] = [module[0], nn.Dropout(0.1), module[0].weight]
    assert said_of(module) == []


class Plain(Stack):
    """Keeps a tensor that is to learn, and a table, as plain attributes."""

    def keep(self, layers: list[nn.Linear]) -> None:
        self.layers = nn.ModuleList(layers)
        self.scale = self.made(layers[0].weight.shape[0])

    def made(self, width: int) -> Tensor:
        return torch.ones(width, requires_grad=True)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        x = super().forward(phoneme_indices, padding_mask)
        return x @ torch.diag(self.scale)  # of two types once the rest is float64


class Table(Plain):
    """Keeps a table as a plain attribute."""

    def made(self, width: int) -> Tensor:
        return torch.ones(width)


@pytest.mark.parametrize(
    ("kind", "advice"), [(Plain, "an `nn.Parameter`"), (Table, "a buffer (`register_buffer`)")]
)
def test_a_plain_tensor_is_named_before_a_call_fails_because_of_it(
    kind: type[Stack], advice: str
) -> None:
    class Params(PlainListParams):
        """Keeps a tensor as a plain attribute."""

        def build(self, sizes: Any) -> Encoder:
            return kind(sizes.vocab_size, sizes.hidden_dim)

    [result] = check_component(Params, only="buffers", raises=False).results
    assert f"`scale` is a tensor in a plain attribute; make it {advice}" in result.reason
