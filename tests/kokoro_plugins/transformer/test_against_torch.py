"""The transformer stacks against torch's own layers with the same weights."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.nn.attention import MultiheadAttention
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.transformer.decoder import TransformerDecoder
from kokoro_plugins.transformer.encoder import TransformerEncoder
from kokoro_plugins.transformer.layers import DecoderLayer, EncoderLayer, LayerSettings
from kokoro_plugins.transformer.parallel_decoder import ParallelTransformerDecoder

DIM, HEADS, FF, MELS, LAYERS = 16, 4, 24, 5, 3
Norm = Literal["pre", "post"]
LENGTHS = torch.tensor([4, 7, 1])
MASK = padding_mask_from_lengths(LENGTHS, 7)


def settings(norm: Norm) -> LayerSettings:
    return LayerSettings(hidden_dim=DIM, num_heads=HEADS, ff_dim=FF, dropout=0.0, norm=norm)


def copy_attention(ours: MultiheadAttention, theirs: nn.MultiheadAttention) -> None:
    theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
    theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
    theirs.out_proj.load_state_dict(ours.out.state_dict())


def encoder_layer(ours: nn.Module, norm: Norm) -> nn.TransformerEncoderLayer:
    assert isinstance(ours, EncoderLayer)
    theirs = nn.TransformerEncoderLayer(
        DIM, HEADS, FF, 0.0, batch_first=True, norm_first=norm == "pre"
    ).double()
    with torch.no_grad():
        copy_attention(ours.self_attention, theirs.self_attn)
    theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward[-1].state_dict())
    theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
    theirs.norm2.load_state_dict(ours.feed_forward_norm.state_dict())
    return theirs


def decoder_layer(ours: nn.Module, norm: Norm) -> nn.TransformerDecoderLayer:
    assert isinstance(ours, DecoderLayer)
    theirs = nn.TransformerDecoderLayer(
        DIM, HEADS, FF, 0.0, batch_first=True, norm_first=norm == "pre"
    ).double()
    with torch.no_grad():
        copy_attention(ours.self_attention, theirs.self_attn)
        copy_attention(ours.cross_attention, theirs.multihead_attn)
    theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward[-1].state_dict())
    theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
    theirs.norm2.load_state_dict(ours.cross_norm.state_dict())
    theirs.norm3.load_state_dict(ours.feed_forward_norm.state_dict())
    return theirs


def shake(module: nn.Module) -> None:
    """Move every parameter away from where it starts, so that biases and norms count too."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)


def assert_equal_where_valid(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found[~MASK], expected[~MASK], atol=1e-9, rtol=0)
    assert (found[MASK] == 0).all()


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_encoder_is_torchs_over_scaled_embeddings(norm: Norm) -> None:
    ours = TransformerEncoder(
        vocab_size=9,
        num_layers=LAYERS,
        layer=settings(norm),
        positional_encoding=PositionalEncoding(),
    ).double()
    shake(ours)
    indices = torch.randint(1, 9, (3, 7))
    x = ours.embedding(indices) * DIM**0.5
    for layer in ours.layers:
        x = encoder_layer(layer, norm)(x, src_key_padding_mask=MASK)
    assert_equal_where_valid(ours(indices, MASK), ours.norm(x))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_parallel_decoder_is_torchs_encoder_over_the_memory(norm: Norm) -> None:
    ours = ParallelTransformerDecoder(
        mel_dim=MELS,
        num_layers=LAYERS,
        layer=settings(norm),
        positional_encoding=PositionalEncoding(),
    ).double()
    shake(ours)
    memory = torch.randn(3, 7, DIM, dtype=torch.float64)
    x = memory
    for layer in ours.layers:
        x = encoder_layer(layer, norm)(x, src_key_padding_mask=MASK)
    expected = ours.mel_out(ours.norm(x))
    assert_equal_where_valid(ours.infer(memory, MASK).mel, expected)
    assert_equal_where_valid(ours(memory, MASK, torch.zeros(3, 7, MELS), MASK).mel, expected)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("add_memory", [True, False])
def test_the_decoder_is_torchs_over_shifted_frames(norm: Norm, add_memory: bool) -> None:
    ours = TransformerDecoder(
        mel_dim=MELS,
        num_layers=LAYERS,
        layer=settings(norm),
        positional_encoding=PositionalEncoding(),
        add_memory=add_memory,
    ).double()
    shake(ours)
    memory = torch.randn(3, 7, DIM, dtype=torch.float64)
    mel = torch.randn(3, 7, MELS, dtype=torch.float64)
    shifted = torch.cat([torch.zeros_like(mel[:, :1]), mel[:, :-1]], 1)
    x = ours.frame_in(shifted) + (memory if add_memory else 0)
    above = torch.ones(7, 7, dtype=torch.bool).triu(1)
    for layer in ours.layers:
        x = decoder_layer(layer, norm)(x, memory, tgt_mask=above, memory_key_padding_mask=MASK)
    x = ours.norm(x)
    found = ours(memory, MASK, mel, MASK)
    assert_equal_where_valid(found.mel, ours.mel_out(x))
    assert found.stop_logits is not None
    assert_equal_where_valid(found.stop_logits, ours.stop_out(x).squeeze(-1))
