"""FastSpeech2Conformer of transformers in small sizes and float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import FastSpeech2ConformerConfig, FastSpeech2ConformerModel
from transformers.models.fastspeech2_conformer import modeling_fastspeech2_conformer

WIDTH, MELS, VOCAB = 8, 5, 12


def expanded(hidden: Tensor, durations: Tensor, speed: float = 1.0) -> Tensor:
    """Return what the reference's length regulator returns, which is float32 whatever it gets."""
    rows = zip(hidden, durations, strict=True)
    return pad_sequence([torch.repeat_interleave(*row, dim=0) for row in rows], True)


def in_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference compute in float64 throughout, but for the durations that it learns."""
    monkeypatch.setattr(modeling_fastspeech2_conformer, "length_regulator", expanded)


def learns_in_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference take the logarithms of true durations in float64 too."""
    monkeypatch.setattr(Tensor, "float", lambda tensor: tensor.double())


def theirs(**settings: Any) -> Any:
    layers: dict[str, Any] = {"layers": 2, "num_attention_heads": 2, "linear_units": 12}
    none: dict[str, Any] = {
        f"{each}_rate": 0.0
        for side in ("encoder", "decoder")
        for each in (f"{side}_dropout", f"{side}_positional_dropout", f"{side}_attention_dropout")
    }
    predictors: dict[str, Any] = {
        f"{each}_predictor_{setting}": value
        for each in ("duration", "energy", "pitch")
        for setting, value in (("channels", 6), ("layers", 2), ("kernel_size", 3))
    }
    small = {
        "hidden_size": WIDTH,
        "num_mel_bins": MELS,
        "vocab_size": VOCAB,
        "encoder_kernel_size": 3,
        "decoder_kernel_size": 5,
        "speech_decoder_postnet_units": 6,
        "speech_decoder_postnet_layers": 3,
        "speech_decoder_postnet_dropout": 0.0,
        "duration_predictor_dropout_rate": 0.0,
        "energy_predictor_dropout": 0.0,
        "pitch_predictor_dropout": 0.0,
        **{
            f"{side}_{name}": each
            for side in ("encoder", "decoder")
            for name, each in layers.items()
        },
        **none,
        **predictors,
        **settings,
    }
    model: Any = FastSpeech2ConformerModel(FastSpeech2ConformerConfig(**small)).double()
    for side in (model.encoder, model.decoder):
        side.pos_enc.pos_enc = distances_by_numpy(side.pos_enc.max_len)
    return model


def distances_by_numpy(steps: int) -> Tensor:
    """Return the reference's table in float64, which it computes in float32."""
    distance = np.arange(steps - 1, -steps, -1)[:, None]
    angles = distance * np.exp(np.arange(0, WIDTH, 2) * -(np.log(10000.0) / WIDTH))
    table = np.empty((2 * steps - 1, WIDTH))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return torch.from_numpy(table).unsqueeze(0)
