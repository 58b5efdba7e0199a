"""What an editor knows of what newcomers call: mypy reads the types here, tests run them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import pytest
import torch
from torch import Tensor

from kokoro_core import AudioSettings, KokoroModel, ModelSpec, load_spec
from kokoro_core.generation import Generation, StopReason
from kokoro_core.model import ModelOutput
from kokoro_core.speaking.options import SpeakingOptions
from kokoro_core.speech import SpokenSentence, SynthesisResult, TimedWord, speak, speak_sentences

SHORT: dict[str, Any] = {"decoder.num_layers": 1, "vocoder.iterations": 1}


@pytest.fixture(scope="module")
def model() -> KokoroModel:
    return KokoroModel.from_spec("quick", overrides=SHORT).eval()


def test_a_spec_knows_its_settings() -> None:
    spec = assert_type(load_spec("quick"), ModelSpec)
    assert assert_type(spec.hidden_dim, int) == 128
    assert assert_type(spec.audio, AudioSettings | None) is not None
    assert assert_type(AudioSettings(mean=-5.0).mean, float) == -5.0


def test_what_is_generated_has_types(model: KokoroModel) -> None:
    indices = torch.tensor([[7, 4]])
    result = assert_type(model.generate(indices, speed=1.2, max_mel_len=9), Generation)
    assert assert_type(result.mel, Tensor).shape[0] == 1
    assert assert_type(result.stop_reasons, list[StopReason])
    frames = assert_type(model.stream(indices, max_mel_len=4), Iterator[Tensor])
    assert next(frames).shape[2] == 80
    assert assert_type(model.inference(indices, max_mel_len=4), Tensor).ndim == 3


def test_what_is_learned_has_types(model: KokoroModel) -> None:
    output = model(torch.tensor([[7]]), torch.zeros(1, 6, 80), torch.tensor([[6]]))
    assert isinstance(output, ModelOutput)
    assert assert_type(output.loss, Tensor).ndim == 0
    assert_type(output.losses, dict[str, Tensor])


def test_what_is_spoken_has_types(model: KokoroModel) -> None:
    result = assert_type(speak(model, "Yes.", stop_threshold=1.0), SynthesisResult)
    assert assert_type(result.samples, Tensor).ndim == 1
    assert assert_type(result.words, tuple[TimedWord, ...])[0].text == "Yes."
    sentences = assert_type(speak_sentences(model, "Yes."), Iterator[SpokenSentence])
    assert assert_type(next(sentences).text, str) == "Yes."


def test_the_keywords_of_speaking_are_those_of_generating() -> None:
    keywords = inspect.signature(KokoroModel.generate).parameters.values()
    offered = {each.name for each in keywords if each.kind is each.KEYWORD_ONLY}
    named = {*inspect.signature(speak).parameters}
    assert set(SpeakingOptions.__annotations__) == offered - named - {"durations"} | {"options"}


def test_the_keys_of_a_model_s_figures_are_known(model: KokoroModel) -> None:
    info = model.get_model_info()
    assert assert_type(info["total_parameters"], int) > assert_type(
        info["slots"]["encoder"]["parameters"], int
    )
    assert assert_type(info["model_size_mb"], float) > 0
    assert set(info) == set(type_keys())


def type_keys() -> dict[str, Any]:
    from kokoro_core.cost.info import ModelInfo

    return ModelInfo.__annotations__


def given_by_place(text: str) -> list[int]:
    """Return the lines on which a setting has its default by place: pyright sees none there."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "Field"
        and node.value.args
    ]


def test_a_setting_has_its_default_by_keyword_so_that_editors_know_it() -> None:
    root = Path(__file__).parents[2]
    folders = ("kokoro_core", "kokoro_plugins", "docs/examples")
    files = [each for folder in folders for each in (root / folder).rglob("*.py")]
    found = {each: given_by_place(each.read_text(encoding="utf-8")) for each in files}
    assert len(found) > 300
    assert {each: lines for each, lines in found.items() if lines} == {}
    assert given_by_place("a: int = Field(1, ge=0)\nb: int = Field(default=1)\n") == [1]
