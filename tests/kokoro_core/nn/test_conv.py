import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.params.sizes import conv1d


def same_convolution(x, weight, bias, dilation):
    """Convolve one row (T, C) in numpy: out[t] = bias + sum of weight[:, :, k] @ x[t + offset]."""
    num_out, _, width = weight.shape
    out = np.tile(bias, (len(x), 1)).astype(np.float64)
    for t in range(len(x)):
        for k in range(width):
            source = t + (k - width // 2) * dilation
            if 0 <= source < len(x):
                out[t] += weight[:, :, k] @ x[source]
    assert out.shape == (len(x), num_out)
    return out


def random_batch(lengths, channels, extra=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths) + extra
    x = torch.randn(len(lengths), width, channels, generator=generator, dtype=torch.float64)
    padding_mask = torch.arange(width) >= torch.tensor(lengths)[:, None]
    return x, padding_mask


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    extra=st.integers(0, 3),
    kernel_size=st.sampled_from([1, 3, 5]),
    dilation=st.integers(1, 3),
)
@example(lengths=[1], extra=0, kernel_size=5, dilation=3)
def test_each_row_is_the_convolution_of_its_valid_steps(lengths, extra, kernel_size, dilation):
    torch.manual_seed(1)
    conv = MaskedConv1d(3, 4, kernel_size, dilation=dilation).double()
    x, padding_mask = random_batch(lengths, 3, extra)
    out = conv(x, padding_mask).detach().numpy()
    assert conv.conv.bias is not None
    weight, bias = conv.conv.weight.detach().numpy(), conv.conv.bias.detach().numpy()
    for row, length in enumerate(lengths):
        expected = same_convolution(x[row, :length].numpy(), weight, bias, dilation)
        np.testing.assert_allclose(out[row, :length], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("poison", [1e4, float("nan"), float("inf")])
def test_what_stands_at_padding_reaches_nothing(poison):
    conv = MaskedConv1d(3, 4, 5).double()
    x, padding_mask = random_batch([2, 5], 3, extra=2)
    poisoned = x.masked_fill(padding_mask.unsqueeze(-1), poison)
    assert torch.equal(conv(poisoned, padding_mask), conv(x, padding_mask))


def test_the_gradient_at_padding_is_exactly_zero_even_if_it_holds_nan():
    conv = MaskedConv1d(3, 4, 3).double()
    x, padding_mask = random_batch([2, 4], 3)
    x = x.masked_fill(padding_mask.unsqueeze(-1), float("nan")).requires_grad_()
    conv(x, padding_mask).sum().backward()
    assert torch.equal(x.grad[padding_mask], torch.zeros(2, 3, dtype=torch.float64))
    assert bool((x.grad[~padding_mask] != 0).all())
    assert conv.conv.weight.grad is not None
    assert bool(conv.conv.weight.grad.isfinite().all())


def test_an_even_kernel_is_refused_because_it_has_no_middle():
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd .*, not 4; take 5"):
        MaskedConv1d(3, 4, 4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("channels", "out", "groups"), [(4, 4, 4), (4, 8, 2), (6, 3, 3), (2, 2, 1)]
)
@pytest.mark.parametrize("dilation", [1, 2])
def test_groups_and_no_bias_are_torch_s_on_each_row_alone(channels, out, groups, bias, dilation):
    torch.manual_seed(2)
    conv = MaskedConv1d(channels, out, 3, dilation=dilation, groups=groups, bias=bias).double()
    x, padding_mask = random_batch([1, 6, 4], channels, extra=2)
    convolved = conv(x, padding_mask)
    assert (conv.conv.bias is None) is not bias
    for row, length in enumerate([1, 6, 4]):
        # each group by itself, by a convolution that has no groups
        parts = x[row, :length].T.chunk(groups)
        weights = conv.conv.weight.chunk(groups)
        biases = [None] * groups if conv.conv.bias is None else conv.conv.bias.chunk(groups)
        expected = torch.cat(
            [
                torch.nn.functional.conv1d(part, weight, own, padding=dilation, dilation=dilation)
                for part, weight, own in zip(parts, weights, biases, strict=True)
            ]
        ).T
        torch.testing.assert_close(convolved[row, :length], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "out", "groups"), [(4, 4, 3), (4, 6, 4), (4, 4, 0)])
def test_groups_that_do_not_divide_the_channels_are_refused(channels, out, groups):
    with pytest.raises(
        ValueError, match=rf"must divide {channels} and {out} channels, not be {groups}"
    ):
        MaskedConv1d(channels, out, 3, groups=groups)


@pytest.mark.parametrize(("groups", "bias"), [(1, True), (2, True), (4, False)])
def test_the_size_of_a_convolution_counts_groups_and_bias(groups, bias):
    conv = torch.nn.Conv1d(4, 8, 5, groups=groups, bias=bias)
    counted = conv1d(4, 8, 5, groups=groups, bias=bias).parameters
    assert counted == sum(each.numel() for each in conv.parameters())


def test_no_steps_give_no_steps():
    layer = MaskedConv1d(3, 5, 7)
    result = layer(torch.zeros(2, 0, 3), torch.zeros(2, 0, dtype=torch.bool))
    assert result.shape == (2, 0, 5)
