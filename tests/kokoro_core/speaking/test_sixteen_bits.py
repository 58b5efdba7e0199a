"""Voices whose weights are stored in 16 bits: half as large, and spoken in float32."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.checkpoints.vocoder_file import load_vocoder, save_vocoder
from kokoro_core.cli.app import main
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.speaking.loading import load_to_speak
from kokoro_core.speaking.vocoding import vocoder_of
from kokoro_core.speech import speak
from tests.kokoro_core.checkpoints.vocoder_toy import plugins, spoken_settings

VOCOS = {"type": "vocos", "channels": 8, "num_layers": 1, "n_fft": 768}
MEL, LENGTHS = torch.linspace(-8, 2, 5 * 80).reshape(1, 5, 80), torch.tensor([5])
DURATIONS = torch.tensor([[3, 2, 4]])


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = KokoroModel.from_spec("small", overrides=spoken_settings(vocoder=VOCOS))
    assert model.spec.vocoder is not None
    assert model.spec.audio is not None
    drawn = model.spec.vocoder.build(model.spec.audio)
    assert isinstance(drawn, NeuralVocoder)
    save_vocoder(Path("vocoder.safetensors"), drawn, model.spec.vocoder)
    model.attach_vocoder(load_vocoder(Path("vocoder.safetensors")))
    model.save("full.safetensors")


def half(dtype: str) -> Path:
    out = f"{dtype}.safetensors"
    with pytest.raises(SystemExit, match="0"):
        main(
            ["checkpoint", "convert", "full.safetensors", f"{dtype}.safetensors", "--dtype", dtype]
        )
    return Path(out)


def header_bytes(path: Path) -> int:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert "__metadata__" in json.loads(content[8 : 8 + length])
    return 8 + length


@pytest.mark.parametrize(("dtype", "rounding"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_a_voice_is_half_as_large_and_heard_as_its_rounded_weights(
    dtype: str, rounding: float
) -> None:
    whole, path = KokoroModel.load("full.safetensors"), half(dtype)
    numbers = sum(each.numel() for each in whole.state_dict().values())
    assert path.stat().st_size == header_bytes(path) + 2 * numbers
    model = load_to_speak(path)
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    rounded = KokoroModel.load("full.safetensors")
    kind = getattr(torch, dtype)
    rounded.load_state_dict({k: v.to(kind) for k, v in whole.state_dict().items()})
    spoken = speak(model, "a b c", durations=DURATIONS).samples
    torch.testing.assert_close(spoken, speak(rounded, "a b c", durations=DURATIONS).samples)
    # Rounded once: the weights, by at most half a unit of their last place.
    for name, each in whole.state_dict().items():
        assert ((each - model.state_dict()[name]).abs() <= rounding * each.abs() + 1e-7).all()


def test_a_model_in_python_keeps_the_type_of_its_file_and_its_vocoder_speaks() -> None:
    model = KokoroModel.load(half("bfloat16"), plugins=plugins())
    assert {each.dtype for each in model.parameters()} == {torch.bfloat16}
    wide = load_to_speak(Path("bfloat16.safetensors"))
    assert vocoder_of(model).decode(MEL, LENGTHS).equal(vocoder_of(wide).decode(MEL, LENGTHS))
    assert {each.dtype for each in model.parameters()} == {torch.bfloat16}
    model.save("again.safetensors")
    assert Path("again.safetensors").read_bytes() == Path("bfloat16.safetensors").read_bytes()
