"""A training step, forward and backward."""

from __future__ import annotations

import torch

from kokoro_core.cost.products import Products
from kokoro_core.model import TrainingBatch
from kokoro_plugins.bench.peers.contract import Trainer, random_batch
from kokoro_plugins.bench.peers.ours import OurTraining, our_model
from kokoro_plugins.bench.peers.speecht5 import SpeechT5Training, speecht5
from kokoro_plugins.bench.peers.torch_transformer import TorchTransformer, TorchTransformerTraining
from kokoro_plugins.bench.results import CaseResult, frames_per_second
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Contender, take_turns

OURS, CHECKPOINTED, BF16 = "ours", "ours, 4 segments", "ours, bfloat16 autocast"
PRODUCTS = "the products of ours, alone"
SHARE_OF_PRODUCTS = 0.85
"""Of a step's time, what its matrix products alone should take at least."""


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time a step of each contender on the same batch."""
    rows, frames = scale.training
    result = CaseResult("training", f"a training step, {rows} rows of {frames} frames")
    batch = random_batch(scale.model, rows=rows, frames=frames)
    ready = contenders(scale.model, batch)
    timings = take_turns(ready, rounds=scale.rounds, block_seconds=scale.block_seconds)
    setting = {"threads": threads, "rows": rows, "frames": frames}
    result.add(timings, setting, frames_per_second(rows * frames))
    bar = round(1 / SHARE_OF_PRODUCTS, 3)
    result.judge_medians(timings, OURS, PRODUCTS, "at most", bar, setting)
    result.judge_medians(timings, "SpeechT5", OURS, "at least", 1.3, setting)
    result.judge_medians(timings, "nn.Transformer", OURS, "at least", 2.0, setting)
    result.judge_medians(timings, OURS, BF16, "at least", 2.5, setting)
    return result


def contenders(size: ModelSize, batch: TrainingBatch) -> dict[str, Contender]:
    """Return everything that can be trained; ours with checkpointing has weights of its own."""
    checkpointed = our_model(size, gradient_checkpointing={"segments": 4})
    ours = our_model(size)
    trainers = (
        OurTraining(ours),
        OurTraining(checkpointed, CHECKPOINTED),
        OurTraining(ours, BF16),
        SpeechT5Training(speecht5(size)),
        TorchTransformerTraining(TorchTransformer(size)),
    )
    steps = {each.name: _contender(each, batch) for each in trainers}
    return {**steps, PRODUCTS: _products_of(steps[OURS])}


def _products_of(step: Contender) -> Contender:
    """Return the floor of a step: its matrix products at their shapes, in the order they run."""
    with Products() as products:
        step.run()
    return Contender(products.alone())


def _contender(trainer: Trainer, batch: TrainingBatch) -> Contender:
    def step() -> None:
        trainer.module.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=trainer.name == BF16):
            loss = trainer.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]

    return Contender(step)
