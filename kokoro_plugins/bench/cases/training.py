"""A training step, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch

from kokoro_core.model import TrainingBatch
from kokoro_plugins.bench.peers.contract import Trainer, random_batch
from kokoro_plugins.bench.peers.ours import OurTraining, our_model
from kokoro_plugins.bench.peers.speecht5 import SpeechT5Training, speecht5
from kokoro_plugins.bench.peers.torch_transformer import TorchTransformer, TorchTransformerTraining
from kokoro_plugins.bench.results import CaseResult, Measurement, Verdict
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Contender, take_turns

OURS, CHECKPOINTED, BF16 = "ours", "ours, 4 segments", "ours, bfloat16 autocast"


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time a step of each contender on the same batch."""
    rows, frames = scale.training
    result = CaseResult("training", f"a training step, {rows} rows of {frames} frames")
    batch = random_batch(scale.model, rows=rows, frames=frames)
    ready = contenders(scale.model, batch)
    timings = take_turns(ready, rounds=scale.rounds, block_seconds=scale.block_seconds)
    setting = {"threads": threads, "rows": rows, "frames": frames}
    for name, timing in timings.items():
        facts = {"frames_per_s": batch.mel_specs.shape[:2].numel() / timing.median}
        result.measurements.append(Measurement(name, setting, timing, facts))
    ours = timings[OURS].median
    for name, bar in (("SpeechT5", 1.3), ("nn.Transformer", 2.0)):
        ratio = timings[name].median / ours
        result.verdicts.append(Verdict(f"{name} / ours", ratio, "at least", bar, setting))
    ratio = ours / timings[BF16].median
    result.verdicts.append(Verdict(f"{OURS} / {BF16}", ratio, "at least", 2.5, setting))
    return result


def contenders(size: ModelSize, batch: TrainingBatch) -> dict[str, Contender]:
    """Return everybody who can be trained; the three of ours share no weights."""
    checkpointed = our_model(size, gradient_checkpointing={"segments": 4})
    autocast: Callable[[], AbstractContextManager[object]] = partial(
        torch.autocast, "cpu", torch.bfloat16
    )
    ours = our_model(size)
    entries: list[tuple[Trainer, Callable[[], AbstractContextManager[object]]]] = [
        (OurTraining(ours), nullcontext),
        (OurTraining(checkpointed, CHECKPOINTED), nullcontext),
        (OurTraining(ours, BF16), autocast),
        (SpeechT5Training(speecht5(size)), nullcontext),
        (TorchTransformerTraining(TorchTransformer(size)), nullcontext),
    ]
    return {each.name: _contender(each, batch, context) for each, context in entries}


def _contender(
    trainer: Trainer, batch: TrainingBatch, context: Callable[[], AbstractContextManager[object]]
) -> Contender:
    def step() -> None:
        trainer.module.zero_grad(set_to_none=True)
        with context():
            loss = trainer.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]

    return Contender(step)
