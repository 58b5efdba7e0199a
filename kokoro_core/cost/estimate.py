"""The cost of a model by slot: multiply-adds per mel frame, and memory of a training step.

The model is built and run on the meta device, so nothing is computed and no memory allocated;
torch counts what would have been. The memory of training is that of a CPU. Where none of our
kernels is used, attention is counted as written in its formula, with all weights in memory: a
fused kernel keeps less, and skips what a causal mask hides.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

from kokoro_core.cost.info import parameter_bytes
from kokoro_core.cost.live_bytes import activations
from kokoro_core.cost.saved_tensors import SavedTensors
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble, filled_parts
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.example_features import example_features
from kokoro_core.model.losses import training_losses, weigh
from kokoro_core.model.wiring import wiring_of
from kokoro_core.spec.tree.model_spec import LossWeights, ModelSpec

STATES_OF_ADAMW = 2
"""Numbers that AdamW keeps per parameter (Loshchilov and Hutter, 2019)."""


MOST = 1_000_000
"""Limit of rows, phonemes and frames: beyond it, torch cannot count the elements."""


class CannotMeasure(ValueError):
    """A model cannot run on the meta device; the message says why."""


@dataclass(frozen=True)
class Workload:
    """The batch that a model is measured on: rows of equal length, without padding.

    Attributes:
        rows: Utterances of a training batch.
        phonemes: Phonemes of an utterance.
        frames: Mel frames of an utterance; read speech has about six per phoneme.
    """

    rows: int = 16
    phonemes: int = 100
    frames: int = 600

    def __post_init__(self) -> None:
        for name in ("rows", "phonemes", "frames"):
            value = getattr(self, name)
            if not 1 <= value <= MOST:
                raise ValueError(f"`{name}` must be from 1 to {MOST:,}, not {value}.")

    def batch(self, spec: ModelSpec, device: str) -> TrainingBatch:
        """Return a batch of this size; only its shapes mean anything.

        Shape:
            phoneme_indices, durations: (B, N). mel_specs: (B, T, M).
        """
        index = 1 if spec.pad_id == 0 else 0
        share, left = divmod(self.frames, self.phonemes)
        durations = torch.full((self.rows, self.phonemes), share, device=device)
        durations[:, :left] += 1
        steps = self.steps(spec)
        return TrainingBatch(
            phoneme_indices=torch.full((self.rows, self.phonemes), index, device=device),
            padding_mask=torch.zeros(self.rows, self.phonemes, dtype=torch.bool, device=device),
            durations=None if spec.regulator is None else durations,
            mel_specs=torch.zeros(self.rows, self.frames, spec.mel_dim, device=device),
            mel_padding_mask=torch.zeros(self.rows, self.frames, dtype=torch.bool, device=device),
            extras=example_features(wiring_of(spec), steps, training=True, device=device),
        )

    def steps(self, spec: ModelSpec) -> dict[str, int]:
        """Return how many rows, phonemes, frames and mel channels there are."""
        frames = {"frame": self.frames, "mel": spec.mel_dim}
        return {"row": self.rows, "phoneme": self.phonemes, **frames}


def cost(spec: ModelSpec, workload: Workload | None = None) -> dict[str, Any]:
    """Return the cost of a model, as JSON values.

    Returns:
        ``workload``; ``multiply_adds_per_frame``: total and by slot, for one utterance;
        ``training_memory``: estimated bytes of a step with AdamW in float32.

    Raises:
        CannotMeasure: The model needs side inputs, or one of its parts reads values.
    """
    workload = workload or Workload()
    model = assemble(spec, device="meta")
    try:
        counted = multiply_adds(model, spec, workload)
        memory = training_memory(model, spec, workload)
    except LookupError as error:
        raise CannotMeasure(
            f"`{spec.name}` needs the side inputs {error}, which have no values."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise CannotMeasure(f"`{spec.name}` cannot be run on the meta device: {why}") from error
    per_frame = {slot: round(each / workload.frames) for slot, each in counted.items()}
    return {
        "workload": asdict(workload),
        "multiply_adds_per_frame": {"total": sum(per_frame.values()), "slots": per_frame},
        "training_memory": memory,
    }


def multiply_adds(model: AcousticModel, spec: ModelSpec, workload: Workload) -> dict[str, int]:
    """Return the multiply-adds of one utterance, by slot.

    They count matrix products and convolutions in one pass over all frames; a decoder that
    generates frame by frame does the same products with a cache. Work outside the forward of any
    module is attributed to the regulator, which has none.
    """
    one = Workload(1, workload.phonemes, workload.frames).batch(spec, _device(model))
    was_training = model.training
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        counter = FlopCounterMode(display=False)
        with counter:
            model.eval()(one)
    model.train(was_training)
    counts = {name: sum(each.values()) // 2 for name, each in counter.get_flop_counts().items()}
    slots = {slot: counts.get(f"{type(model).__name__}.{slot}", 0) for slot in filled_parts(model)}
    if "regulator" in slots:
        slots["regulator"] = counts.get("Global", 0) - sum(slots.values())
    return slots


def training_memory(model: AcousticModel, spec: ModelSpec, workload: Workload) -> dict[str, Any]:
    """Return the estimated bytes of a training step, up to the end of the backward pass.

    Returns:
        ``weights``, ``gradients`` and ``optimizer``; ``activations``: tensors saved for the
        backward pass, by slot; ``working``: the peak of what the backward pass holds on top,
        such as a recomputed segment of a checkpointed stack; ``total``.
    """
    batch = workload.batch(spec, _device(model))
    weights = parameter_bytes(model)
    trained = sum(
        each.numel() * each.element_size() for each in model.parameters() if each.requires_grad
    )
    kept = saved_bytes(model, batch, spec.loss)
    with sdpa_kernel(SDPBackend.MATH):
        held = activations(model, batch, spec.loss)
    working = held.peak - held.kept
    return {
        "weights": weights,
        "gradients": trained,
        "optimizer": STATES_OF_ADAMW * trained,
        "activations": {"total": sum(kept.values()), "slots": kept},
        "working": working,
        "total": weights + (1 + STATES_OF_ADAMW) * trained + sum(kept.values()) + working,
    }


def saved_bytes(model: AcousticModel, batch: TrainingBatch, loss: LossWeights) -> dict[str, int]:
    """Return the bytes that autograd saves in a training step, by slot and for the losses.

    Parameters are not counted: they exist anyway. A storage that two operations save counts once,
    for the first of them; what an unused result had saved is freed with it.
    """
    parts, running = filled_parts(model), ModuleTracker()
    outside = "regulator"  # its methods run outside the forward of any module

    def slot(_: int) -> str:
        paths = ((each, f"{type(model).__name__}.{each}") for each in parts)
        return next((each for each, path in paths if path in running.parents), outside)

    saved = SavedTensors(model.parameters(), slot)
    was_training = model.training
    model.train()
    with running, saved.counted(), sdpa_kernel(SDPBackend.MATH):
        prediction = model(batch)
        outside = "losses"
        total = weigh(training_losses(prediction, batch, loss), loss)
    model.train(was_training)
    counted = dict.fromkeys([*parts, outside], 0)
    for storage in saved.held():
        counted[storage.owner] = counted.get(storage.owner, 0) + storage.nbytes
    del total  # keeps the graph, and what it saved, alive until here
    return counted


def _device(model: AcousticModel) -> str:
    return next(model.parameters()).device.type
