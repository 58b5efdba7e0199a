"""The modules of the spec ``default``, built and loaded by hand: what assembling is held to."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file
from torch import nn

from kokoro_plugins.bench.sizes import ModelSize


@final
class Positions(nn.Module):
    """A table of sinusoids, by the formula (Vaswani et al., 2017, section 3.5)."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        even = torch.arange(0, size.hidden_dim, 2, device="cpu")
        angles = torch.arange(size.max_len, device="cpu")[:, None] * torch.exp(
            even * (-math.log(10000.0) / size.hidden_dim)
        )
        table = torch.empty(size.max_len, size.hidden_dim, device="cpu")
        table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
        self.register_buffer("table", table, persistent=False)


def build(size: ModelSize) -> nn.Module:
    """Return a tree of torch's modules with the names of ours; on meta inside such a device.

    Attention is drawn as ours is (Glorot and Bengio, 2010), everything else as torch does it.
    """
    width = size.hidden_dim
    embedding = nn.Embedding(size.vocab_size, width)
    nn.init.normal_(embedding.weight, std=1 / math.sqrt(width))
    encoder = nn.ModuleDict({"embedding": embedding})
    decoder = nn.ModuleDict(
        {
            "frame_in": nn.Linear(size.mel_dim, width),
            "mel_out": nn.Linear(width, size.mel_dim),
            "stop_out": nn.Linear(width, 1),
        }
    )
    for stack, attentions in ((encoder, ["self"]), (decoder, ["self", "cross"])):
        layers = [_layer(size, attentions) for _ in range(size.num_layers)]
        stack["layers"] = nn.ModuleList(layers)
        stack["positions"] = Positions(size)
        stack["norm"] = nn.LayerNorm(width)
    predictor = nn.ModuleDict({"layers": _predictor(width)})
    return nn.ModuleDict({"encoder": encoder, "duration_predictor": predictor, "decoder": decoder})


def load(path: Path, size: ModelSize) -> nn.Module:
    """Return the same with the weights of a file, which are mapped and not read."""
    with torch.device("meta"):
        model = build(size)
    model.load_state_dict(load_file(path), assign=True)
    return model.eval()


def _predictor(width: int) -> nn.Module:
    widths = (width, width, width // 2)
    hidden = [(nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.1)) for a, b in pairwise(widths)]
    return nn.Sequential(*(each for layer in hidden for each in layer), nn.Linear(width // 2, 1))


def _layer(size: ModelSize, attentions: list[str]) -> nn.Module:
    width, ff_dim = size.hidden_dim, size.ff_dim
    parts: dict[str, nn.Module] = {f"{each}_attention": _attention(width) for each in attentions}
    norms = ["attention", *(["cross"] if "cross" in attentions else []), "feed_forward"]
    parts |= {f"{each}_norm": nn.LayerNorm(width) for each in norms}
    parts["feed_forward"] = nn.Sequential(
        nn.Linear(width, ff_dim), nn.ReLU(), nn.Dropout(0.1), nn.Linear(ff_dim, width)
    )
    parts["dropout"] = nn.Dropout(0.1)
    return nn.ModuleDict(parts)


def _attention(width: int) -> nn.Module:
    query, key_value, out = (nn.Linear(width, times * width) for times in (1, 2, 1))
    for weight in (query.weight, *key_value.weight.chunk(2), out.weight):
        nn.init.xavier_uniform_(weight)
    for layer in (query, key_value, out):
        nn.init.zeros_(layer.bias)
    return nn.ModuleDict({"query": query, "key_value": key_value, "out": out})
