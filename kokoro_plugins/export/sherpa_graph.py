"""A graph from phonemes to samples, as the matcha loader of sherpa-onnx calls one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInput, GraphInputs
from kokoro_plugins.export.lexicon import MARKS, Lexicon
from kokoro_plugins.export.onnx_files import DRAWS

if TYPE_CHECKING:
    import onnx

BLANK = 0
"""The loader puts it before, between and after all tokens; the graph takes it out."""
SPACE = " "
OTHERS = 128
"""The number of the first symbol that is none of ASCII.

The loader mistakes the numbers of marks and spaces for code points, so these must be the same.
"""
PRIVATE = 0xE000
"""The first of the characters by which symbols of several characters go."""
TEMPERATURE = ".temperature"


@dataclass(frozen=True)
class Token:
    """A symbol of the model in the loader's words.

    Attributes:
        name: One character.
        number: By which the loader gives it to the graph.
        index: Of the symbol in the model.
    """

    name: str
    number: int
    index: int


def tokens_of(symbols: Sequence[str], pad_id: int, between: Sequence[str]) -> dict[str, Token]:
    """Return the tokens of a model's symbols, by symbol.

    Args:
        symbols: The symbol of each index.
        pad_id: The index of padding, which is no token.
        between: What stands between words, a symbol or nothing; it is the loader's space.
    """
    found = {}
    for index, symbol in enumerate(symbols):
        name, number = symbol, OTHERS + index
        if symbol in between:
            name, number = SPACE, ord(SPACE)
        elif symbol in set(MARKS):
            number = ord(symbol)
        elif len(symbol) != 1 or symbol.isspace():
            name = chr(PRIVATE + index)
        if index != pad_id:
            found[symbol] = Token(name, number, index)
    return found


def with_loaders_inputs(
    model: onnx.ModelProto, inputs: GraphInputs, tokens: Mapping[str, Token], lexicon: Lexicon
) -> onnx.ModelProto:
    """Return a graph with the inputs and the first output that the loader knows.

    ``noise_scale`` multiplies every option `temperature`; all others have their defaults.

    Args:
        model: From phonemes to samples; it is changed.
        inputs: What it is given.
        tokens: By symbol.
        lexicon: Says what stands around every text, which the graph adds.

    Raises:
        ExportError: The loader gives nothing for one of the inputs, or nothing quiets the noise.
    """
    import onnx
    from onnx import compose

    _refuse_noise(model, inputs)
    front = _Front(tokens, lexicon)
    for each in inputs.variable:
        front.give(each, model.graph)
    whole = onnx.helper.make_model(
        front.graph(), opset_imports=model.opset_import, ir_version=model.ir_version
    )
    made = compose.merge_models(whole, model, io_map=[(name, name) for name in front.gives])
    _rename(made.graph, "samples", "audio_output")
    return made


def describe(model: onnx.ModelProto, sample_rate: int, speakers: int) -> None:
    """Add the metadata that the loader reads."""
    facts = {
        "model_type": "matcha-tts",
        "sample_rate": sample_rate,
        "n_speakers": speakers,
        "use_eos_bos": 0,  # the graph adds them
        "pad_id": BLANK,
    }
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)


def _refuse_noise(model: onnx.ModelProto, inputs: GraphInputs) -> None:
    draws = any(node.op_type in DRAWS for node in model.graph.node)
    if draws and not any(each.meaning.endswith(TEMPERATURE) for each in inputs.variable):
        raise ExportError(
            "The model draws random numbers and none of its parts has an option `temperature`, "
            "which is all that sherpa-onnx can scale; so the two cannot be compared."
        )


class _Front:
    """Builds what stands before the graph."""

    def __init__(self, tokens: Mapping[str, Token], lexicon: Lexicon) -> None:
        from onnx import TensorProto, helper

        self._node, self._info, self._kinds = (
            helper.make_node,
            helper.make_tensor_value_info,
            TensorProto,
        )
        self.gives = ["phoneme_indices", "speed"]
        self._initial: list[Any] = []
        self._more: list[Any] = []
        table = np.zeros(OTHERS + max(each.index for each in tokens.values()) + 1, np.int64)
        for each in tokens.values():
            table[each.number] = each.index
        for name, symbols in (("before", lexicon.before), ("after", lexicon.after)):
            self._hold(f"sherpa_{name}", [[tokens[each].index for each in symbols]])
        self._hold("sherpa_table", table)
        self._hold("sherpa_blank", [BLANK])
        self._hold("sherpa_row", [-1])
        self._nodes = [
            self._node("Reshape", ["x", "sherpa_row"], ["sherpa_flat"]),
            self._node("Equal", ["sherpa_flat", "sherpa_blank"], ["sherpa_is_blank"]),
            self._node("Not", ["sherpa_is_blank"], ["sherpa_is_token"]),
            self._node("Compress", ["x", "sherpa_is_token"], ["sherpa_tokens"], axis=1),
            self._node("Gather", ["sherpa_table", "sherpa_tokens"], ["sherpa_indices"]),
            self._node(
                "Concat",
                ["sherpa_before", "sherpa_indices", "sherpa_after"],
                ["phoneme_indices"],
                axis=1,
            ),
            self._node("Reciprocal", ["length_scale"], ["speed"]),
        ]

    def _hold(self, name: str, values: Any) -> None:
        from onnx import numpy_helper

        kept = np.asarray(values)
        kept = kept if kept.dtype == np.float32 else kept.astype(np.int64)
        self._initial.append(numpy_helper.from_array(kept, name))

    def give(self, wanted: GraphInput, graph: onnx.GraphProto) -> None:
        """Give the graph one more of its inputs, or refuse to."""
        held = f"sherpa_{wanted.name}"
        if wanted.is_option:
            self._hold(held, wanted.example.numpy())
            scaled = wanted.meaning.endswith(TEMPERATURE)
            node = (
                self._node("Mul", [held, "noise_scale"], [wanted.name])
                if scaled
                else self._node("Identity", [held], [wanted.name])
            )
        elif wanted.meaning == "speaker":
            node = self._node("Identity", ["sid"], [wanted.name])
            self._more.append(self._info("sid", self._kinds.INT64, [1]))
        else:
            raise ExportError(
                f"The model needs `{wanted.meaning}` in speaking, for which the matcha loader of "
                f"sherpa-onnx has no input."
            )
        if wanted.name in {each.name for each in graph.input}:
            self._nodes.append(node)
            self.gives.append(wanted.name)

    def graph(self) -> onnx.GraphProto:
        """Return it."""
        from onnx import helper

        kinds = self._kinds
        inputs = [
            self._info("x", kinds.INT64, [1, "tokens"]),
            self._info("x_length", kinds.INT64, [1]),
            self._info("noise_scale", kinds.FLOAT, [1]),
            self._info("length_scale", kinds.FLOAT, [1]),
            *self._more,
        ]
        wide: dict[str, list[str | int | None]] = {"phoneme_indices": [1, "phonemes"]}
        whole = {"phoneme_indices", "speaker"}
        outputs = [
            self._info(name, kinds.INT64 if name in whole else kinds.FLOAT, wide.get(name, [1]))
            for name in self.gives
        ]
        return helper.make_graph(self._nodes, "sherpa", inputs, outputs, self._initial)


def _rename(graph: onnx.GraphProto, name: str, other: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place, each in enumerate(names):
                if each == name:
                    names[place] = other
    for output in graph.output:
        if output.name == name:
            output.name = other
