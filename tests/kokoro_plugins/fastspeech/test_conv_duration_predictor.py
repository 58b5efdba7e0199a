import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kokoro_core.params.sizes import Sizes
from kokoro_plugins.fastspeech.params import ConvDurationPredictorParams


def build(hidden_dim, **settings_of_it):
    torch.manual_seed(0)
    sizes = Sizes(vocab_size=63, pad_id=0, mel_dim=80, hidden_dim=hidden_dim)
    return ConvDurationPredictorParams(**settings_of_it).build(sizes)


def small(**kwargs):
    return build(6, channels=5, **{"dropout": 0.0, **kwargs}).double()


def predicted(state, row, num_layers, kernel_size, norm_eps=1e-5):
    """Predict one row (N, H) in numpy from the names of the state."""
    x = row
    for layer in range(num_layers):
        weight, bias = state[f"convs.{layer}.conv.weight"], state[f"convs.{layer}.conv.bias"]
        reach = kernel_size // 2
        padded = np.pad(x, ((reach, reach), (0, 0)))
        windows = np.stack([padded[n : n + kernel_size] for n in range(len(x))])
        x = np.maximum(np.einsum("nkc,ock->no", windows, weight) + bias, 0)
        centred = x - x.mean(1, keepdims=True)
        x = centred / np.sqrt((centred**2).mean(1, keepdims=True) + norm_eps)
        x = x * state[f"norms.{layer}.weight"] + state[f"norms.{layer}.bias"]
    return x @ state["out.weight"][0] + state["out.bias"][0]


@pytest.mark.parametrize(("hidden_dim", "parameters"), [(384, 493_313), (192, 345_857)])
def test_the_default_has_the_parameters_of_the_published_one(hidden_dim, parameters):
    assert sum(each.numel() for each in build(hidden_dim).parameters()) == parameters


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    extra=st.integers(0, 2),
    num_layers=st.integers(1, 3),
    kernel_size=st.sampled_from([1, 3, 5]),
)
@example(lengths=[1], extra=0, num_layers=2, kernel_size=3)
def test_each_row_is_what_the_formula_gives_for_it_alone(lengths, extra, num_layers, kernel_size):
    module = small(num_layers=num_layers, kernel_size=kernel_size)
    with torch.no_grad():
        for each in module.parameters():  # so that no scale is 1 and no shift 0
            each.normal_(generator=torch.Generator().manual_seed(each.numel()))
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    width = max(lengths) + extra
    hidden = torch.randn(len(lengths), width, 6, dtype=torch.float64)
    padding_mask = torch.arange(width) >= torch.tensor(lengths)[:, None]
    output = module(hidden, padding_mask)
    assert output.losses == {}
    duration_pred = output.duration_pred.detach()
    assert bool((duration_pred[padding_mask] == 0).all())
    for row, length in enumerate(lengths):
        expected = predicted(state, hidden[row, :length].numpy(), num_layers, kernel_size)
        np.testing.assert_allclose(duration_pred[row, :length], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("poison", [1e4, float("nan")])
def test_what_stands_at_padding_reaches_no_prediction(poison):
    module = small()
    hidden, padding_mask = torch.randn(1, 4, 6).double(), torch.tensor([[False, False, True, True]])
    dirty = hidden.masked_fill(padding_mask.unsqueeze(-1), poison)
    clean = module(hidden, padding_mask).duration_pred
    assert torch.equal(module(dirty, padding_mask).duration_pred, clean)


def test_frames_are_the_exponential_less_one_and_never_negative():
    module = small()
    hidden, padding_mask = torch.randn(1, 5, 6).double(), torch.arange(5)[None] >= 4
    with torch.no_grad():
        module.out.weight.zero_()
        module.out.bias.fill_(2.0)
        frames = module.frames(hidden, padding_mask)
        np.testing.assert_allclose(frames[0], [np.e**2 - 1] * 4 + [0])
        module.out.bias.fill_(-2.0)
        assert torch.equal(module.frames(hidden, padding_mask), torch.zeros(1, 5).double())


def test_its_gradient_can_be_kept_from_the_encoder():
    hidden, padding_mask = torch.randn(1, 3, 6).double(), torch.zeros(1, 3, dtype=torch.bool)
    hidden.requires_grad_()
    module = small(stop_gradient=True)
    module(hidden, padding_mask).duration_pred.sum().backward()
    assert hidden.grad is None
    assert all(each.grad is not None for each in module.parameters())
    plain = small()
    plain.load_state_dict(module.state_dict())
    assert torch.equal(
        plain(hidden, padding_mask).duration_pred, module(hidden, padding_mask).duration_pred
    )


def test_it_says_how_its_frames_are_rounded_and_takes_the_eps_of_its_norms():
    assert small().rounding == "nearest"
    module = small(rounding="up", norm_eps=0.5)
    assert module.rounding == "up"
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    hidden, padding_mask = torch.randn(1, 4, 6).double(), torch.zeros(1, 4, dtype=torch.bool)
    expected = predicted(state, hidden[0].numpy(), 2, 3, norm_eps=0.5)
    found = module(hidden, padding_mask).duration_pred.detach()
    np.testing.assert_allclose(found[0], expected, rtol=1e-9, atol=1e-9)


def test_the_true_durations_change_nothing():
    module = small()
    hidden, padding_mask = torch.randn(1, 3, 6).double(), torch.zeros(1, 3, dtype=torch.bool)
    durations = torch.tensor([[5, 0, 9]])
    with_truth = module(hidden, padding_mask, durations).duration_pred
    assert torch.equal(with_truth, module(hidden, padding_mask).duration_pred)


def test_dropout_is_drawn_in_training_alone():
    module = small(dropout=0.5)
    hidden, padding_mask = torch.randn(1, 3, 6).double(), torch.zeros(1, 3, dtype=torch.bool)
    first, second = (module(hidden, padding_mask).duration_pred for _ in range(2))
    assert not torch.equal(first, second)
    module.eval()
    first, second = (module(hidden, padding_mask).duration_pred for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("settings_of_it", "message"),
    [
        ({"kernel_size": 4}, "must be odd to have a middle, not 4; 3 is FastSpeech's"),
        ({"num_layers": 0}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"norm_eps": 0.0}, "greater than 0"),
        ({"rounding": "down"}, "'nearest' or 'up'"),
        ({"kernel": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_without_sense_are_refused(settings_of_it, message):
    with pytest.raises(ValidationError, match=message):
        ConvDurationPredictorParams(**settings_of_it)
