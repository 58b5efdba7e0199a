"""A whole model as the programs that it exports to, run as a runtime runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import ParallelDecoder
from kokoro_core.exporting.inputs import GraphInputs, graph_inputs
from kokoro_core.exporting.noise import GraphNoise
from kokoro_core.exporting.parallel import trace_parallel
from kokoro_core.exporting.planning import EXAMPLE
from kokoro_core.exporting.stepping import (
    FRAMES,
    NEXT,
    STATE,
    StepGraph,
    group_shape,
    trace_steps,
)
from kokoro_core.exporting.trials import Trial, random_trials, spoken
from kokoro_core.spec.rules.names import checked_options
from kokoro_core.tensors.compiled import original
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.subjects.process_state import seed_torch

MOST_OF_OPTIONS = 2
"""Steps of a solver, and the like: a graph has each of them in it."""

Tensors = dict[str, Tensor]


def assert_exports(model: KokoroModel) -> None:
    """Trace a model in float64, and compare it with its generation at lengths of other utterances.

    Raises:
        ExportError: A part cannot be traced.
        AssertionError: The programs say something else than generation.
    """
    with _in_float64(), torch.no_grad():
        inputs = graph_inputs(model, _few(model), EXAMPLE)
        inputs = replace(
            inputs,
            variable=tuple(replace(one, example=_double(one.example)) for one in inputs.variable),
        )
        at_once = isinstance(original(model.acoustic.decoder), ParallelDecoder)
        run = _Program(model, inputs) if at_once else _Programs(model, inputs)
        for trial in random_trials(model, inputs):
            _compare(model, inputs, trial, run)


@contextmanager
def _in_float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _few(model: KokoroModel) -> dict[str, float]:
    """Return the whole options, which shape a graph, as small as is worth a trace."""
    known = checked_options(model.spec, {})
    return {name: min(each, MOST_OF_OPTIONS) for name, each in known.items() if type(each) is int}


def _double(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


def _compare(
    model: KokoroModel, inputs: GraphInputs, trial: Trial, run: _Program | _Programs
) -> None:
    """Compare what the programs make of an utterance with what the model makes of it."""
    seed_torch(0)
    got = run(trial)
    seed_torch(0)
    expected = spoken(model, trial, inputs, None, GraphNoise())
    if "durations" in expected:
        planned = got["durations"].tolist()
        wanted = expected["durations"].tolist()
        assert planned == wanted, (
            f"of {trial.name} the exported model must plan the durations {wanted}, not {planned}"
        )
    [(name, made)] = [(key, each) for key, each in expected.items() if key != "durations"]
    promise = f"`{name}` of {trial.name} must be the same when the model is exported"
    assert_same(got[name], made, promise)


def _arguments(trial: Trial) -> dict[str, Any]:
    return {
        "phoneme_indices": trial.phoneme_indices,
        "speed": torch.tensor([trial.speed]),
        "given": dict(trial.given),
    }


class _Program:
    """The program of a model that makes all frames at once."""

    def __init__(self, model: KokoroModel, inputs: GraphInputs) -> None:
        self._whole = trace_parallel(model, inputs).module()

    def __call__(self, trial: Trial) -> Tensors:
        made: Tensors = self._whole(**_arguments(trial))
        return made


class _Programs:
    """The three programs of a model that makes steps."""

    def __init__(self, model: KokoroModel, inputs: GraphInputs) -> None:
        traced = trace_steps(model, inputs)
        self._parts = {name: program.module() for name, (_, program) in traced.items()}
        step, _ = traced["step"]
        assert isinstance(step, StepGraph)
        self._taken = step.taken
        self._shape = group_shape(model)

    def __call__(self, trial: Trial) -> Tensors:
        planned: Tensors = self._parts["plan"](**_arguments(trial))
        made: Tensors = self._parts["finish"](frames=self._stepped(planned))
        if "durations" in planned:
            made["durations"] = planned["durations"]
        return made

    def _stepped(self, planned: Mapping[str, Tensor]) -> Tensor:
        """Return the frames (1, T, M) of all steps, to the end or the last frame."""
        most, state = int(planned[FRAMES]), self._state(planned, STATE)
        made, ends = [torch.zeros(self._shape)], torch.zeros(1, 0, dtype=torch.bool)
        while ends.shape[1] < most and not ends.any():
            after: Tensors = self._parts["step"](frames=made[-1], state=state)
            made.append(after["mel"])
            ends = torch.cat([ends, after["ends"]], 1)
            state |= self._state(after, NEXT)
        length = int(ends[0].int().argmax()) + 1 if ends.any() else most
        return torch.cat(made[1:], 1)[:, : min(length, most)]

    def _state(self, made: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
        """Return what a step takes of a state, numbers as such."""
        named = {name.removeprefix(f"{prefix}_"): each for name, each in made.items()}
        return {
            name: each if each.dim() else int(each)
            for name, each in named.items()
            if name in self._taken
        }
