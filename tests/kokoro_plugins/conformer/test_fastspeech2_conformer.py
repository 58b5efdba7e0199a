"""FastSpeech2Conformer of transformers, weight by weight: forward, losses, gradients, speaking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from transformers import FastSpeech2ConformerConfig, FastSpeech2ConformerModel

from kokoro_core import KokoroModel, assemble, load_spec
from kokoro_core.testing import check_component
from kokoro_plugins.conformer.importer import published_name
from kokoro_plugins.conformer.params import ConformerEncoderParams, ParallelConformerParams
from tests.kokoro_plugins.conformer.reference import (
    MELS,
    VOCAB,
    WIDTH,
    in_double,
    learns_in_double,
    theirs,
)


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the reference compute in float64 throughout."""
    in_double(monkeypatch)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def ours(reference: nn.Module) -> KokoroModel:
    layers = {"num_layers": 2, "num_heads": 2, "ff_dim": 12, "dropout": 0.0, "norm": "post"}
    curve = {"type": "variance", "reads": "encoder", "channels": 6, "num_layers": 2, "dropout": 0.0}
    spec = {
        "vocab_size": VOCAB,
        "mel_dim": MELS,
        "hidden_dim": WIDTH,
        "encoder": {"type": "conformer", **layers, "kernel_size": 3},
        "duration_predictor": {"type": "conv", "channels": 6, "dropout": 0.0},
        "token_adaptors": {"energy": curve, "pitch": {**curve, "stop_gradient": True}},
        "regulator": {"type": "repeat"},
        "decoder": {"type": "parallel_conformer", **layers, "kernel_size": 5},
        "postnet": {"type": "conv", "channels": 6, "num_layers": 3, "bias": False, "dropout": 0.0},
        "generation": {"min_frames": 0},
    }
    model = KokoroModel.from_spec(spec)
    weights = dict(reference.named_parameters())
    with torch.no_grad():
        for each in weights.values():
            nn.init.normal_(each, std=0.4)
        for name, parameter in model.acoustic.named_parameters():
            parameter.copy_(weights.pop(published_name(name)))
    assert not weights
    return model.double()


INDICES = torch.tensor([[3, 4, 5, 6, 7]])
DURATIONS = torch.tensor([[2, 1, 3, 2, 3]])


def test_a_training_step_is_the_references_to_the_gradient_of_every_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learns_in_double(monkeypatch)
    torch.manual_seed(0)
    reference = theirs().train()
    model = ours(reference).train()
    mel, pitch, energy = torch.randn(1, 11, MELS), torch.randn(1, 5), torch.randn(1, 5)
    wanted = reference(
        INDICES,
        spectrogram_labels=mel,
        duration_labels=DURATIONS,
        pitch_labels=pitch.unsqueeze(2),
        energy_labels=energy.unsqueeze(2),
    )
    output = model(INDICES, mel, DURATIONS, pitch=pitch, energy=energy)
    close(output.mel, wanted.spectrogram)
    close(output.duration_pred, wanted.duration_outputs)
    close(output.predictions["pitch"], wanted.pitch_outputs.squeeze(2))
    close(output.predictions["energy"], wanted.energy_outputs.squeeze(2))
    assert set(output.losses) == {
        *("mel_l1", "mel_l1_coarse", "duration", "pitch.prediction", "energy.prediction")
    }
    close(output.losses["mel_l1"], (wanted.spectrogram - mel).abs().mean())
    durations = (wanted.duration_outputs - DURATIONS.double().log1p()).square().mean()
    close(output.losses["duration"], durations)
    for name, true in (("pitch", pitch), ("energy", energy)):
        error = wanted[f"{name}_outputs"].squeeze(2) - true
        close(output.losses[f"{name}.prediction"], error.square().mean())
    close(output.loss, wanted.loss)
    output.loss.backward()
    wanted.loss.backward()
    gradients = {name: each.grad for name, each in reference.named_parameters()}
    for name, parameter in model.acoustic.named_parameters():
        if parameter.grad is None:  # a bias that batch normalisation takes away, say
            assert gradients[published_name(name)] is None
        else:
            close(parameter.grad, gradients[published_name(name)])


def close(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def test_it_speaks_as_the_reference_with_lengths_and_curves_of_its_own() -> None:
    torch.manual_seed(1)
    reference = theirs()
    model = ours(reference).eval()
    with torch.no_grad():
        bias = reference.get_parameter("duration_predictor.linear.bias").fill_(1.2)
        model.acoustic.get_parameter("duration_predictor.out.bias").copy_(bias)
    for count in (1, 3, 5):
        wanted = reference.eval()(INDICES[:, :count])
        spoken = model.generate(INDICES[:, :count])
        assert spoken.lengths.tolist() == [wanted.spectrogram.shape[1]]
        close(spoken.mel, wanted.spectrogram)


def test_the_published_settings_have_the_published_number_of_parameters() -> None:
    published = assemble(load_spec("fastspeech2-conformer"), device="meta")
    assert sum(each.numel() for each in published.parameters()) == 70_262_259
    with torch.device("meta"):
        reference = FastSpeech2ConformerModel(FastSpeech2ConformerConfig())
    assert sum(each.numel() for each in reference.parameters()) == 70_262_259


def test_a_row_of_the_encoder_is_the_same_alone_and_in_a_batch() -> None:
    torch.manual_seed(0)
    encoder = ours(theirs()).eval().acoustic.encoder
    indices = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 10, 0, 0]])
    both = encoder(indices, indices == 0)
    alone = encoder(indices[1:, :3], indices[1:, :3] == 0)
    close(both[1, :3], alone[0])
    assert not both[1, 3:].any()


def test_a_conformer_encoder_goes_with_an_autoregressive_decoder() -> None:
    torch.set_default_dtype(torch.float32)
    transformer = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8}
    spec = {
        **{"vocab_size": VOCAB, "mel_dim": MELS, "hidden_dim": WIDTH},
        "encoder": {"type": "conformer", "num_layers": 1, "ff_dim": 8},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "gaussian"},
        "decoder": transformer,
    }
    model = KokoroModel.from_spec(spec)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        output = model(INDICES, torch.ones(1, 11, MELS), DURATIONS)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < losses[0]
    assert model.eval().generate(INDICES, stop_threshold=1.0).mel.isfinite().all()


@pytest.mark.parametrize("params", [ConformerEncoderParams, ParallelConformerParams])
def test_the_kit_finds_nothing(params: Any) -> None:
    torch.set_default_dtype(torch.float32)
    settings = {"num_layers": 1, "ff_dim": 8, "kernel_size": 3}
    report = check_component(params(**settings), level="fast")
    assert not [str(each) for each in report.results if each.status == "failed"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"encoder.num_heads": 5}, "5 heads do not divide the width 384"),
        ({"encoder.ff_kernel_size": 4}, "must be odd to have a middle, not 4"),
        ({"hidden_dim": 385, "encoder.num_heads": 5, "decoder.num_heads": 5}, "must be even"),
    ],
)
def test_settings_that_do_not_fit_are_named(override: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_spec("fastspeech2-conformer", overrides=override)
