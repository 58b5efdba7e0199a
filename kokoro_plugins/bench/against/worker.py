"""One side of a comparison: a process that runs a case whenever it is told to.

It is run by its path and never imported, because the packages that it imports are those of another
commit in one of the two processes. So it uses what every commit has: `KokoroModel.from_spec`,
`forward`, `generate`, `save` and `load`.

The only argument is JSON: ``case``, ``spec``, ``threads``, ``device``, ``frames``, ``training``
(rows and frames), ``clock`` (a function of `time`), ``root`` (where `kokoro_core` must lie) and
``folder`` (for a checkpoint). Each line of standard input asks for one run, and each line of
standard output answers: ``{"parameters": …}`` when the case is ready, then ``{"seconds": …}`` for
each run, or ``{"error": …}``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

FRAMES_PER_PHONEME = 6


def main() -> None:
    """Prepare the case, then run it once for each line of standard input."""
    replies = _claim_standard_output()
    settings = json.loads(sys.argv[1])
    clock = getattr(time, settings["clock"])
    try:
        run, parameters = _prepare(settings)
        run()  # the first run allocates and compiles, which is not compared
        _reply(replies, parameters=parameters)
        for _ in sys.stdin:
            begin = clock()
            run()
            _reply(replies, seconds=clock() - begin)
    except Exception as error:
        _reply(replies, error=f"{type(error).__name__}: {error}")


def _claim_standard_output() -> TextIO:
    """Return standard output; whatever else writes to it goes to standard error from now on."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def _reply(replies: TextIO, **values: Any) -> None:
    replies.write(json.dumps(values) + "\n")
    replies.flush()


def _prepare(settings: dict[str, Any]) -> tuple[Callable[[], object], int]:
    """Build the model; return the case as a function, and the number of parameters."""
    import kokoro_core
    from kokoro_core import KokoroModel

    found = Path(kokoro_core.__file__).parents[1]
    if not found.samefile(settings["root"]):
        raise ImportError(f"`kokoro_core` was imported from `{found}`")
    import torch

    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    model = KokoroModel.from_spec(settings["spec"]).to(settings["device"])
    run: Callable[[], object] = CASES[settings["case"]](model, settings)

    def finished() -> None:
        run()
        if settings["device"] != "cpu":
            torch.accelerator.synchronize()

    return finished, sum(each.numel() for each in model.parameters())


def _frame(model: Any, settings: dict[str, Any]) -> Callable[[], object]:
    return _speaking(model, settings, rows=1)


def _utterance(model: Any, settings: dict[str, Any]) -> Callable[[], object]:
    return _speaking(model, settings, rows=8)


def _speaking(model: Any, settings: dict[str, Any], *, rows: int) -> Callable[[], object]:
    phonemes, durations = _phonemes(model, rows, settings["frames"])
    model.eval()
    return lambda: model.generate(
        phonemes,
        durations=durations,
        max_mel_len=settings["frames"],
        stop_threshold=1.0,  # random weights do not know when to stop
    )


def _training(model: Any, settings: dict[str, Any]) -> Callable[[], object]:
    """Return a step on rows of decreasing length, forward and backward."""
    import torch

    rows, frames = settings["training"]
    phonemes, durations = _phonemes(model, rows, frames)
    for row in range(rows):
        end = phonemes.shape[1] - row * phonemes.shape[1] // (2 * rows)
        phonemes[row, end:], durations[row, end:] = model.spec.pad_id, 0
    mel = torch.randn(rows, int(durations.sum(1).max()), model.spec.mel_dim).to(phonemes.device)
    for row, length in enumerate(durations.sum(1).tolist()):
        mel[row, length:] = 0
    model.train()

    def step() -> None:
        model.zero_grad(set_to_none=True)
        model(phonemes, mel, durations).loss.backward()

    return step


def _loading(model: Any, settings: dict[str, Any]) -> Callable[[], object]:
    path = Path(settings["folder"]) / f"{os.getpid()}.safetensors"  # each side reads its own
    model.save(path)
    return lambda: type(model).load(path, device=settings["device"])


def _phonemes(model: Any, rows: int, frames: int) -> tuple[Any, Any]:
    """Return phoneme indices (B, N) and their durations (B, N), equal on both sides."""
    import torch

    known = [each for each in range(model.spec.vocab_size) if each != model.spec.pad_id]
    count = max(1, frames // FRAMES_PER_PHONEME)
    drawn = torch.randint(len(known), (rows, count), generator=torch.Generator().manual_seed(0))
    device = next(model.parameters()).device
    durations = torch.full((rows, count), FRAMES_PER_PHONEME, device=device)
    return torch.tensor(known)[drawn].to(device), durations


CASES = {
    "frame": _frame,
    "utterance": _utterance,
    "training": _training,
    "loading": _loading,
}

if __name__ == "__main__":
    main()
