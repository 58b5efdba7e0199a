"""ONNX models: programs converted, written, halved, quantised and run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.export import ExportedProgram

from kokoro_core.errors import ExportError
from kokoro_core.exporting.tracing import explained, quietly, recurrent_layers_whole

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""The version of ONNX's operators that is written."""
IN_FLOAT32 = frozenset({"ScatterElements"})
"""Operations that onnxruntime has no float16 kernel for, beside those that its converter knows."""
RECURRENT = frozenset({"LSTM", "GRU"})
DRAWS = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"})


@dataclass(frozen=True)
class Names:
    """The names of a graph's inputs and outputs, in the order of its program."""

    inputs: Sequence[str]
    outputs: Sequence[str]


def converted(
    program: ExportedProgram, names: Names, about: Mapping[str, str], graph: torch.nn.Module
) -> onnx.ModelProto:
    """Return a program as an ONNX model.

    Args:
        program: Traced.
        names: Of inputs and outputs.
        about: The metadata of the model.
        graph: What was traced, to name a part that cannot be converted.

    Raises:
        ExportError: An operation has no counterpart in ONNX.
        ModuleNotFoundError: The extra ``kokoro-core[onnx]`` is not installed.
    """
    import onnxscript  # noqa: F401  # which torch would miss in many words

    with quietly(), recurrent_layers_whole(), torch.no_grad():
        try:
            made = torch.onnx.export(
                program,
                dynamo=True,
                optimize=False,
                verbose=False,
                opset_version=OPSET,
                input_names=list(names.inputs),
                output_names=list(names.outputs),
            )
            assert made is not None
            _forget_shapes_after_recurrent_layers(made.model)
            made.optimize()
        except Exception as error:
            raise ExportError(explained(error, graph)) from error
    model = made.model_proto
    for each in (model.graph, *model.graph.node, *model.graph.value_info):
        each.ClearField("metadata_props")  # lines and folders of the machine that exported
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return model


def _forget_shapes_after_recurrent_layers(model: Any) -> None:
    """Drop the shapes that torch notes where there is an LSTM or a GRU.

    After one they have the example's length, which folding would make a constant; what is left is
    inferred anew.
    """
    nodes = list(model.graph.all_nodes())
    if any(node.op_type in RECURRENT for node in nodes):
        for node in nodes:
            for output in node.outputs:
                output.shape = None


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that computes in float16, with inputs and outputs as they were."""
    from onnxruntime.transformers.float16 import (
        DEFAULT_OP_BLOCK_LIST,
        convert_float_to_float16,
    )

    kept = [*DEFAULT_OP_BLOCK_LIST, *sorted(IN_FLOAT32)]
    with quietly():
        made = convert_float_to_float16(model, keep_io_types=True, op_block_list=kept)
    return cast("onnx.ModelProto", made)


def quantised(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """Return a model whose matrix products are of int8 weights and of activations quantised anew.

    Args:
        model: In float32.
        folder: Where files can be put for the time.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    before, after = folder / "float32.onnx", folder / "int8.onnx"
    onnx.save(model, before)
    with quietly():
        quantize_dynamic(
            before, after, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "LSTM"]
        )
    return onnx.load(after)


class Session:
    """Runs the ONNX model of a file by onnxruntime on one thread, and tells what it drew.

    Args:
        file: The file.

    Raises:
        ExportError: onnxruntime refuses the model.
    """

    def __init__(self, file: Path) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(file)
        self._outputs = [each.name for each in model.graph.output]
        shown, self._drawn = _with_draws_as_outputs(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        with _refusals():
            self._session = onnxruntime.InferenceSession(
                shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        self._inputs = {each.name for each in self._session.get_inputs()}

    def run(self, given: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return the outputs by name, and the random numbers in the order of their operations.

        Raises:
            ExportError: onnxruntime cannot run an operation.
        """
        fed = {name: each.numpy() for name, each in given.items() if name in self._inputs}
        with _refusals():
            made = self._session.run([*self._outputs, *self._drawn], fed)
        tensors = [torch.as_tensor(each) for each in made]
        count = len(self._outputs)
        return dict(zip(self._outputs, tensors, strict=False)), tensors[count:]


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise what onnxruntime says as an error of the export."""
    try:
        yield
    except Exception as error:  # each code of onnxruntime has a class of its own
        raise ExportError(f"onnxruntime cannot run what was made: {error}") from error


def _with_draws_as_outputs(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """Return a copy of a model that gives its random numbers too, and their names."""
    import onnx

    names = [node.output[0] for node in model.graph.node if node.op_type in DRAWS]
    if not names:
        return model, names
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    known = {each.name: each for each in model.graph.value_info}
    for name in names:
        info: Any = known.get(name)
        kind = info.type.tensor_type.elem_type if info is not None else onnx.TensorProto.FLOAT
        shown.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))
    return shown, names
