"""An autoregressive model as three ONNX graphs, plan, step and finish, run and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.stepping import group_shape, trace_steps
from kokoro_core.exporting.trials import Trial
from kokoro_plugins.export.around import as_text
from kokoro_plugins.export.onnx_files import OPSET, Session, converted
from kokoro_plugins.export.report import ExportReport, refuse_far
from kokoro_plugins.export.runner import Arrays, stepped
from kokoro_plugins.export.to_onnx import Precision, compared, in_precision, names_of, written

PARTS = ("plan", "step", "finish")


def export_steps(
    model: KokoroModel,
    out: Path,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    trials: Sequence[Trial],
    about: Mapping[str, Any],
    precision: Precision = "float32",
) -> ExportReport:
    """Write the graphs of an autoregressive model.

    Args:
        model: In evaluation mode.
        out: The file of the plan, which ends in ``.onnx``; those of the others lie beside it.
        inputs: As of `export_onnx`.
        vocoder: Inside the last graph, or None.
        trials: As of `export_onnx`.
        about: As of `export_onnx`.
        precision: As of `export_onnx`.

    Raises:
        ExportError: A part cannot be traced or converted, or the graphs are not the checkpoint.
    """
    traced = trace_steps(model, inputs, vocoder)
    shape = group_shape(model)
    about = {**about, "frames_of_a_step": shape}
    files = {part: out.with_suffix(f".{part}.onnx") for part in PARTS[1:]}
    files = {PARTS[0]: out, **files}
    operations = {}
    with ExitStack() as stack:
        places = {}
        for part, (graph, program) in traced.items():
            plain = converted(program, names_of(program), {"kokoro": as_text(about)}, graph)
            made = in_precision(plain, precision)
            operations[part] = len(made.graph.node)
            places[part] = stack.enter_context(written(made, files[part]))
        session = StepsSession([Session(places[part]) for part in PARTS], shape)
        differences = tuple(compared(session, model, each, inputs, vocoder) for each in trials)
        if precision == "float32":
            refuse_far(differences)
    facts = {"opset": OPSET, "precision": precision, "operations": operations, "about": about}
    return ExportReport("onnx", tuple(files.values()), differences, facts)


class StepsSession:
    """Runs the three graphs, and tells what they drew.

    Args:
        sessions: Of plan, step and finish.
        shape: Of the frames of a step.
    """

    def __init__(self, sessions: Sequence[Session], shape: Sequence[int]) -> None:
        self._plan, self._step, self._finish = sessions
        self._shape = shape

    def run(self, given: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return the outputs by name, and the random numbers in the order of their operations."""
        planned, drawn = self._plan.run(given)

        def step(arrays: Arrays) -> Arrays:
            made, more = self._step.run({name: torch.as_tensor(x) for name, x in arrays.items()})
            drawn.extend(more)
            return {name: each.numpy() for name, each in made.items()}

        state = {name: each.numpy() for name, each in planned.items()}
        frames = torch.as_tensor(stepped(step, state, self._shape))
        made, more = self._finish.run({"frames": frames})
        if "durations" in planned:
            made["durations"] = planned["durations"]
        return made, [*drawn, *more]
