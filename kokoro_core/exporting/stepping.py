"""An autoregressive model as three functions of tensors: plan, step and finish."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast, final

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import AutoregressiveDecoder, NeuralVocoder
from kokoro_core.exporting.declared import refuse_declared
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.noise import GraphNoise
from kokoro_core.exporting.parallel import finished
from kokoro_core.exporting.planning import LEAST, most_frames, plan_utterance, traced_with
from kokoro_core.exporting.tracing import trace
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.pytree import children

FRAMES_PER_PHONEME = 20
"""Frames that a model without a plan may make for each phoneme, as in `generate`."""
FRAMES, STATE, NEXT = "frames", "state", "next"

MADE = 29
"""Frames of the mel that the last graph is traced with."""

Leaves = dict[str, "Tensor | int"]


def leaves(path: str, tree: Any) -> Leaves:
    """Return the tensors and numbers of a state by name; a cache has its tensors alone."""
    if isinstance(tree, KeyValueCache):
        return {_name(f"{path}.keys"): tree.keys, _name(f"{path}.values"): tree.values}
    if isinstance(tree, Tensor) or type(tree) in {int, torch.SymInt}:
        return {_name(path): tree}
    found: Leaves = {}
    for inner, each in children(path, tree) or ():
        found |= leaves(inner, each)
    return found


def with_leaves(path: str, tree: Any, given: Mapping[str, Tensor | int]) -> Any:
    """Return a state with other tensors and numbers by these names."""
    if isinstance(tree, KeyValueCache):
        keys = cast("Tensor", given[_name(f"{path}.keys")])
        values = cast("Tensor", given[_name(f"{path}.values")])
        return KeyValueCache(keys, values, keys.shape[2])
    if _name(path) in given:
        return given[_name(path)]
    if is_dataclass(tree) and not isinstance(tree, type):
        changed = {
            each.name: with_leaves(f"{path}.{each.name}", getattr(tree, each.name), given)
            for each in fields(tree)
        }
        return replace(tree, **changed)
    if type(tree) in {list, tuple}:
        return type(tree)(with_leaves(f"{path}[{at}]", each, given) for at, each in enumerate(tree))
    return tree


def _name(path: str) -> str:
    """Return a path within a state as the inputs and outputs of graphs are named."""
    return re.sub(r"\W+", "_", path).strip("_")


@final
class PlanGraph(nn.Module):
    """From the phonemes of one utterance to the state before its first frame.

    Args:
        model: With an autoregressive decoder.
        inputs: What is given beside phonemes and speed.

    Attributes:
        state: What was made last outside of a trace; a step's has its form.
    """

    def __init__(self, model: KokoroModel, inputs: GraphInputs) -> None:
        super().__init__()
        self.acoustic = model.acoustic
        self.state: Any = None
        self._model = (model,)  # in a tuple, so that its parts are registered once
        self._inputs = inputs

    def forward(
        self, phoneme_indices: Tensor, speed: Tensor, given: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the state by path, ``frames`` () int64, and ``durations`` (1, N) if planned.

        Shape:
            phoneme_indices: (1, N) int64. speed: (1,).
        """
        (model,) = self._model
        planned = plan_utterance(model, phoneme_indices, speed, given, self._inputs)
        decoder, memory = decoder_of(model), planned.memory
        frames = planned.frames
        if frames is None:
            most = most_frames(self.acoustic)
            wanted_frames = phoneme_indices.shape[1] * FRAMES_PER_PHONEME
            frames = torch.sym_min(wanted_frames, most)  # type: ignore[no-untyped-call]
        r = decoder.reduction_factor
        wanted = self.acoustic.wiring.pick("decoder", planned.available)
        room = (frames + r - 1) // r * r
        state = decoder.init_state(memory.vectors, memory.padding_mask, room, **wanted)
        self.state = state
        # copies, since a graph whose output is its input, such as a speaker's vector, loses the
        # input's name in ONNX
        made = {
            name: _as_tensor(each, phoneme_indices).clone()
            for name, each in leaves(STATE, state).items()
        }
        made[FRAMES] = phoneme_indices.new_full((), frames)
        return made if planned.durations is None else {**made, "durations": planned.durations}


@final
class StepGraph(nn.Module):
    """From a group of frames and the state to the next group and the state after it.

    Args:
        model: With an autoregressive decoder.
        form: A state, whose tensors and numbers are replaced.

    Attributes:
        changing: The names of what a step changes of the state; None: all is given back.
        taken: The names of what its program is given of the state; the rest is a part of it.
    """

    def __init__(self, model: KokoroModel, form: Any) -> None:
        super().__init__()
        self.decoder = decoder_of(model)
        self.changing: frozenset[str] | None = None
        self.taken: frozenset[str] = frozenset()
        self._form = form
        self._threshold = model.spec.generation.stop_threshold

    def forward(self, frames: Tensor, state: dict[str, Any]) -> dict[str, Tensor]:
        """Return ``mel`` (1, r, M), ``ends`` (1, r) bool, and as ``next_…`` what has changed.

        Shape:
            frames: (1, r, M), those before; 0 at first.
        """
        given = {
            f"{STATE}_{name}": each.clone() if isinstance(each, Tensor) else each
            for name, each in state.items()
        }
        reached = with_leaves(STATE, self._form, given)
        noise = (GraphNoise(),) if self.decoder.draws_in_step else ()
        mel, stop_logits = self.decoder.step(frames, reached, *noise)
        after = {
            f"{NEXT}_{name.removeprefix(f'{STATE}_')}": _as_tensor(each, frames)
            for name, each in leaves(STATE, reached).items()
            if self.changing is None or name in self.changing
        }
        return {"mel": mel, "ends": self.decoder.ends(stop_logits, self._threshold), **after}


def _as_tensor(value: Tensor | int, like: Tensor) -> Tensor:
    """Return a number as a tensor () int64, and a tensor as it is."""
    return value if isinstance(value, Tensor) else like.new_full((), value, dtype=torch.int64)


@final
class FinishGraph(nn.Module):
    """From the frames of all steps to the log mel, or to samples.

    Args:
        model: The model.
        vocoder: As of `ParallelGraph`.
    """

    def __init__(self, model: KokoroModel, vocoder: NeuralVocoder | None = None) -> None:
        super().__init__()
        self.acoustic = model.acoustic
        self.vocoder = vocoder
        self._model = (model,)

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Return ``mel`` (1, T, M) or ``samples`` (1, S).

        Shape:
            frames: (1, T, M).
        """
        (model,) = self._model
        mask = torch.zeros(frames.shape[:2], dtype=torch.bool)
        # a copy, since a graph whose output is its input loses the input's name in ONNX
        return finished(model, self.acoustic.refine(frames.clone(), mask, {}), self.vocoder)


def decoder_of(model: KokoroModel) -> AutoregressiveDecoder:
    """Return the decoder of an autoregressive model."""
    decoder = original(model.acoustic.decoder)
    assert isinstance(decoder, AutoregressiveDecoder)
    return decoder


def trace_steps(
    model: KokoroModel, inputs: GraphInputs, vocoder: NeuralVocoder | None = None
) -> dict[str, tuple[nn.Module, ExportedProgram]]:
    """Return the graphs and programs ``plan``, ``step`` and ``finish`` of a model.

    Args:
        model: In evaluation mode.
        inputs: As `graph_inputs` returns them for `EXAMPLE` phonemes.
        vocoder: Inside the last one, or None.

    Raises:
        ExportError: A part cannot be traced, or declares so.
    """
    refuse_declared(model.spec)
    plan = PlanGraph(model, inputs)
    arguments, dynamic = traced_with(model, inputs)
    planned = trace(plan, arguments, dynamic)
    with torch.no_grad():
        example: dict[str, Any] = planned.module()(**arguments)
        short, long = (plan(**_repeated(arguments, inputs, times)) for times in (1, 2))
    step = StepGraph(model, plan.state)
    fixed = {name for name, each in short.items() if not each.dim() and each == long[name]}
    finish, (*_, width) = FinishGraph(model, vocoder), group_shape(model)
    made, axis = {"frames": torch.randn(1, MADE, width)}, Dim("frames", min=LEAST)
    return {
        "plan": (plan, planned),
        "step": (step, _trace_step(step, example, _symbols(planned, example), fixed, width)),
        "finish": (finish, trace(finish, made, {"frames": {1: axis}})),
    }


def group_shape(model: KokoroModel) -> list[int]:
    """Return the shape of the frames of a step, (1, r, M)."""
    width = model.acoustic.wiring.samples or model.spec.mel_dim
    return [1, decoder_of(model).reduction_factor, width]


def _repeated(arguments: Mapping[str, Any], inputs: GraphInputs, times: int) -> dict[str, Any]:
    """Return the arguments of a plan whose phonemes are said so many times."""
    given = dict(arguments["given"])
    for each in inputs.variable:
        if each.axes.get(1) == "phonemes":
            given[each.name] = torch.cat([given[each.name]] * times, dim=1)
    phonemes = torch.cat([arguments["phoneme_indices"]] * times, dim=1)
    return {**arguments, "phoneme_indices": phonemes, "given": given}


def _symbols(planned: ExportedProgram, example: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """Return which axes of each output of a program may be of any length."""
    nodes = planned.graph.output_node().args[0]
    assert isinstance(nodes, (list, tuple))
    shapes = {
        name: cast("torch.fx.Node", node).meta["val"].shape
        for name, node in zip(example, nodes, strict=True)
    }
    return {
        name: [axis for axis, size in enumerate(shape) if isinstance(size, torch.SymInt)]
        for name, shape in shapes.items()
    }


def _trace_step(
    step: StepGraph,
    example: Mapping[str, Tensor],
    symbols: Mapping[str, Sequence[int]],
    fixed: Set[str],
    width: int,
) -> ExportedProgram:
    """Return the program of a step from a state that a plan has made.

    Args:
        step: The graph.
        example: What the plan has made.
        symbols: Which of its axes may be of any length.
        fixed: Numbers that do not depend on the utterance: constants, if no step changes them.
        width: Of a frame.
    """
    state = {
        name.removeprefix(f"{STATE}_"): each if each.dim() else int(each)
        for name, each in example.items()
        if name.startswith(STATE)
    }
    frames = torch.randn(1, step.decoder.reduction_factor, width)
    with torch.no_grad():
        after = step(frames, state)
    kept = {name.replace(STATE, NEXT, 1): (name, each) for name, each in example.items()}
    step.changing = frozenset(
        kept[name][0]
        for name, each in after.items()
        if name in kept and _differ(each, kept[name][1])
    )
    for name in fixed - step.changing:
        state.pop(name.removeprefix(f"{STATE}_"), None)
    step.taken = frozenset(state)
    axes = {
        name: Dim.DYNAMIC
        if isinstance(each, int)
        else dict.fromkeys(symbols[f"{STATE}_{name}"], Dim.AUTO)
        for name, each in state.items()
    }
    return trace(step, {"frames": frames, "state": state}, {"frames": None, "state": axes})


def _differ(one: Tensor, other: Tensor) -> bool:
    return one.shape != other.shape or not torch.equal(one, other)
