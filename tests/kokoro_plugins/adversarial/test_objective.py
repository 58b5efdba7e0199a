"""The objective: its terms, whose gradients go where, and trainings with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kokoro_core import KokoroModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import OBJECTIVE
from kokoro_plugins.adversarial.objective import Adversarial
from kokoro_plugins.adversarial.params import (
    AdversarialParams,
    MultiPeriodParams,
    MultiResolutionParams,
    PatchParams,
    Resolution,
)
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.loop.stages import Stages, refuse_objective
from kokoro_plugins.training.settings import EVERY_STAGE, Saving, TrainingSettings
from kokoro_plugins.training.updates.params import AdamWParams, ConstantParams, MuonParams
from registry import installed_plugins
from tests.kokoro_core.model.test_version_2 import model as wave_model
from tests.kokoro_core.model.test_version_2 import spec as of_waves_spec
from tests.kokoro_core.model.test_waves import WAVES as WAVE_MODEL
from tests.kokoro_core.model.test_waves import wave_batch
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data
from tests.kokoro_plugins.training.resume.saved import differences, steps_in

Example = Callable[..., tuple[Any, Any]]
SIZES = Sizes(vocab_size=10, pad_id=0, mel_dim=4, hidden_dim=8)
SMALL = PatchParams(channels=2, num_layers=2)
WAVES = (
    MultiPeriodParams(periods=(2, 3), channels=(2, 2)),
    MultiResolutionParams(
        resolutions=(Resolution(n_fft=8, hop_length=3, win_length=8),), channels=2
    ),
)


class Line(nn.Module):
    """A model of two numbers: what it makes is a line of what was recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.tensor([0.5, 0.1], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.factors[0] * x + self.factors[1]


def of_mels(model: nn.Module, longer: int = 0) -> tuple[Any, Any]:
    """Return the output and the batch of two rows of 12 and 7 frames, padded further."""
    x = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(0)).double()
    x = torch.cat([x, torch.full((2, longer, 4), torch.nan, dtype=torch.float64)], 1)
    mask = torch.arange(12 + longer) >= torch.tensor([[12], [7]])
    batch = SimpleNamespace(mel_specs=x, mel_padding_mask=mask)
    return SimpleNamespace(mel=model(x), loss=model(x[0, :3]).square().sum()), batch


def of_waves(model: nn.Module, longer: int = 0) -> tuple[Any, Any]:
    """Return the output and the batch of two rows of 40 and 25 samples, padded further."""
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(0)).double()
    x = torch.cat([x, torch.full((2, longer), torch.nan, dtype=torch.float64)], 1)
    mask = torch.arange(40 + longer) >= torch.tensor([[40], [25]])
    batch = SimpleNamespace(wave=x, wave_padding_mask=mask)
    return SimpleNamespace(wave=model(x), loss=model(x[0, :3]).square().sum()), batch


def built(**settings: Any) -> Adversarial:
    torch.manual_seed(0)
    return AdversarialParams(**{"discriminators": (SMALL,), **settings}).build(SIZES).double()


@pytest.mark.parametrize("loss", ["hinge", "least_squares"])
def test_terms_are_the_formulas_of_the_scores(loss: str) -> None:
    objective, model = built(loss=loss, weight=0.25, feature_weight=3.0), Line()
    output, batch = of_mels(model)
    told = objective.loss("discriminator", output, batch)
    convinced = objective.loss("generator", output, batch)

    def scores(mel: Tensor) -> tuple[np.ndarray, list[np.ndarray]]:
        [opinion] = objective.discriminators[0](mel, batch.mel_padding_mask)
        valid = [each.values.detach().numpy() for each in (opinion.scores, *opinion.features)]
        masks = [each.padding_mask.numpy() for each in (opinion.scores, *opinion.features)]
        flat = [v.transpose(0, 2, 1, 3)[~m].ravel() for v, m in zip(valid, masks, strict=True)]
        return flat[0], flat[1:]

    (real, of_real), (made, of_made) = scores(batch.mel_specs), scores(output.mel)
    hinge = loss == "hinge"
    expected = {
        "real": np.maximum(0, 1 - real) if hinge else (real - 1) ** 2,
        "made": np.maximum(0, 1 + made) if hinge else made**2,
        "adversarial": 0.25 * (-made if hinge else (made - 1) ** 2),
    }
    for name, term in {**told, **convinced}.items():
        if name in expected:
            assert term.item() == pytest.approx(expected[name].mean(), rel=1e-9), name
    distances = [np.abs(a - b).mean() for a, b in zip(of_real, of_made, strict=True)]
    assert convinced["features"].item() == pytest.approx(3 * sum(distances), rel=1e-9)
    assert convinced["own"] is output.loss
    assert {*told} == {"real", "made"}


@pytest.mark.parametrize("example", [of_mels, of_waves])
def test_padding_does_not_matter(example: Example) -> None:
    objective = built(discriminators=(SMALL,) if example is of_mels else WAVES)
    found = []
    for longer in (0, 9):
        output, batch = example(Line(), longer)
        terms = objective.loss("discriminator", output, batch)
        terms |= objective.loss("generator", output, batch)
        found.append({name: each.item() for name, each in terms.items()})
    assert found[0].keys() == {"real", "made", "own", "adversarial", "features"}
    assert found[0] == pytest.approx(found[1], rel=1e-9)


@pytest.mark.parametrize("example", [of_mels, of_waves])
def test_each_stage_teaches_its_own_side_alone(example: Example) -> None:
    """Against gradients of passes of their own, what the other side makes detached."""
    model = Line()
    objective = built(discriminators=(SMALL,) if example is of_mels else WAVES)
    output, batch = example(model)
    stages = Stages(objective, model)
    stages.losses(output, batch, 0, lambda losses, _: losses)
    stages.backward(1)
    own = [each.grad for each in objective.parameters()]
    [of_model] = [each.grad for each in model.parameters()]
    judged = "mel" if example is of_mels else "wave"
    output, batch = example(model)
    detached = SimpleNamespace(**{judged: getattr(output, judged).detach(), "loss": output.loss})
    told = objective.loss("discriminator", detached, batch)
    expected = torch.autograd.grad([*told.values()], [*objective.parameters()])
    for one, other in zip(own, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    terms = objective.requires_grad_(requires_grad=False).loss("generator", output, batch)
    [expected_of_model] = torch.autograd.grad([*terms.values()], [*model.parameters()])
    torch.testing.assert_close(of_model, expected_of_model, rtol=1e-9, atol=1e-12)


def test_before_the_start_the_model_trains_by_its_own_loss() -> None:
    objective = built(start=3, feature_weight=0.0)
    output, batch = of_mels(Line())
    for done, names in ((2, [set(), {"own"}]), (3, [{"real", "made"}, {"own", "adversarial"}])):
        objective.done = done
        found = [{*objective.loss(stage, output, batch)} for stage in objective.stages()]
        assert found == names


def test_no_graph_is_kept_beyond_the_step() -> None:
    objective, model = built(), Line()
    output, batch = of_mels(model)
    for stage in objective.stages():
        objective.loss(stage, output, batch)
    assert not [
        each for each in vars(objective).values() if isinstance(each, tuple) and output in each
    ]


def train(
    steps: int,
    saving: Saving | None = None,
    precision: Literal["32", "bf16"] = "32",
    **settings: Any,
) -> tuple[KokoroModel, History]:
    seed_everything(0)
    model = KokoroModel.from_spec(SPEC)
    how = TrainingSettings(
        device="cpu", precision=precision, validate_every=2, optimizers=OPTIMIZERS, **settings
    )
    return model, fit(model, tiny_data(), StepBudget(steps), how, saving=saving)


OPTIMIZERS = {
    "generator": MuonParams(lr=2e-3),
    "discriminator": AdamWParams(lr=1e-3, betas=(0.8, 0.99)),
}


@pytest.mark.parametrize("broken_after", [1, 3])
def test_an_adversarial_training_goes_on_to_the_bit(broken_after: int, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "objective": AdversarialParams(discriminators=(SMALL, SMALL), start=2)
    }
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    _, history = train(5, Saving(whole, every=1, keep_last=9), **settings)
    shutil.copytree(whole, broken)
    for step, folder in steps_in(broken).items():
        if step > broken_after:
            shutil.rmtree(folder)
    train(5, Saving(broken, every=1, keep_last=9, resume=True), **settings)
    for step, folder in steps_in(whole).items():
        assert differences(folder, steps_in(broken)[step]) == []
    assert {"discriminator.real", "generator.adversarial", "generator.features"} <= {
        *history.training[-1].losses
    }


def test_discriminators_learn_to_tell_apart_and_the_model_trains_on() -> None:
    objective = AdversarialParams(discriminators=(PatchParams(channels=8, num_layers=2),))
    _, history = train(40, objective=objective, schedules={EVERY_STAGE: ConstantParams()})
    told = [
        each.losses["discriminator.real"] + each.losses["discriminator.made"]
        for each in history.training
    ]
    assert sum(told[-10:]) / 10 < 0.9 * told[0]
    assert history.training[-1].losses["loss"] < history.training[0].losses["loss"]


def test_it_trains_in_bfloat16_near_what_float32_comes_to() -> None:
    objective = AdversarialParams(discriminators=(SMALL,))
    low, full = (train(2, precision=each, objective=objective)[1] for each in ("bf16", "32"))
    for one, other in zip(low.training, full.training, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=0.05, abs=0.02)


def test_a_judge_of_waves_is_refused_where_a_mel_is_made() -> None:
    settings = TrainingSettings(objective=AdversarialParams(discriminators=(SMALL, *WAVES)))
    message = "The objective `adversarial` needs `wave`, which the decoder of `voice` does not give"
    with pytest.raises(ValueError, match=f"{message}; it gives `mel`"):
        refuse_objective(settings, SPEC)
    refuse_objective(TrainingSettings(objective=AdversarialParams()), SPEC)
    output, batch = of_mels(Line())
    with pytest.raises(ValueError, match="judges `wave`, which the model does not make; `patch`"):
        built(discriminators=WAVES).loss("discriminator", output, batch)


def test_a_decoder_that_gives_samples_is_judged_by_them() -> None:
    spec = of_waves_spec(**WAVE_MODEL)
    refuse_objective(TrainingSettings(objective=AdversarialParams(discriminators=WAVES)), spec)
    with pytest.raises(ValueError, match=r"needs `mel`, which the decoder .* it gives `wave`"):
        refuse_objective(TrainingSettings(objective=AdversarialParams()), spec)
    model, given = wave_model(**WAVE_MODEL), wave_batch()
    objective = built(discriminators=WAVES)
    stages = Stages(objective, model)
    output = model(given)
    terms = stages.losses(output, given, 0, lambda losses, _: losses)
    stages.backward(1)
    learned = model.acoustic.decoder.get_parameter("out.weight").grad
    assert learned is not None
    assert learned.any()
    flat = SimpleNamespace(wave=output.mel.flatten(1), loss=output.loss)
    mask = given.mel_padding_mask.repeat_interleave(64, 1)
    as_vocoder = SimpleNamespace(wave=given.extras["wave"].flatten(1), wave_padding_mask=mask)
    for name, term in objective.loss("discriminator", flat, as_vocoder).items():
        assert terms[f"discriminator.{name}"].item() == pytest.approx(term.item(), rel=1e-12)


def test_it_is_found_by_name_with_its_nested_discriminators() -> None:
    registry = installed_plugins().components
    kind = registry.get(OBJECTIVE, "adversarial")
    given = {
        "discriminators": [{"type": "multi_period"}, {"type": "patch", "num_layers": 5}],
        "start": 20000,
    }
    params = kind.model_validate(given, context={"registry": registry})
    assert params == AdversarialParams(
        discriminators=(MultiPeriodParams(), PatchParams(num_layers=5)), start=20000
    )
    assert params.needs == {"mel", "wave"}
    with pytest.raises(ValueError, match="no discriminator is named 'pach', did you mean `patch`"):
        kind.model_validate({"discriminators": [{"type": "pach"}]}, context={"registry": registry})
    with pytest.raises(ValueError, match="must name one or more, for example `- type: patch`"):
        AdversarialParams(discriminators=())
