"""The optimizers that a comparison can choose from."""

import copy
import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

from kokoro_core import KokoroModel
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.averages import WeightAverage
from kokoro_plugins.training.loop.optimizers import make_optimizer
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.settings import OPTIMIZERS, TrainingSettings
from kokoro_plugins.training.updates.muon import orthogonalize


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_makes_the_loss_smaller(name, corpus, small_spec):
    seed_everything(0)
    data = AlignedSpeech(corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=2)
    model = KokoroModel.from_spec(small_spec)
    settings = TrainingSettings(
        lr=3e-3, warmup_steps=2, optimizer=name, precision="32", device="cpu"
    )
    history = fit(model, data, StepBudget(25), settings)
    losses = [each.losses["loss"] for each in history.training]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    assert math.isfinite(evaluate(model, data.val_dataloader()).free_running)


def moved_by(optimizer, lr):
    return TrainingSettings(optimizer=optimizer, lr=lr, warmup_steps=0)


def polynomial(value, iterations):
    """Return what iterations of Newton and Schulz make of a singular value."""
    for _ in range(iterations):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)], ids=["64", "32"]
)
@pytest.mark.parametrize("iterations", [1, 4, 5])
@pytest.mark.parametrize("columns", [24, 100])
def test_orthogonalized_matrices_have_the_polynomial_of_the_singular_values(
    dtype, tolerance, iterations, columns
):
    torch.manual_seed(0)
    matrices = torch.randn(3, 24, columns, dtype=torch.float64)
    u, values, v = torch.linalg.svd(matrices, full_matrices=False)
    scaled = polynomial(values / values.square().sum(1, keepdim=True).sqrt(), iterations)
    expected = u @ torch.diag_embed(scaled) @ v
    found = orthogonalize(matrices.to(dtype), iterations).double()
    assert (found - expected).abs().max() < tolerance


def test_a_matrix_of_zeros_does_not_move():
    assert orthogonalize(torch.zeros(1, 4, 6)).eq(0).all()


def trained_by_hand(weight, gradients, *, lr, momentum):
    """Return a matrix after steps of Muon, each computed by singular values in float64."""
    mean = np.zeros_like(weight)
    for gradient in gradients:
        mean = momentum * mean + (1 - momentum) * gradient
        ahead = momentum * mean + (1 - momentum) * gradient
        u, values, v = np.linalg.svd(ahead, full_matrices=False)
        scaled = polynomial(values / np.sqrt((values**2).sum()), 4)
        weight = weight - lr * 0.2 * math.sqrt(max(weight.shape)) * (u * scaled) @ v
    return weight


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (5, 5)])
def test_muon_moves_matrices_by_orthogonal_steps(shape):
    torch.manual_seed(0)
    layer = nn.Linear(shape[1], shape[0], bias=False).double()
    before = layer.weight.detach().numpy().copy()
    gradients = [torch.randn(shape, dtype=torch.float64) for _ in range(3)]
    optimizer = make_optimizer(layer, moved_by("muon", 0.01))
    for gradient in gradients:
        layer.weight.grad = gradient.clone()
        optimizer.step()
        assert layer.weight.grad.equal(gradient)
    expected = trained_by_hand(before, [each.numpy() for each in gradients], lr=0.01, momentum=0.95)
    assert np.abs(layer.weight.detach().numpy() - expected).max() < 1e-9


def test_muon_moves_what_is_no_matrix_between_layers_as_adamw_does():
    torch.manual_seed(0)
    mine = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 1))
    theirs = copy.deepcopy(mine)
    optimizers = [
        make_optimizer(mine, moved_by("muon", 0.01)),
        torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    for _ in range(3):
        for parameter, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            parameter.grad = torch.randn_like(parameter)
            other.grad = parameter.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    equal = {
        name: torch.allclose(parameter, theirs.get_parameter(name), rtol=0, atol=1e-6)
        for name, parameter in mine.named_parameters()
    }
    assert [name for name, same in equal.items() if not same] == ["1.weight"]


def test_muon_leaves_alone_what_has_no_gradient():
    layer = nn.Linear(3, 4)
    before = copy.deepcopy(layer.state_dict())
    make_optimizer(layer, moved_by("muon", 0.1)).step()
    assert all(value.equal(before[name]) for name, value in layer.state_dict().items())


def test_a_copy_of_the_state_goes_on_as_the_original():
    torch.manual_seed(0)
    layers = [nn.Linear(4, 6), nn.Linear(4, 6)]
    layers[1].load_state_dict(layers[0].state_dict())
    first, second = (make_optimizer(each, moved_by("muon", 0.01)) for each in layers)

    def step(layer, optimizer, seed):
        generator = torch.Generator().manual_seed(seed)
        for parameter in layer.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()

    step(layers[0], first, 1)
    layers[1].load_state_dict(layers[0].state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for layer, optimizer in zip(layers, (first, second), strict=True):
        step(layer, optimizer, 2)
    assert layers[0].weight.equal(layers[1].weight)
    assert layers[0].bias.equal(layers[1].bias)


def test_schedule_free_speaks_with_the_average_and_goes_on_with_the_weights(corpus, small_spec):
    data = AlignedSpeech(corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=2)
    losses = {}
    for every in (2, 1000):
        seed_everything(0)
        model = KokoroModel.from_spec(small_spec)
        settings = TrainingSettings(
            lr=3e-3, optimizer="schedule-free", precision="32", device="cpu", validate_every=every
        )
        losses[every] = fit(model, data, StepBudget(7), settings).training[-1].losses["loss"]
    assert losses[2] == pytest.approx(losses[1000], rel=1e-4)


def test_an_optimizer_of_a_package_that_is_missing_says_what_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(ValueError, match="`soap` is one of the package pytorch-optimizer"):
        make_optimizer(nn.Linear(2, 2), moved_by("soap", 0.1))


def test_a_moving_average_is_that_of_the_weights_after_each_step():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    average = WeightAverage(layer, 0.5)
    average.start()
    expected = 1.0
    for step, weight in enumerate((3.0, 5.0, -2.0), start=1):
        layer.weight.data.fill_(weight)
        average.update()
        stays = min(0.5, (1 + step) / (10 + step))
        expected = stays * expected + (1 - stays) * weight
    average.swap()
    assert layer.weight.item() == pytest.approx(expected, abs=1e-6)
    average.swap()
    assert layer.weight.item() == -2.0


def test_training_with_an_average_leaves_it_in_the_model_and_learns_as_without(corpus, small_spec):
    data = AlignedSpeech(corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=2)
    weights, losses = [], []
    for average in (0.0, 0.9):
        seed_everything(0)
        model = KokoroModel.from_spec(small_spec)
        settings = TrainingSettings(
            lr=3e-3, average=average, precision="32", device="cpu", validate_every=2
        )
        losses.append(fit(model, data, StepBudget(7), settings).training[-1].losses["loss"])
        weights.append(torch.cat([each.detach().flatten() for each in model.parameters()]))
    assert losses[0] == losses[1]
    assert not weights[0].equal(weights[1])


@pytest.mark.parametrize("average", [-0.1, 1.0, math.nan])
def test_an_average_that_is_none_is_refused(average):
    with pytest.raises(ValueError, match="`average` must be from 0 to below 1"):
        TrainingSettings(average=average)
