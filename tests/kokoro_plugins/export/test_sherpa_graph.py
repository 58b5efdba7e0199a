"""What stands before a graph that the matcha loader of sherpa-onnx calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInput, GraphInputs
from kokoro_plugins.export.lexicon import Lexicon
from kokoro_plugins.export.sherpa_graph import describe, tokens_of, with_loaders_inputs

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SYMBOLS = ("<pad>", "^", "$", "_", ",", "ai", "b")
TOKENS = tokens_of(SYMBOLS, 0, ("_",))
LEXICON = Lexicon(("^",), ("$",), ("_",), {})
LOADERS = {
    "x": np.array([[0, 134, 0, 32, 0, 133, 0, 44, 0]]),
    "x_length": np.array([9]),
    "noise_scale": np.array([0.5], np.float32),
    "length_scale": np.array([0.8], np.float32),
}


def option(name: str, value: float) -> GraphInput:
    return GraphInput(name.replace(".", "_"), name, torch.tensor([value]), is_option=True)


SPEAKER = GraphInput("speaker", "speaker", torch.zeros(1, dtype=torch.int64))


def plain(*inputs: GraphInput, draws: bool = False) -> Any:
    """Return a graph that gives back what it is given, phonemes as its samples."""
    helper, kinds = onnx.helper, onnx.TensorProto
    given = [
        helper.make_tensor_value_info("phoneme_indices", kinds.INT64, [1, "N"]),
        helper.make_tensor_value_info("speed", kinds.FLOAT, [1]),
    ]
    nodes = [
        helper.make_node("Cast", ["phoneme_indices"], ["samples"], to=kinds.FLOAT),
        helper.make_node("Identity", ["speed"], ["pace"]),
    ]
    for each in inputs:
        kind = kinds.FLOAT if each.is_option else kinds.INT64
        given.append(helper.make_tensor_value_info(each.name, kind, [1]))
        nodes.append(helper.make_node("Cast", [each.name], [f"{each.name}_"], to=kinds.FLOAT))
    if draws:
        nodes.append(helper.make_node("RandomNormal", [], ["drawn"], shape=[1]))
    names = [node.output[0] for node in nodes]
    ranks = {"samples": [1, "N"], "drawn": [1]}
    made = [
        helper.make_tensor_value_info(name, kinds.FLOAT, ranks.get(name, [1])) for name in names
    ]
    graph = helper.make_graph(nodes, "plain", given, made)
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def run(model: Any, **more: Any) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {**LOADERS, **more}), strict=True))


def front(*inputs: GraphInput, draws: bool = False) -> Any:
    return with_loaders_inputs(
        plain(*inputs, draws=draws), GraphInputs(inputs, {}), TOKENS, LEXICON
    )


def test_marks_and_spaces_have_their_code_points_and_others_begin_after_ascii():
    told = {symbol: (each.name, each.number, each.index) for symbol, each in TOKENS.items()}
    assert told == {
        "^": ("^", 129, 1),
        "$": ("$", 130, 2),
        "_": (" ", 32, 3),
        ",": (",", 44, 4),
        "ai": (chr(0xE005), 133, 5),
        "b": ("b", 134, 6),
    }


def test_a_graph_gets_the_models_indices_with_what_stands_around_every_text():
    made = run(front())
    assert list(made) == ["audio_output", "pace"]
    assert made["audio_output"].tolist() == [[1, 6, 3, 5, 4, 2]]
    assert made["pace"].tolist() == [1.25]


def test_the_loaders_noise_scales_temperatures_and_other_options_stay():
    made = run(front(option("decoder.temperature", 0.6), option("pitch.control", 1.5)))
    assert made["decoder_temperature_"].tolist() == pytest.approx([0.3])
    assert made["pitch_control_"].tolist() == [1.5]


def test_the_loaders_speaker_is_the_models():
    made = run(front(SPEAKER), sid=np.array([3]))
    assert made["speaker_"].tolist() == [3]


def test_a_feature_that_the_loader_has_not_is_refused():
    style = GraphInput("style", "style", torch.zeros(1, 4))
    with pytest.raises(
        ExportError, match=r"needs `style` in speaking, for which the matcha loader"
    ):
        front(style)


def test_noise_that_nothing_quiets_is_refused():
    with pytest.raises(ExportError, match="none of its parts has an option `temperature`"):
        front(option("pitch.control", 1.0), draws=True)
    front(option("decoder.temperature", 1.0), draws=True)


def test_the_metadata_is_what_the_loader_reads():
    model = plain()
    describe(model, 24_000, 2)
    told = {each.key: each.value for each in model.metadata_props}
    assert told == {
        "model_type": "matcha-tts",
        "sample_rate": "24000",
        "n_speakers": "2",
        "use_eos_bos": "0",
        "pad_id": "0",
    }
