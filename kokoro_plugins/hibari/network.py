"""A network in an ONNX file, with one of its inner tensors as a further output."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_network(file: Path, tensor: str) -> Any:
    """Return a session of onnxruntime, on one thread, that gives a named inner tensor too.

    Raises:
        ValueError: onnx or onnxruntime is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f"The corpus `hibari` needs the package {error.name}, which is not installed; install "
            f"kokoro-core[voices]."
        ) from None
    model = onnx.load(file)
    kind = onnx.TensorProto.FLOAT
    model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, kind, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
