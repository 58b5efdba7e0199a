"""What a step costs, counted: it does not grow with the length but for reading the caches.

Times differ from run to run; the kernels, the multiply-adds and the bytes of a step do not.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from kokoro_core import assemble, load_spec
from kokoro_core.nn.cache import BLOCK, KeyValueCache

LAYERS, WIDTH, FF, MELS = 2, 16, 32, 80
FRAMES = 600
LENGTHS = (5, 100, 500)


SUM_OF_ROWS = "aten._embedding_bag_forward_only.default"
"""What stands for a product with many values."""


class Kernels(TorchDispatchMode):
    """Counts the kernels that run; views are free, and a sum of rows is a product."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if not func.is_view:
            name = str(func)
            self.names["aten.bmm.default" if name == SUM_OF_ROWS else name] += 1
        return func(*args, **(kwargs or {}))


def decoder(positions: str = "sinusoidal") -> Any:
    torch.manual_seed(0)
    spec = load_spec(
        "small",
        overrides={
            "hidden_dim": WIDTH,
            "decoder.num_layers": LAYERS,
            "decoder.ff_dim": FF,
            "decoder.positional_encoding.type": positions,
        },
    )
    return assemble(spec).eval().decoder


def state_after(made: Any, frames: int, rows: int = 1, dtype: torch.dtype = torch.float32) -> Any:
    """Return a state that has made so many frames, with memory for more."""
    memory = torch.randn(rows, FRAMES, WIDTH, dtype=dtype)
    state = made.init_state(memory, torch.zeros(rows, FRAMES, dtype=torch.bool), FRAMES)
    made.step(torch.randn(rows, frames, MELS, dtype=dtype), state)
    return state


def frame(rows: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(rows, 1, MELS, dtype=dtype)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "alibi", "learned"])
@torch.no_grad()
def test_a_step_runs_as_many_kernels_after_five_frames_as_after_five_hundred(
    positions: str,
) -> None:
    made = decoder(positions)
    counts = []
    for length in LENGTHS:
        state = state_after(made, length)
        made.step(frame(), state)  # what is kept from step to step is there
        fed = frame()
        with Kernels() as kernels:
            made.step(fed, state)
        counts.append(kernels.names)
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.fast_kernels
@torch.no_grad()
def test_a_step_is_few_kernels_a_layer() -> None:
    made = decoder()
    state = state_after(made, 100)
    made.step(frame(), state)
    fed = frame()
    with Kernels() as kernels:
        made.step(fed, state)
    assert kernels.names["aten.addmm.default"] == 6 * LAYERS + 2
    scores = kernels.names["aten.baddbmm.default"]
    assert scores + kernels.names["aten.bmm.default"] == 4 * LAYERS
    # Beside those: three norms, two softmaxes, three sums, two writes and a ReLU.
    assert kernels.names["aten.native_layer_norm.default"] == 3 * LAYERS + 1
    assert kernels.names.total() <= 21 * LAYERS + 15


@pytest.mark.fast_kernels
@torch.no_grad()
def test_a_step_is_little_python_a_layer() -> None:
    # A call of a module takes as long as a kernel of 512 numbers; there is none in a layer.
    made = decoder()
    modules: list[nn.Module] = []
    handle = register_module_forward_pre_hook(lambda module, _: modules.append(module))
    try:
        state = state_after(made, 100)
        modules.clear()
        made.step(frame(), state)
    finally:
        handle.remove()
    assert not {each for layer in made.layers for each in layer.modules()} & set(modules)
    assert python_calls(made, state) <= 30 * LAYERS + 70


def python_calls(made: Any, state: Any) -> int:
    """Return how many functions written in Python a step calls."""
    seen: list[str] = []
    fed = frame()
    before = sys.getprofile()
    sys.setprofile(lambda _, event, __: seen.append(event))
    try:
        made.step(fed, state)
    finally:
        sys.setprofile(before)
    return Counter(seen)["call"]


@torch.no_grad()
def test_the_angles_of_rotary_positions_are_computed_once_a_step_and_not_a_layer() -> None:
    made = decoder("rotary")
    state = state_after(made, 100)
    with Kernels() as kernels:
        made.step(frame(), state)
    # Once for the frames' own attention and once for the memory's.
    assert kernels.names["aten.cos.default"] == 2


@torch.no_grad()
def test_python_does_as_much_after_five_frames_as_after_five_hundred() -> None:
    made = decoder()
    calls = []
    for length in LENGTHS:
        state = state_after(made, length)
        made.step(frame(), state)  # what is kept from step to step is there
        calls.append(python_calls(made, state))
    assert calls[0] == calls[1] > 0
    # Many values are summed row by row, by functions of their own.
    assert calls[1] <= calls[2] <= calls[1] + 3 * LAYERS


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("rows", [1, 3])
@torch.no_grad()
def test_the_multiply_adds_of_a_step_are_those_of_its_weights_and_caches(
    length: int, rows: int
) -> None:
    made = decoder().double()
    state = state_after(made, length, rows, torch.float64)
    with FlopCounterMode(display=False) as counter:
        made.step(frame(rows, torch.float64), state)
    # queries, keys, values and output; query and output of the memory's; feed-forward
    weights = LAYERS * (4 * WIDTH**2 + 2 * WIDTH**2 + 2 * WIDTH * FF)
    ends = MELS * WIDTH + WIDTH * MELS + WIDTH
    room = -(-(length + 1) // BLOCK) * BLOCK
    caches = LAYERS * 2 * WIDTH * (room + FRAMES)
    assert counter.get_total_flops() == 2 * rows * (weights + ends + caches)


@torch.no_grad()
def test_a_cache_takes_at_most_a_block_more_than_it_holds() -> None:
    made = decoder()
    for length in LENGTHS:
        state = state_after(made, length, rows=2)
        caches: tuple[KeyValueCache, ...] = state.own
        for cache in caches:
            held = 2 * length * WIDTH * 4
            taken = cache.keys.numel() * cache.keys.element_size()
            assert held <= taken < held + 2 * BLOCK * WIDTH * 4


@torch.no_grad()
def test_the_memory_is_projected_once_and_never_in_a_step() -> None:
    made = decoder()
    projected = []
    for layer in made.layers:
        layer.cross_attention.key_value.register_forward_hook(lambda *_: projected.append(1))
    state = state_after(made, 3)
    for _ in range(4):
        made.step(frame(), state)
    assert len(projected) == LAYERS
