"""What a durable save costs: ``python -m tests.kokoro_plugins.bench.bench_checkpoints [FOLDER]``.

The contenders take turns in rounds on one folder, each round in the other order. The bar is
1.5 times plain `save_file` plus the time of the hash alone. A plain file is not on the disk when
`save_file` returns, so that with `fsync` is measured as well, the rest being the disk's time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from kokoro_core.durable import StepFolder


def measure(folder: Path, tensors: Mapping[str, Tensor], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contender in each round, a first round left out."""
    contenders = _contenders(folder, dict(tensors))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        names = list(contenders)[:: 1 if number % 2 else -1]
        for name in names:
            os.sync()  # what the one before has left unwritten is not this one's
            start = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: each[1:] for name, each in seconds.items()}


def _contenders(folder: Path, tensors: dict[str, Tensor]) -> dict[str, Callable[[], object]]:
    plain, steps = folder / "plain.safetensors", StepFolder(folder / "steps")
    save_file(tensors, plain)
    numbers = iter(range(10**6))

    def durable() -> None:
        steps.save(
            next(numbers), lambda path: save_file(tensors, path / "model.safetensors"), facts={}
        )

    def synchronized() -> None:
        save_file(tensors, plain)
        _sync(plain)

    durable()
    return {
        "plain": lambda: save_file(tensors, plain),
        "plain and fsync": synchronized,
        "hash": lambda: _hash(plain),
        "durable save": durable,
        "find and verify": lambda: steps.newest(print),
    }


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verdict(seconds: Mapping[str, list[float]]) -> list[str]:
    """Return the table, and how the durable save stands to the bar."""
    lines = [f"{'':18}{'min':>9}{'median':>9}"]
    lines += [
        f"{name:18}{min(each):8.3f}s{statistics.median(each):8.3f}s"
        for name, each in seconds.items()
    ]
    for base in ("plain", "plain and fsync"):
        ratios = [
            saved / (1.5 * written + hashed)
            for saved, written, hashed in zip(
                seconds["durable save"], seconds[base], seconds["hash"], strict=True
            )
        ]
        lines.append(
            f"durable save / (1.5 x {base} + hash): min {min(ratios):.2f}, "
            f"median {statistics.median(ratios):.2f} (bar: 1)"
        )
    return lines


def main() -> None:
    """Measure in a folder on the disk that is asked about."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path())
    parser.add_argument("--megabytes", type=int, default=179, help="179 are those of `default`")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    width = 10**6
    count = max(1, options.megabytes // 4)
    tensors = {f"weight.{number}": torch.randn(width) for number in range(count)}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print("\n".join(verdict(measure(Path(folder), tensors, options.rounds))))


if __name__ == "__main__":
    main()
