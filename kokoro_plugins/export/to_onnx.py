"""A parallel model as one ONNX graph, written, run by onnxruntime and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.utils import _pytree

from kokoro_core import KokoroModel
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.durable import atomic_file
from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.noise import GivenNoise
from kokoro_core.exporting.parallel import ParallelGraph, trace_parallel
from kokoro_core.exporting.trials import Trial, own_durations, spoken
from kokoro_plugins.export.around import as_text
from kokoro_plugins.export.onnx_files import OPSET, Names, Session, converted, halved, quantised
from kokoro_plugins.export.report import Difference, ExportReport, difference, refuse_far

if TYPE_CHECKING:
    import onnx

Precision = Literal["float32", "float16", "int8"]


def export_onnx(
    model: KokoroModel,
    out: Path,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    trials: Sequence[Trial],
    about: Mapping[str, Any],
    precision: Precision = "float32",
) -> ExportReport:
    """Write the graph of a parallel model.

    Args:
        model: In evaluation mode.
        out: The file, which ends in ``.onnx``.
        inputs: Of the graph.
        vocoder: Inside the graph, or None.
        trials: What the graph is compared on before the file is there.
        about: The metadata ``kokoro`` of the file, as JSON.
        precision: What it computes in; ``int8``: its matrix products.

    Raises:
        ExportError: A part cannot be traced or converted, or the graph is not the checkpoint.
    """
    program = trace_parallel(model, inputs, vocoder)
    graph = ParallelGraph(model, inputs, vocoder)
    plain = converted(program, names_of(program), {"kokoro": as_text(about)}, graph)
    made = in_precision(plain, precision)
    with written(made, out) as place:
        session = Session(place)
        differences = tuple(compared(session, model, each, inputs, vocoder) for each in trials)
        if precision == "float32":
            refuse_far(differences)
    facts = {"opset": OPSET, "precision": precision, "operations": len(made.graph.node)}
    return ExportReport("onnx", (out,), differences, {**facts, "about": about})


def names_of(program: ExportedProgram) -> Names:
    """Return the names of a program's inputs and outputs, those of their mappings."""
    inputs = [
        each.removeprefix("given_")
        for each in program.graph_signature.user_inputs
        if isinstance(each, str)
    ]
    spec = program.call_spec.out_spec
    assert spec is not None
    made: dict[str, Any] = _pytree.tree_unflatten(range(spec.num_leaves), spec)
    return Names(inputs, list(made))


def in_precision(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """Return a model in a precision."""
    if precision == "float32":
        return model
    if precision == "float16":
        return halved(model)
    with TemporaryDirectory() as folder:
        return quantised(model, Path(folder))


@contextmanager
def written(model: onnx.ModelProto, out: Path) -> Iterator[Path]:
    """Yield the file that a model is written to; it becomes `out` if the block succeeds."""
    import onnx

    with atomic_file(out) as place:
        onnx.save(model, place)
        yield place


class Runs(Protocol):
    """What runs an exported model."""

    def run(self, given: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return the outputs by name, and the random numbers in the order in which they came."""


def compared(
    session: Runs,
    model: KokoroModel,
    trial: Trial,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
) -> Difference:
    """Compare at the durations of the graph, which in fewer bits may be others.

    Raises:
        ExportError: The graph does not run, or drew other numbers than the checkpoint.
    """
    base = {"phoneme_indices": trial.phoneme_indices, "speed": torch.tensor([trial.speed])}
    made, drawn = session.run({**base, **trial.given})
    noise = GivenNoise(drawn)
    try:
        own = own_durations(model, trial, inputs, noise)
        noise.rewind()  # what the durations were made of comes again
        fixed = None if own is None else made.get("durations")
        expected = spoken(model, trial, inputs, vocoder, noise, durations=fixed)
    except ValueError as error:
        raise ExportError(f"The graph draws other numbers than its checkpoint: {error}") from error
    if noise.unused:
        raise ExportError(
            f"The graph draws numbers {len(drawn)} times for {trial.name}, and its checkpoint "
            f"{len(drawn) - noise.unused} times; nothing was written."
        )
    expected = expected if own is None else {**expected, "durations": own}
    return difference(trial.name, trial.phoneme_indices.shape[1], made, expected)
