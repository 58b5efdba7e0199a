"""Parts that sample: equal draws for what is compared, and whatever is wrong is still found."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.spec.load import load_spec
from kokoro_core.tensors.noise import RowNoise
from kokoro_core.testing.checks import checks_of, find_checks
from kokoro_core.testing.engine.component import check_component
from kokoro_core.testing.engine.levels import level_named
from kokoro_core.testing.engine.report import Result
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.subjects.model_subject import ModelSubject, small_model
from kokoro_core.testing.subjects.subject import Subject
from tests.kokoro_core.testing.mutants.params import FlowParams, LikelihoodParams
from tests.kokoro_core.testing.mutants.sound_parallel import Flow


def sampling_model() -> ModelSubject:
    parts = {"decoder": FlowParams(), "duration_predictor": LikelihoodParams()}
    return small_model(load_spec("default").model_copy(update=parts))


def result_of(subject: Any, check: str) -> Result:
    [found] = find_checks([check], checks_of(subject.slot)).values()
    level = "fast" if found.dear == 1 else "ci"  # which tries what takes long, too
    return run_check(subject, found, CheckPlan(level_named(level), seed=0))


OF_MODELS = [each.id for each in checks_of("model") if each.id != "model-file"]
"""All but loading: the parts are of no plugin, so that no file could name them."""


@pytest.mark.parametrize("check", OF_MODELS)
def test_a_model_that_samples_raises_no_alarm(check: str) -> None:
    result = result_of(sampling_model(), check)
    expected = "skipped" if check == "speaking-is-training" else "passed"
    assert result.status == expected, result.explain()


def test_a_model_whose_rows_share_their_draws_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = AcousticModel.side_inputs

    def side_inputs(
        self: Any, extras: Any, *masks: Any, noise: Any = None, **others: Any
    ) -> dict[str, Any]:
        noise = noise and RowNoise([sum(noise.seeds)] * len(masks[0]))
        return honest(self, extras, *masks, noise=noise, **others)

    monkeypatch.setattr(AcousticModel, "side_inputs", side_inputs)
    assert result_of(sampling_model(), "model-rows").status == "failed"


def test_training_of_a_model_draws_from_torch_again_once_a_check_is_done() -> None:
    subject = sampling_model()
    result_of(subject, "model-rows")
    assert "side_inputs" not in vars(subject.component.acoustic)


@pytest.mark.parametrize("params", [FlowParams(), LikelihoodParams()])
@pytest.mark.parametrize("check", ["compile", "export"])
def test_a_part_that_samples_is_compiled_and_exported_with_equal_draws(
    params: Any, check: str
) -> None:
    told = params.model_copy(update={"declares": {"exportable": True}})
    check_component(Subject(told), only=check)


def test_a_part_that_looks_at_its_draws_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Flow.drawn

    def drawn(self: Flow, like: torch.Tensor, noise: RowNoise) -> torch.Tensor:
        made = honest(self, like, noise)
        return made if float(made.sum()) > 0 else -made

    monkeypatch.setattr(Flow, "drawn", drawn)
    assert result_of(Subject(FlowParams()), "compile").status == "failed"


def test_a_part_that_makes_its_own_generator_does_not_compile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drawn(self: Flow, like: torch.Tensor, noise: RowNoise) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(like.shape[1], self.mel_dim, generator=generator, dtype=like.dtype)

    monkeypatch.setattr(Flow, "drawn", drawn)
    assert result_of(Subject(FlowParams()), "compile").status == "failed"
