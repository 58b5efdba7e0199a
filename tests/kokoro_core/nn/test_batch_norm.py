import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from kokoro_core.nn.batch_norm import MaskedBatchNorm

CHANNELS = 3


def pair(dtype=torch.float64, **kwargs):
    """Return ours and torch's with the same random scale and shift."""
    ours, truth = MaskedBatchNorm(CHANNELS, **kwargs), nn.BatchNorm1d(CHANNELS, **kwargs)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        truth.weight.copy_(torch.randn(CHANNELS, generator=generator))
        truth.bias.copy_(torch.randn(CHANNELS, generator=generator))
    ours.load_state_dict(truth.state_dict())
    return ours.to(dtype), truth.to(dtype)


def ragged(lengths, extra, seed=0):
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths) + extra
    x = 5 + 3 * torch.randn(len(lengths), width, CHANNELS, generator=generator, dtype=torch.float64)
    return x, torch.arange(width) >= torch.tensor(lengths)[:, None]


def test_the_state_has_the_names_and_shapes_of_torch():
    ours, truth = MaskedBatchNorm(CHANNELS).state_dict(), nn.BatchNorm1d(CHANNELS).state_dict()
    assert list(ours) == list(truth)
    for name, value in truth.items():
        assert ours[name].shape == value.shape
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name], value)


@settings(deadline=None, max_examples=40)
@given(
    batches=st.lists(
        st.tuples(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 4)).filter(
            lambda batch: sum(batch[0]) > 1
        ),
        min_size=1,
        max_size=3,
    ),
    momentum=st.sampled_from([0.1, 0.01, 1.0]),
)
@example(batches=[([2], 0)], momentum=0.1)
@example(batches=[([1, 1], 3)], momentum=0.1)
def test_valid_steps_are_normalised_as_torch_does_with_them_in_one_row(batches, momentum):
    ours, truth = pair(momentum=momentum)
    for seed, (lengths, extra) in enumerate(batches):
        x, padding_mask = ragged(lengths, extra, seed)
        out = ours(x, padding_mask)
        torch.testing.assert_close(out[~padding_mask], truth(x[~padding_mask]))
        assert bool((out[padding_mask] == 0).all())
    torch.testing.assert_close(ours.state_dict(), truth.state_dict())
    x, padding_mask = ragged([3, 5], 1, seed=9)
    out = ours.eval()(x, padding_mask)
    torch.testing.assert_close(out[~padding_mask], truth.eval()(x[~padding_mask]))


def test_gradients_are_those_of_torch_on_the_valid_steps_and_zero_at_padding():
    ours, truth = pair()
    x, padding_mask = ragged([4, 2, 3], 2)
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(5), dtype=x.dtype)
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    (ours(mine, padding_mask) * weights).sum().backward()
    (truth(theirs[~padding_mask]) * weights[~padding_mask]).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)
    torch.testing.assert_close(ours.weight.grad, truth.weight.grad)
    torch.testing.assert_close(ours.bias.grad, truth.bias.grad)


@pytest.mark.parametrize("poison", [1e4, float("nan"), float("inf")])
@pytest.mark.parametrize("training", [True, False])
def test_what_stands_at_padding_changes_neither_output_nor_statistics(poison, training):
    clean, poisoned = pair()[0].train(training), pair()[0].train(training)
    x, padding_mask = ragged([4, 2], 1)
    dirty = x.masked_fill(padding_mask.unsqueeze(-1), poison)
    assert torch.equal(clean(x, padding_mask), poisoned(dirty, padding_mask))
    torch.testing.assert_close(clean.state_dict(), poisoned.state_dict(), rtol=0, atol=0)


def test_evaluation_leaves_the_statistics_alone():
    ours, _ = pair()
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    ours.eval()(*ragged([4, 2], 1))
    torch.testing.assert_close(ours.state_dict(), before, rtol=0, atol=0)


def test_a_single_valid_step_has_no_variance_to_track():
    ours, _ = pair()
    x, padding_mask = ragged([1], 3)
    out = ours(x, padding_mask)
    torch.testing.assert_close(out[0, 0], ours.bias)
    assert torch.equal(ours.running_var, torch.ones(CHANNELS, dtype=torch.float64))
    torch.testing.assert_close(ours.running_mean, 0.1 * x[0, 0])


def test_half_precision_is_summed_in_single():
    # 4000 steps of 30 ± 1: their sum is beyond float16, their variance beyond its digits.
    generator = torch.Generator().manual_seed(0)
    x = (30 + torch.randn(1, 4000, CHANNELS, generator=generator)).half()
    ours = MaskedBatchNorm(CHANNELS).half()
    out = ours(x, torch.zeros(1, 4000, dtype=torch.bool))
    assert out.dtype is torch.float16
    exact = x.double()
    expected = (exact - exact.mean(1)) / exact.var(1, correction=0).add(1e-5).sqrt()
    torch.testing.assert_close(out.double(), expected, rtol=2e-3, atol=2e-3)


def test_a_batch_of_nothing_but_padding_is_0_and_leaves_the_statistics_alone():
    ours, _ = pair()
    x = torch.randn(2, 3, CHANNELS, dtype=torch.float64, requires_grad=True)
    before = {name: each.clone() for name, each in ours.state_dict().items()}
    result = ours(x, torch.ones(2, 3, dtype=torch.bool))
    assert (result == 0).all()
    result.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(each.grad.isfinite().all() for each in ours.parameters())
    for name, each in ours.state_dict().items():
        assert torch.equal(each, before[name]), name


def test_a_channel_without_variance_has_finite_gradients():
    ours, _ = pair()
    x = torch.full((2, 3, CHANNELS), 4.0, dtype=torch.float64, requires_grad=True)
    ours(x, torch.zeros(2, 3, dtype=torch.bool)).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
