"""What holds for every component that turns rows into rows.

Each check takes a probe and a batch and raises an AssertionError that names the broken promise.
Float64 and a tolerance of 1e-9 leave four orders of magnitude between rounding and a weak leak.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core.masks import lengths_from_padding_mask
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.testing.batches import RaggedBatch
from kokoro_core.testing.probes import Outputs, Probe, Tensors

TOLERANCE = 1e-9
POISONS = (0.0, 1e4, float("nan"))


def assert_same(got: Tensor, expected: Tensor, promise: str) -> None:
    """Compare within the tolerance; a failure says which promise is broken."""
    torch.testing.assert_close(
        got, expected, rtol=TOLERANCE, atol=TOLERANCE, msg=lambda detail: f"{promise}. {detail}"
    )


def check_shapes(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Every output has the shape that its slot says, the input's dtype, and is finite."""
    outputs = probe.run(probe.inputs(batch), batch.padding_mask)
    rows, steps = outputs.padding_mask.shape
    assert rows == len(batch.lengths), "The output has as many rows as the input"
    for name, tensor in outputs.tensors.items():
        width = probe.widths()[name]
        expected = (rows, steps) if width is None else (rows, steps, width)
        assert tuple(tensor.shape) == expected, (
            f"`{name}` must have the shape {expected}, not {tuple(tensor.shape)}"
        )
        assert tensor.dtype is torch.float64, f"`{name}` must keep float64, not {tensor.dtype}"
        assert bool(tensor.isfinite().all()), f"`{name}` must be finite"


def check_padding_is_zero(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Every output is exactly 0 at padding."""
    outputs = probe.run(probe.inputs(batch), batch.padding_mask)
    for name, tensor in outputs.tensors.items():
        assert bool((tensor[outputs.padding_mask] == 0).all()), f"`{name}` must be 0 at padding"


def check_row_alone(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Each row gives alone, without padding, what it gives in the batch."""
    inputs = probe.inputs(batch)
    together = probe.run(inputs, batch.padding_mask)
    for row, length in enumerate(batch.lengths):
        own = {name: tensor[row : row + 1, :length] for name, tensor in inputs.items()}
        alone = probe.run(own, torch.zeros(1, length, dtype=torch.bool))
        steps = int((~together.padding_mask[row]).sum())
        assert alone.padding_mask.shape[1] == steps, (
            f"Row {row} must be as long alone as in a batch: {alone.padding_mask.shape[1]}, {steps}"
        )
        for name, tensor in alone.tensors.items():
            promise = f"`{name}` of row {row} must be the same alone and in a batch"
            assert_same(together.tensors[name][row, :steps], tensor[0], promise)


def check_padding_may_hold_anything(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Other values at padding, NaN and other phonemes included, change nothing."""
    inputs, padding_mask = probe.inputs(batch), batch.padding_mask
    clean = probe.run(inputs, padding_mask)
    for poison in POISONS:
        dirty = {
            name: poisoned(tensor, padding_mask, poison)
            if name in probe.may_hold_anything
            else tensor
            for name, tensor in inputs.items()
        }
        got = probe.run(dirty, padding_mask)
        for name, tensor in clean.tensors.items():
            promise = f"`{name}` must not depend on what padding holds, here {poison}"
            assert_same(got.tensors[name], tensor, promise)


def poisoned(tensor: Tensor, padding_mask: Tensor, poison: float) -> Tensor:
    """Return a tensor with another value at padding: an index becomes 0 or the row's first."""
    if not tensor.is_floating_point():
        return torch.where(padding_mask, tensor[:, :1] * int(poison != 0), tensor)
    mask = padding_mask if tensor.dim() == 2 else padding_mask.unsqueeze(-1)
    return tensor.masked_fill(mask, poison)


def check_inputs_matter(probe: Probe[Any], batch: RaggedBatch) -> None:
    """The gradient is finite, not 0 where an input must matter, and exactly 0 at padding."""
    inputs = {
        name: tensor.requires_grad_() if tensor.is_floating_point() else tensor
        for name, tensor in probe.inputs(batch).items()
    }
    outputs = probe.run(inputs, batch.padding_mask)
    if not any(tensor.requires_grad for tensor in inputs.values()):
        check_indices_matter(probe, inputs, batch)
        return
    projection(outputs).backward()  # type: ignore[no-untyped-call]
    for name, expected in probe.matters(inputs, batch.padding_mask).items():
        gradient = inputs[name].grad
        assert gradient is not None, f"`{name}` must reach the output"
        assert bool(gradient.isfinite().all()), f"The gradient of `{name}` must be finite"
        reached = (gradient != 0).any(-1)
        assert bool(reached[expected].all()), f"`{name}` must matter at each valid step"
        assert not bool(reached[batch.padding_mask].any()), f"`{name}` must not at padding"


def check_indices_matter(probe: Probe[Any], inputs: Tensors, batch: RaggedBatch) -> None:
    """Another index at any valid step changes its row's output."""
    high = probe.sizes.vocab_size
    (name,) = inputs
    for row, length in enumerate(batch.lengths):
        same = inputs[name][row : row + 1, :length].expand(length, -1)
        others = torch.where(same + 1 < high, same + 1, same - 1)
        changed = torch.where(torch.eye(length, dtype=torch.bool), others, same)
        no_padding = torch.zeros(length, length, dtype=torch.bool)
        before, after = (probe.run({name: each}, no_padding) for each in (same, changed))
        for output, tensor in after.tensors.items():
            difference = (tensor - before.tensors[output]).abs().flatten(1).amax(1)
            assert bool((difference > TOLERANCE).all()), f"`{name}` must matter at each valid step"


def projection(outputs: Outputs) -> Tensor:
    """Return one number that depends on every output in a random way."""
    generator = torch.Generator().manual_seed(7)
    total = torch.zeros((), dtype=torch.float64)
    for tensor in outputs.tensors.values():
        weights = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        total = total + (tensor * weights).sum()
    return total


def check_parameters_learn(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Every parameter gets a finite gradient that is not all 0."""
    probe.component.zero_grad()
    outputs = probe.run(probe.inputs(batch), batch.padding_mask)
    if list(probe.component.parameters()):
        projection(outputs).backward()  # type: ignore[no-untyped-call]
    for name, parameter in probe.component.named_parameters():
        assert parameter.grad is not None, f"The parameter `{name}` must get a gradient"
        assert bool(parameter.grad.isfinite().all()), f"The gradient of `{name}` must be finite"
        assert bool((parameter.grad != 0).any()), f"The gradient of `{name}` must not be all 0"
    probe.component.zero_grad()


def check_evaluation_is_pure(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Evaluation repeats itself to the bit, draws no random number, changes no state or input."""
    inputs, component = probe.inputs(batch), probe.component
    copies = {name: tensor.clone() for name, tensor in inputs.items()}
    state = {name: value.clone() for name, value in component.state_dict().items()}
    random_state = torch.get_rng_state()
    first = probe.run(inputs, batch.padding_mask)
    second = probe.run(inputs, batch.padding_mask)
    assert torch.equal(random_state, torch.get_rng_state()), "Evaluation must draw nothing"
    for name, tensor in inputs.items():
        assert torch.equal(tensor, copies[name]), f"The input `{name}` must not be written to"
    for name, value in component.state_dict().items():
        assert torch.equal(value, state[name]), f"Evaluation must not change `{name}`"
    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, second.tensors[name]), f"`{name}` must be the same twice"


def check_training_equals_evaluation(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Without dropout, training mode gives what evaluation gives, unless it couples rows."""
    if probe.component.couples_rows:
        return
    inputs = probe.inputs(batch)
    evaluated = probe.run(inputs, batch.padding_mask)
    probe.component.train()
    try:
        trained = probe.run(inputs, batch.padding_mask)
    finally:
        probe.component.eval()
    for name, tensor in evaluated.tensors.items():
        assert_same(trained.tensors[name], tensor, f"`{name}` must be the same in training mode")


def check_checkpointing(probe: Probe[Any], batch: RaggedBatch, segments: int) -> None:
    """Recomputing stacks changes no output and no gradient, whatever dropout draws."""
    inputs = probe.inputs(batch)
    results = []
    for setting in (None, segments):
        for module in probe.component.modules():
            if isinstance(module, CheckpointedStack):
                module.segments = setting
        results.append(_train_once(probe, inputs, batch.padding_mask))
    (plain, plain_grads), (recomputed, recomputed_grads) = results
    for name, tensor in plain.tensors.items():
        promise = f"`{name}` must be the same with {segments} segments"
        assert_same(recomputed.tensors[name], tensor, promise)
    for name, gradient in plain_grads.items():
        promise = f"The gradient of `{name}` must be the same with {segments} segments"
        assert_same(recomputed_grads[name], gradient, promise)


def _train_once(
    probe: Probe[Any], inputs: Tensors, padding_mask: Tensor
) -> tuple[Outputs, Tensors]:
    """Return outputs and gradients in training mode; the random state differs on the way back."""
    component = probe.component
    component.train()
    component.zero_grad()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        outputs = probe.run(inputs, padding_mask)
        torch.manual_seed(12)
        projection(outputs).backward()  # type: ignore[no-untyped-call]
    component.eval()
    gradients = {
        name: each.grad for name, each in component.named_parameters() if each.grad is not None
    }
    return outputs, gradients


def check_durations(probe: Probe[Any], durations: list[list[int]]) -> None:
    """A regulator plans as many frames as the durations sum to, and a constant stays constant."""
    width = max(len(row) for row in durations)
    frames = torch.tensor([row + [0] * (width - len(row)) for row in durations])
    padding_mask = RaggedBatch(tuple(len(row) for row in durations)).padding_mask
    hidden = torch.ones(len(durations), width, probe.sizes.hidden_dim, dtype=torch.float64)
    longest = max(sum(row) for row in durations)
    for num_frames in (None, longest + 2):
        plan = probe.component.plan(hidden, frames, padding_mask, num_frames)
        assert plan.lengths.tolist() == [sum(row) for row in durations], "Lengths are the sums"
        assert torch.equal(plan.durations, frames), "The plan must keep the durations"
        assert plan.padding_mask.shape[1] == (longest if num_frames is None else num_frames)
        assert torch.equal(lengths_from_padding_mask(plan.padding_mask), plan.lengths)
        expected = (~plan.padding_mask).unsqueeze(-1).expand(-1, -1, hidden.shape[2]).double()
        memory = probe.component.expand(plan, hidden)
        assert_same(memory, expected, "What is the same in all phonemes is so in all frames")
