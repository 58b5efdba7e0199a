"""FastSpeech2Conformer as a stranger's package: short, on public names, and exact.

The package has what the box has not for it: the encoder and the decoder. Pitch, energy, durations
and postnet are the box's components, named by the spec.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kokoro_core import KokoroModel
from kokoro_core.testing import check_component
from kokoro_plugins.conformer.importer import published_name
from registry import ComponentRegistry, Plugins, Registration, installed_plugins
from tests.kokoro_plugins.conformer.reference import (
    MELS,
    VOCAB,
    WIDTH,
    in_double,
    learns_in_double,
    theirs,
)
from tests.packaging.acme_fastspeech2.plugin import (
    AcmeDecoderParams,
    AcmeEncoderParams,
    kokoro_components,
)
from tests.repository.test_public_names import imported, is_public

PACKAGE = Path(__file__).with_name("acme_fastspeech2")
FILES = sorted(PACKAGE.glob("*.py"))
INDICES = torch.tensor([[3, 4, 5, 6, 7]])
DURATIONS = torch.tensor([[2, 1, 3, 2, 3]])


def plugins() -> Plugins:
    ours = installed_plugins()
    own = [Registration(each, "acme", "acme-fastspeech2", "1") for each in kokoro_components()]
    return replace(ours, components=ComponentRegistry([*ours.components, *own]))


def document() -> dict[str, Any]:
    layers = {"num_layers": 2, "ff_dim": 12, "dropout": 0.0}
    curve = {"type": "variance", "reads": "encoder", "channels": 6, "num_layers": 2, "dropout": 0.0}
    return {
        "vocab_size": VOCAB,
        "mel_dim": MELS,
        "hidden_dim": WIDTH,
        "encoder": {"type": "acme_conformer", **layers, "kernel_size": 3},
        "duration_predictor": {"type": "conv", "channels": 6, "dropout": 0.0},
        "token_adaptors": {"energy": curve, "pitch": {**curve, "stop_gradient": True}},
        "regulator": {"type": "repeat"},
        "decoder": {"type": "acme_conformer", **layers, "kernel_size": 5},
        "postnet": {"type": "conv", "channels": 6, "num_layers": 3, "bias": False, "dropout": 0.0},
        "generation": {"min_frames": 0},
    }


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the reference compute in float64 throughout."""
    in_double(monkeypatch)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def with_weights_of(reference: nn.Module) -> KokoroModel:
    model = KokoroModel.from_spec(document(), plugins=plugins()).double()
    weights = dict(reference.named_parameters())
    with torch.no_grad():
        for each in weights.values():
            nn.init.normal_(each, std=0.4)
        for name, parameter in model.acoustic.named_parameters():
            parameter.copy_(weights.pop(name_in_transformers(name)))
    assert not weights
    return model


def name_in_transformers(name: str) -> str:
    name = name.replace(".conformer.conformer_layers.", ".conformer_layers.")
    if "conformer_layers" in name:
        return name.replace(".conv.", ".")
    return published_name(name.replace("decoder.feat_out", "decoder.out"))


def close(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def test_the_package_has_at_most_350_lines_and_slices_no_hidden_vectors() -> None:
    texts = [file.read_text(encoding="utf-8") for file in FILES]
    assert sum(len(text.splitlines()) for text in texts) <= 350
    sliced = [
        ast.unparse(node)
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Subscript) and ast.unparse(node).startswith(("hidden[", "memory["))
    ]
    assert not sliced


@pytest.mark.parametrize("file", FILES, ids=lambda each: each.stem)
def test_the_package_imports_public_names_alone(file: Path) -> None:
    for module, name in imported(file.read_text(encoding="utf-8")):
        assert is_public(module, name), f"`{module}.{name}` is not public"


@pytest.mark.usefixtures("double")
def test_losses_and_gradients_are_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    learns_in_double(monkeypatch)
    torch.manual_seed(0)
    reference = theirs().train()
    model = with_weights_of(reference).train()
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
    close(output.loss, wanted.loss)
    output.loss.backward()
    wanted.loss.backward()
    gradients = {name: each.grad for name, each in reference.named_parameters()}
    for name, parameter in model.acoustic.named_parameters():
        theirs_ = gradients[name_in_transformers(name)]
        if parameter.grad is None:  # a bias that batch normalisation takes away
            assert theirs_ is None
        else:
            close(parameter.grad, theirs_)


@pytest.mark.usefixtures("double")
def test_it_speaks_as_the_reference() -> None:
    torch.manual_seed(1)
    reference = theirs().eval()
    model = with_weights_of(reference).eval()
    wanted = reference(INDICES)
    spoken = model.generate(INDICES)
    assert spoken.lengths.tolist() == [wanted.spectrogram.shape[1]]
    close(spoken.mel, wanted.spectrogram)


@pytest.mark.parametrize("params", [AcmeEncoderParams, AcmeDecoderParams])
def test_the_kit_finds_nothing(params: Any) -> None:
    settings = {"num_layers": 1, "ff_dim": 8, "kernel_size": 3}
    report = check_component(params(**settings), level="fast")
    assert not [str(each) for each in report.results if each.status == "failed"]
