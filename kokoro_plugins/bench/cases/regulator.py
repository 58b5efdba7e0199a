"""The regulator: phonemes repeated to frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.results import CaseResult
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, take_turns

BACKWARD = ", forwards and back"


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time `plan` and `expand` on ragged rows beside loops over the rows."""
    rows, phonemes = scale.ragged
    result = CaseResult("regulator", f"repeating {rows} rows of {phonemes} phonemes to frames")
    regulator = our_model(scale.model).acoustic.regulator
    assert regulator is not None, "the spec `default` has a regulator"
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(rows, phonemes, scale.model.hidden_dim, generator=generator)
    durations = torch.randint(1, 12, (rows, phonemes), generator=generator)
    padding_mask = torch.zeros(rows, phonemes, dtype=torch.bool)
    num_frames = int(durations.sum(1).max())

    def ours() -> Tensor:
        plan = regulator.plan(hidden, durations, padding_mask, num_frames)
        expanded: Tensor = regulator.expand(plan, hidden)
        return expanded

    ways: dict[str, Callable[[], Tensor]] = {
        "ours": ours,
        "loop over rows": lambda: loop_over_rows(hidden, durations),
        "loop over phonemes": lambda: loop_over_phonemes(hidden, durations),
    }
    contenders = {name: Contender(torch.no_grad()(way)) for name, way in ways.items()}
    grad = torch.randn(rows, num_frames, scale.model.hidden_dim, generator=generator)
    for name, way in ways.items():
        contenders[f"{name}{BACKWARD}"] = Contender(partial(_forward_backward, way, hidden, grad))
    timings = take_turns(contenders, rounds=scale.rounds, block_seconds=scale.block_seconds)
    setting = {"threads": threads, "rows": rows, "phonemes": phonemes, "frames": num_frames}
    result.add(timings, setting)
    for name in ("loop over rows", "loop over phonemes"):
        for backward in ("", BACKWARD):
            ratio = timings[f"{name}{backward}"].median / timings[f"ours{backward}"].median
            result.judge(f"{name} / ours{backward}", ratio, "at least", 10.0, setting)
    return result


def _forward_backward(way: Callable[[], Tensor], hidden: Tensor, grad: Tensor) -> None:
    hidden.requires_grad_().grad = None
    way().backward(grad)  # type: ignore[no-untyped-call]


def loop_over_rows(hidden: Tensor, durations: Tensor) -> Tensor:
    """Repeat each row by `repeat_interleave` and pad.

    Shape:
        hidden: (B, N, H). durations: (B, N). Returns: (B, T, H).
    """
    pairs = zip(hidden, durations, strict=True)
    return pad_sequence([row.repeat_interleave(each, 0) for row, each in pairs], batch_first=True)


def loop_over_phonemes(hidden: Tensor, durations: Tensor) -> Tensor:
    """Repeat phoneme by phoneme and pad, as the length regulators of many FastSpeech codes do.

    Shape:
        hidden: (B, N, H). durations: (B, N). Returns: (B, T, H).
    """
    rows = []
    for row, counts in zip(hidden, durations, strict=True):
        pairs = zip(row, counts, strict=True)
        rows.append(torch.cat([vector.expand(int(count), -1) for vector, count in pairs]))
    return pad_sequence(rows, batch_first=True)
