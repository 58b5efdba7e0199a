import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from kokoro_core.params.sizes import Sizes
from kokoro_plugins.tacotron.params import ConvPostnetParams


def build(mel_dim, **settings_of_it):
    torch.manual_seed(0)
    sizes = Sizes(vocab_size=63, pad_id=0, mel_dim=mel_dim, hidden_dim=16)
    return ConvPostnetParams(**settings_of_it).build(sizes)


def small(**kwargs):
    """Return a tiny postnet whose normalisation is not the neutral one."""
    module = build(3, **{"channels": 4, "dropout": 0.0, **kwargs}).double()
    generator = torch.Generator().manual_seed(1)
    for name, value in module.state_dict().items():
        if "norms" in name and value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator, dtype=value.dtype) + 0.5)
    return module


def published(module):
    """Return the postnet as NVIDIA/tacotron2 stacks it, (B, M, T) -> (B, M, T), same weights."""
    layers = []
    for index, (conv, norm) in enumerate(zip(module.convs, module.norms, strict=True)):
        truth = nn.BatchNorm1d(norm.weight.shape[0]).double()
        truth.load_state_dict(norm.state_dict())
        layers += [conv.conv, truth]
        if index < len(module.convs) - 1:
            layers.append(nn.Tanh())
    return nn.Sequential(*layers)


def ragged(lengths, extra=0, mel_dim=3):
    width = max(lengths) + extra
    generator = torch.Generator().manual_seed(width)
    mel = torch.randn(len(lengths), width, mel_dim, generator=generator, dtype=torch.float64)
    return mel, torch.arange(width) >= torch.tensor(lengths)[:, None]


def test_the_default_has_the_parameters_of_the_published_one():
    assert sum(each.numel() for each in build(80).parameters()) == 4_348_144


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=3),
    extra=st.integers(0, 3),
    num_layers=st.integers(2, 5),
    kernel_size=st.sampled_from([1, 3, 5]),
)
@example(lengths=[1], extra=0, num_layers=5, kernel_size=5)
def test_each_row_is_what_the_published_postnet_gives_for_it_alone(
    lengths, extra, num_layers, kernel_size
):
    module = small(num_layers=num_layers, kernel_size=kernel_size).eval()
    truth = published(module).eval()
    mel, padding_mask = ragged(lengths, extra)
    with torch.no_grad():
        refined = module(mel, padding_mask)
        assert bool((refined[padding_mask] == 0).all())
        for row, length in enumerate(lengths):
            alone = mel[row : row + 1, :length]
            expected = alone + truth(alone.transpose(1, 2)).transpose(1, 2)
            torch.testing.assert_close(refined[row, :length], expected[0], rtol=1e-9, atol=1e-9)


def test_training_normalises_as_the_published_postnet_does_without_padding():
    module = small()
    truth = published(module)
    mel, padding_mask = ragged([5, 5])
    expected = mel + truth(mel.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(module(mel, padding_mask), expected)
    for ours, theirs in zip(module.norms, truth[1::3], strict=True):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("poison", [0.0, 1e4, float("nan")])
@pytest.mark.parametrize("extra", [0, 4])
def test_padding_changes_nothing_in_training_either(poison, extra):
    lengths = [5, 2]
    one, other = small(), small()
    mel, padding_mask = ragged(lengths)
    longer = nn.functional.pad(mel, (0, 0, 0, extra))
    longer_mask = torch.arange(5 + extra) >= torch.tensor(lengths)[:, None]
    longer = longer.masked_fill(longer_mask.unsqueeze(-1), poison)
    torch.testing.assert_close(
        other(longer, longer_mask)[:, :5], one(mel, padding_mask), rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("settings_of_it", "context"),
    [({}, 10), ({"num_layers": 3}, 6), ({"kernel_size": 3}, 5), ({"kernel_size": 1}, 0)],
)
def test_a_frame_depends_on_its_context_and_on_nothing_beyond(settings_of_it, context):
    module = small(**settings_of_it).eval()
    assert module.context == context
    mel = torch.randn(1, 31, 3, dtype=torch.float64, requires_grad=True)
    module(mel, torch.zeros(1, 31, dtype=torch.bool))[0, 15].sum().backward()
    assert mel.grad is not None
    reached = mel.grad[0].abs().sum(1) > 0
    assert reached.nonzero().flatten().tolist() == list(range(15 - context, 16 + context))


def test_it_says_that_training_couples_its_rows():
    assert small().couples_rows


def test_dropout_is_drawn_in_training_alone():
    module = small(dropout=0.5)
    mel, padding_mask = ragged([4])
    assert not torch.equal(module(mel, padding_mask), module(mel, padding_mask))
    module.eval()
    assert torch.equal(module(mel, padding_mask), module(mel, padding_mask))


@pytest.mark.parametrize(
    ("settings_of_it", "message"),
    [
        ({"kernel_size": 2}, "must be odd to have a middle, not 2; 5 is Tacotron 2's"),
        ({"num_layers": 1}, "greater than or equal to 2"),
        ({"dropout": 1.0}, "less than 1"),
    ],
)
def test_settings_without_sense_are_refused(settings_of_it, message):
    with pytest.raises(ValidationError, match=message):
        ConvPostnetParams(**settings_of_it)
