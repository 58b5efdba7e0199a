"""The keywords of the original model's call, as settings of the named spec ``default``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kokoro_core.spec.tree.model_spec import ModelSpec


def legacy_settings(
    *,
    hidden_dim: int,
    layers: Mapping[str, int],
    ff_dims: Mapping[str, int],
    num_heads: int,
    dropout: float,
    max_len: int,
    segments: int | None,
) -> dict[str, Any]:
    """Return the settings of width and depth as overrides, by dotted paths.

    Args:
        hidden_dim: Width.
        layers: Of encoder and decoder.
        ff_dims: Widths of their feed-forward blocks.
        num_heads: Attention heads of both.
        dropout: Of both and of the duration predictor.
        max_len: Longest sequence of phonemes or frames.
        segments: Of gradient checkpointing; None: off.
    """
    settings: dict[str, Any] = {
        "hidden_dim": hidden_dim,
        "duration_predictor.dropout": dropout,
        "gradient_checkpointing": None if segments is None else {"segments": segments},
    }
    for stack in ("encoder", "decoder"):
        settings |= {
            f"{stack}.num_layers": layers[stack],
            f"{stack}.ff_dim": ff_dims[stack],
            f"{stack}.num_heads": num_heads,
            f"{stack}.dropout": dropout,
            f"{stack}.positional_encoding.max_len": max_len,
        }
    return settings


def legacy_ends(usual: ModelSpec, vocab_size: int, mel_dim: int) -> dict[str, Any]:
    """Return the settings at the model's two ends, without what would no longer fit there.

    Args:
        usual: The spec that they change.
        vocab_size: Phonemes; with another number than usual there is no frontend.
        mel_dim: Mel channels; with another number there are no audio settings and no vocoder.
    """
    ends: dict[str, Any] = {"vocab_size": vocab_size, "mel_dim": mel_dim}
    if mel_dim != usual.mel_dim:
        ends |= {"audio": None, "vocoder": None}
    if vocab_size != usual.vocab_size:
        ends["frontend"] = None
    return ends
