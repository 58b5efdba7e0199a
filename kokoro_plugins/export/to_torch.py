"""An `ExportedProgram`, written, loaded again and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.durable import atomic_file
from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.noise import GraphNoise
from kokoro_core.exporting.parallel import trace_parallel
from kokoro_core.exporting.tracing import quietly
from kokoro_core.exporting.trials import Trial, spoken
from kokoro_plugins.export.around import as_text
from kokoro_plugins.export.report import Difference, ExportReport, difference, refuse_far

DESCRIPTION = "kokoro.json"
"""The file inside that describes the program."""


def export_torch(
    model: KokoroModel,
    out: Path,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    trials: Sequence[Trial],
    about: Mapping[str, Any],
) -> ExportReport:
    """Write the program of a parallel model.

    Args:
        model: In evaluation mode.
        out: The file, which ends in ``.pt2``.
        inputs: Of the graph.
        vocoder: Inside the graph, or None.
        trials: What the program is compared on before the file is there.
        about: Put beside the program as JSON.

    Raises:
        ExportError: A part cannot be traced, or the program is not the checkpoint.
    """
    program = trace_parallel(model, inputs, vocoder)
    program.example_inputs = None  # which torch would pickle into the file
    _forget_the_machine(program)
    with atomic_file(out) as place, quietly():
        torch.export.save(program, place, extra_files={DESCRIPTION: as_text(about)})
        loaded = torch.export.load(place).module()
        differences = tuple(_compared(loaded, model, each, inputs, vocoder) for each in trials)
        refuse_far(differences)
    operations = sum(node.op == "call_function" for node in program.graph.nodes)
    return ExportReport("torch", (out,), differences, {"operations": operations, "about": about})


def _forget_the_machine(program: torch.export.ExportedProgram) -> None:
    """Drop from all graphs where the code of each operation lies on the machine that exports."""
    for module in program.graph_module.modules():
        graph = getattr(module, "graph", None)
        for node in () if graph is None else graph.nodes:
            node.meta.pop("stack_trace", None)


def _compared(
    program: torch.nn.Module,
    model: KokoroModel,
    trial: Trial,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
) -> Difference:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        made = _run(program, trial)
        torch.manual_seed(0)  # the program draws from torch's generator as the noise does
        expected = spoken(model, trial, inputs, vocoder, GraphNoise())
    return difference(trial.name, trial.phoneme_indices.shape[1], made, expected)


def _run(program: torch.nn.Module, trial: Trial) -> dict[str, Tensor]:
    """Return what a program makes of an utterance.

    Raises:
        ExportError: It has no graph for so many phonemes or frames.
    """
    try:
        made: dict[str, Tensor] = program(
            phoneme_indices=trial.phoneme_indices,
            speed=torch.tensor([trial.speed]),
            given=dict(trial.given),
        )
    except (RuntimeError, AssertionError) as error:  # of its bounds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ExportError(
            f"The program cannot speak {trial.name}, perhaps since its frames are more than the "
            f"positions of the model's parts: {reason}"
        ) from error
    return made
