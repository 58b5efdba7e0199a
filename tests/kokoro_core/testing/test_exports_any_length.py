"""The check that what speaking calls has one graph for every length."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kokoro_core.testing import Subject
from kokoro_core.testing.checks import find_checks
from kokoro_core.testing.checks.exporting import OTHERS, SPEAKING, UTTERANCE, Spoken
from kokoro_core.testing.engine.component import check_component
from tests.kokoro_core.testing import toys
from tests.kokoro_core.testing.mutants.sound import SOUND

pytestmark = pytest.mark.same_everywhere

CHECK, REFUSED = "export-any-length", "export-any-length-is-refused"
TRIED = ("likelihood predictor", "blending regulator", "recurrent decoder", "flow decoder")
"""Sound components of which speaking calls what training does not."""


def status(params, check, version=2):
    [result] = check_component(params, only=check, raises=False, version=version).results
    return result.status, result.reason


class OneLength(toys.Pointwise):
    """Has a graph for the length of its example alone."""

    def look_at(self, mel: Tensor, padding_mask: Tensor) -> None:
        torch.arange(int(mel.shape[1]))


class Reflects(toys.Pointwise):
    """Mirrors two frames at each end, for which there must be three."""

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        wide = torch.nn.functional.pad(mel.transpose(1, 2), (2, 2), mode="reflect")
        return super().forward(wide.transpose(1, 2)[:, 2:-2], padding_mask)


def test_the_lengths_compared_are_others_than_the_traced_one_and_the_shortest():
    [traced] = (each.width for each in UTTERANCE.corners)
    others = [each.width for each in OTHERS]
    assert min(others) == 2
    assert traced not in others
    assert max(others) > traced


@pytest.mark.parametrize(("said", "expected"), [(True, "passed"), (None, "passed")])
def test_a_component_that_declares_nothing_is_tried_too(said, expected):
    assert status(toys.toy(toys.Pointwise, exportable=said), CHECK)[0] == expected
    assert status(toys.toy(toys.Pointwise, exportable=said), REFUSED)[0] == "skipped"


def test_a_part_that_knows_the_traced_length_alone_is_told_its_line():
    found, reason = status(toys.toy(OneLength), CHECK)
    assert found == "failed"
    assert "`component` (`OneLength`) cannot be exported because of `torch.arange(int(" in reason
    assert "say `exportable=False` if that is how it is" in reason


def test_the_shortest_utterance_counts_as_well():
    found, reason = status(toys.toy(Reflects), CHECK)
    assert found == "failed"
    assert "Padding size should be less than" in reason


@pytest.mark.parametrize("kind", [OneLength, toys.LooksInside])
def test_what_has_no_graph_for_every_length_may_say_so(kind):
    told = toys.toy(kind, exportable=False, compilable=False)
    assert status(told, CHECK)[0] == "skipped"
    assert status(told, REFUSED)[0] == "passed"
    assert status(told, "export-is-refused")[0] == "passed"


def test_what_has_a_graph_must_not_deny_it():
    found, reason = status(toys.toy(toys.Pointwise, exportable=False), REFUSED)
    assert found == "failed"
    assert "it exports for any length, so it must not declare `exportable=False`" in reason


def test_a_plugin_of_version_1_is_warned():
    assert status(toys.toy(OneLength), CHECK, version=1)[0] == "warned"


@pytest.mark.parametrize("name", TRIED)
def test_a_sound_component_has_a_graph_for_every_length(name):
    assert status(SOUND[name], CHECK)[0] == "passed"


def test_speaking_does_not_call_what_training_calls(monkeypatch):
    subject = Subject(SOUND["flow decoder"])
    kind = type(subject.component)

    def training(*_args, **_given):
        raise AssertionError("training was called")

    monkeypatch.setattr(kind, "forward", training)
    assert status(SOUND["flow decoder"], CHECK)[0] == "passed"
    assert Spoken(subject.probe).component is subject.component


def test_the_check_is_of_version_2_and_of_all_slots_that_speak():
    found = find_checks([CHECK, REFUSED])
    assert {each.since for each in found.values()} == {2}
    assert {each.slots for each in found.values()} == {SPEAKING}
    assert set(SPEAKING) == {
        *("encoder", "duration_predictor", "regulator", "decoder"),
        *("postnet", "adaptor", "conditioner"),
    }
