"""What is refused before anything is traced."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.errors import ExportError
from kokoro_core.speaking.loading import load_to_speak
from kokoro_plugins.export.around import neural_vocoder
from kokoro_plugins.export.export import export_model
from tests.kokoro_core.exporting.small import NARROW, small_model

OUT = Path("nowhere.pt2")


def test_an_autoregressive_model_is_no_single_program() -> None:
    model = small_model("small", **NARROW)
    with pytest.raises(ExportError, match=r"`decoder` \(`TransformerDecoder`\) is autoregressive"):
        export_model(model, OUT)


def test_a_model_in_training_mode_is_refused(parallel: KokoroModel) -> None:
    with pytest.raises(ValueError, match=r"in training mode; call `model.eval\(\)`"):
        export_model(copy.deepcopy(parallel).train(), OUT)


def test_a_model_in_another_precision_is_refused(parallel: KokoroModel) -> None:
    with pytest.raises(ValueError, match=r"must be in float32 on the CPU .*, not in torch.float64"):
        export_model(copy.deepcopy(parallel).double(), OUT)


def test_a_vocoder_without_weights_cannot_be_inside(parallel: KokoroModel) -> None:
    with pytest.raises(ValueError, match="`griffin_lim` has no weights and cannot be in a graph"):
        export_model(parallel, OUT, samples=True)


def test_samples_need_a_vocoder() -> None:
    bare = small_model("parallel", **NARROW, vocoder=None)
    with pytest.raises(ValueError, match="has no `vocoder` or no `audio`"):
        export_model(bare, OUT, samples=True)


def test_a_vocoder_inside_is_the_models_own_with_its_weights() -> None:
    model = load_to_speak(Path("heart"))
    assert model.vocoder is not None
    inside, own = neural_vocoder(model).state_dict(), model.vocoder.state_dict()
    assert inside.keys() == own.keys()
    assert all(torch.equal(inside[name], own[name].float()) for name in own)


def test_a_vocoder_that_nobody_has_trained_cannot_be_inside() -> None:
    bare = small_model("parallel", **NARROW, vocoder={"type": "vocos"})
    with pytest.raises(ValueError, match="vocoder `vocos` of `parallel` has no weights yet"):
        export_model(bare, OUT, samples=True)


def test_a_program_of_torch_is_in_float32(parallel: KokoroModel) -> None:
    with pytest.raises(ValueError, match="`int8` is a precision of `onnx`; `torch` is in float32"):
        export_model(parallel, OUT, precision="int8")
