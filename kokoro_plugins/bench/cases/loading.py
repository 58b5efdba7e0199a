"""Loading a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file

from kokoro_core.api import KokoroModel
from kokoro_plugins.bench.fresh_load import growth_of_a_load
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.results import CaseResult, Verdict
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, take_turns

IN_MEMORY = "load_file, read into memory"


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time loading from a file that the system has in its cache, and how a process grows."""
    result = CaseResult("loading", "loading a checkpoint that is in the system's cache")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model = our_model(scale.model)
        model.save(path)
        weights = sum(each.numel() * each.element_size() for each in model.parameters())
        contenders: dict[str, Callable[[], object]] = {
            "ours": lambda: KokoroModel.load(path),
            "load_file": lambda: load_file(path),
            IN_MEMORY: lambda: {name: each.clone() for name, each in load_file(path).items()},
        }
        del model
        grown = growth_of_a_load(path)
        ready = {name: Contender(load) for name, load in contenders.items()}
        timings = take_turns(ready, rounds=scale.rounds, block_seconds=scale.block_seconds)
    setting = {"threads": threads, "MiB": weights / 2**20}
    result.add(timings, setting)
    for name in ("load_file", IN_MEMORY):
        ratio = timings["ours"].median / timings[name].median
        result.verdicts.append(Verdict(f"ours / {name}", ratio, "at most", 1.2, setting))
    if grown is not None:
        what = "growth of a fresh process / weights"
        result.verdicts.append(Verdict(what, grown / weights, "at most", 1.3, setting))
    result.notes.append(
        "`load_file` maps the file and reads a weight when it is first used; ours has compared "
        "every byte with the content hash when it returns."
    )
    return result
