"""Loading a checkpoint, and assembling the model that it is loaded into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file
from torch import Tensor

from kokoro_core import KokoroModel, ModelSpec, assemble
from kokoro_plugins.bench.fresh_load import growth_of_a_load
from kokoro_plugins.bench.peers import by_hand
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.results import CaseResult
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Contender, take_turns

IN_MEMORY = "load_file, read into memory"
BY_HAND = "built by hand, load_file, read into memory"
UNVERIFIED = "ours, unverified"
UNSET = "assembling without initialisation"

PAIRS = (
    ("ours", "load_file", 1.2),
    ("ours", IN_MEMORY, 1.2),
    (UNVERIFIED, IN_MEMORY, 1.2),
    (UNVERIFIED, BY_HAND, 1.2),
    ("assembling", "building by hand", 1.0),
    (UNSET, "building by hand on meta", 1.0),
)
"""What is compared, and the bar."""


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time loading from a file that the system has in its cache, and how a process grows."""
    result = CaseResult("loading", "loading a checkpoint that is in the system's cache")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model = our_model(scale.model)
        model.save(path)
        weights = sum(each.numel() * each.element_size() for each in model.parameters())
        spec = model.spec
        del model
        grown = growth_of_a_load(path)
        contenders = _contenders(path, spec, scale.model)
        ready = {name: Contender(load) for name, load in contenders.items()}
        timings = take_turns(ready, rounds=scale.rounds, block_seconds=scale.block_seconds)
    setting = {"threads": threads, "MiB": weights / 2**20}
    result.add(timings, setting)
    for one, other, bar in PAIRS:
        result.judge_medians(timings, one, other, "at most", bar, setting)
    if grown is not None:
        ratio = grown / weights
        result.judge("growth of a fresh process / weights", ratio, "at most", 1.3, setting)
    result.notes.append(
        "`load_file` maps the file and reads a weight when it is first used; ours has read every "
        "byte when it returns, and compared it with the content hash unless unverified. A second "
        "thread computes that hash, whatever the number of threads."
    )
    return result


def _contenders(path: Path, spec: ModelSpec, size: ModelSize) -> dict[str, Callable[[], object]]:
    def read(tensors: dict[str, Tensor]) -> list[Tensor]:
        return [each.clone() for each in tensors.values()]

    def by_hand_read() -> tuple[object, list[Tensor]]:
        model = by_hand.load(path, size)
        return model, read(dict(model.named_parameters()))

    def unset_by_hand() -> object:
        with torch.device("meta"):
            return by_hand.build(size)

    return {
        "ours": lambda: KokoroModel.load(path),
        UNVERIFIED: lambda: KokoroModel.load(path, verify=False),
        "load_file": lambda: load_file(path),
        IN_MEMORY: lambda: read(load_file(path)),
        BY_HAND: by_hand_read,
        "assembling": lambda: assemble(spec),
        "building by hand": lambda: by_hand.build(size),
        UNSET: lambda: assemble(spec, initialise=False),
        "building by hand on meta": unset_by_hand,
    }
