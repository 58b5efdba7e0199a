"""VITS of transformers at a small size in float64, and whose weight is whose."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers import VitsConfig

from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.vits.importer import published_names

WIDTH, CHANNELS, VOCAB = 8, 6, 12

LENGTHS = torch.tensor([7, 3, 5])
MASK = torch.arange(7) >= LENGTHS.unsqueeze(1)

PLACES = {
    "": ("encoder.", "text_encoder."),
    "conv_proj": ("duration_predictor.", "duration_predictor."),
    "conv_post": ("decoder.flow.", "flow."),
}
"""Where a part stands in our model and in theirs, by what theirs calls `out`."""


def small() -> Any:
    """Return the configuration; nothing drops."""
    places = ("hidden", "attention", "activation", "duration_predictor", "wavenet")
    others: dict[str, Any] = {f"{each}_dropout": 0.0 for each in places}
    others["attn_implementation"] = "eager"
    return VitsConfig(
        vocab_size=VOCAB,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        window_size=2,
        ffn_dim=12,
        flow_size=CHANNELS,
        layerdrop=0.0,
        depth_separable_num_layers=2,
        duration_predictor_flow_bins=5,
        duration_predictor_tail_bound=2.0,
        duration_predictor_num_flows=3,
        prior_encoder_num_flows=3,
        prior_encoder_num_wavenet_layers=2,
        wavenet_dilation_rate=2,
        **others,
    )


def theirs(name: str, tensors: dict[str, Tensor], out: str) -> Tensor:
    """Return the reference's tensor that belongs to one of ours; `out` is theirs for `out`.

    Ours holds keys and values in one matrix, and a convolution over one step as a matrix.
    """
    here, there = PLACES[out]
    names = [each.removeprefix(there) for each in published_names(here + name)]
    return torch.cat([tensors.pop(each) for each in names]) if names[1:] else tensors.pop(names[0])


def copied(ours: nn.Module, reference: nn.Module, out: str) -> nn.Module:
    """Draw the reference's weights, copy them to ours in float64, and return ours."""
    reference.double()
    weights: dict[str, Tensor] = dict(reference.named_parameters())
    with torch.no_grad():
        for each in weights.values():
            nn.init.normal_(each, std=0.4)
        ours.double()
        for name, parameter in ours.named_parameters():
            parameter.copy_(theirs(name, weights, out).view_as(parameter))
    assert not weights
    return ours


def same_gradients(ours: nn.Module, reference: nn.Module, out: str) -> int:
    """Compare the gradient of every parameter, and return how many there are."""
    gradients = {
        name: torch.zeros_like(each) if each.grad is None else each.grad
        for name, each in reference.named_parameters()
    }
    count = 0
    for name, parameter in ours.named_parameters():
        wanted = theirs(name, gradients, out).view_as(parameter)
        close(torch.zeros_like(wanted) if parameter.grad is None else parameter.grad, wanted)
        count += 1
    return count


def close(found: Any, wanted: Any) -> None:
    """Compare to 1e-9, relative and absolute."""
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def valid(mask: Tensor) -> Tensor:
    """Return the reference's mask, (B, 1, N), 1 where there is something."""
    return (~mask).double().unsqueeze(1)


def drawing(noise: RowNoise, steps: int, channels: int) -> AbstractContextManager[Any]:
    """Let the reference draw what our noise draws next, (B, N, C), as (B, C, N)."""
    like = torch.zeros((), dtype=torch.float64)
    drawn = noise.normal(steps, channels, like=like).transpose(1, 2)
    return patch.object(torch, "randn", lambda *shape: drawn.reshape(shape))
