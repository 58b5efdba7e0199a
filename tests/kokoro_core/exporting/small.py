"""Small models that export in about two seconds."""

from __future__ import annotations

from typing import Any

import torch

from kokoro_core import KokoroModel

NARROW: dict[str, Any] = {
    "hidden_dim": 16,
    **{
        f"{stack}.{setting}": value
        for stack in ("encoder", "decoder")
        for setting, value in (("num_layers", 1), ("num_heads", 2), ("ff_dim", 16))
    },
}


def small_model(spec: str = "parallel", **overrides: Any) -> KokoroModel:
    """Return a model with other weights than those it begins with, phonemes of several frames."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec(spec, overrides=overrides).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def long_phonemes(model: KokoroModel) -> KokoroModel:
    """Return a model whose predicted phonemes last about three frames."""
    *_, bias = model.acoustic.duration_predictor.parameters()  # type: ignore[union-attr]
    bias += 1.4
    return model


def small_parallel(**overrides: Any) -> KokoroModel:
    """Return a parallel model of one layer a stack."""
    return long_phonemes(small_model("parallel", **{**NARROW, **overrides}))
