"""What holds for every autoregressive decoder, and for positional encodings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder, PositionalEncoding, State
from kokoro_core.masks import zero_padding
from kokoro_core.nn.shift import shift_right
from kokoro_core.testing.batches import RaggedBatch
from kokoro_core.testing.checks import TOLERANCE, assert_same
from kokoro_core.testing.probes import Outputs, Probe


def check_causality(probe: Probe[Any], batch: RaggedBatch) -> None:
    """Another frame changes the groups after its own, and nothing before them."""
    inputs, padding_mask = probe.inputs(batch), batch.padding_mask
    r = probe.component.reduction_factor
    before = probe.run(inputs, padding_mask)
    for frame in range(batch.width):
        changed = inputs["mel_specs"].clone()
        changed[:, frame] += 1
        after = probe.run({**inputs, "mel_specs": changed}, padding_mask)
        first = (frame // r + 1) * r
        for name, tensor in before.tensors.items():
            promise = f"`{name}` must not know frame {frame} before step {first}"
            assert_same(after.tensors[name][:, :first], tensor[:, :first], promise)
        told = (after.tensors["mel"] - before.tensors["mel"])[:, first : first + r].abs().amax(2)
        heard = told[~padding_mask[:, first : first + r]]
        assert bool((heard > TOLERANCE).all()), f"Step {first} must know frame {frame}"


def check_step_equals_forward(probe: Probe[Any], batch: RaggedBatch, chunks: list[int]) -> None:
    """Frames made in chunks are those of one pass.

    Args:
        probe: Of an autoregressive decoder.
        batch: What it decodes.
        chunks: Groups of each call of `step`; they sum to the batch's groups.
    """
    state, pieces = _begin(probe, batch, chunks)
    made = [probe.component.step(piece, state) for piece in pieces]
    _compare(made, probe.run(probe.inputs(batch), batch.padding_mask))


def check_fork(
    probe: Probe[Any], batch: RaggedBatch, chunks: list[int], rows: list[int], fork_after: int
) -> None:
    """Rows selected on the way go on as if alone, whatever becomes of those they come from.

    Args:
        probe: Of an autoregressive decoder.
        batch: What it decodes.
        chunks: Groups of each call of `step`; they sum to the batch's groups.
        rows: Rows that are forked, reordered or dropped.
        fork_after: Calls of `step` before that.
    """
    index = torch.tensor(rows)
    state, pieces = _begin(probe, batch, chunks)
    made = [probe.component.step(piece, state) for piece in pieces[:fork_after]]
    fork = state.select(index)
    made = [(mel[index], stop_logits[index]) for mel, stop_logits in made]
    for piece in pieces[fork_after:]:
        made.append(probe.component.step(piece[index], fork))
        # The original goes another way; memory that both share is spoilt for the fork's next step.
        probe.component.step(1 - piece, state)
    whole = probe.run(probe.inputs(batch), batch.padding_mask)
    tensors = {name: tensor[index] for name, tensor in whole.tensors.items()}
    _compare(made, Outputs(tensors, whole.padding_mask[index]))


def _begin(
    probe: Probe[Any], batch: RaggedBatch, chunks: list[int]
) -> tuple[State, tuple[Tensor, ...]]:
    """Return the state before the first frame, and the frames that each call of `step` is fed."""
    inputs, padding_mask = probe.inputs(batch), batch.padding_mask
    decoder: AutoregressiveDecoder = probe.component
    r = decoder.reduction_factor
    fed = shift_right(zero_padding(inputs["mel_specs"], padding_mask), r)
    side = probe.side_inputs(padding_mask)
    state = decoder.init_state(inputs["memory"], padding_mask, fed.shape[1], **side)
    return state, torch.split(fed, [chunk * r for chunk in chunks], dim=1)


def _compare(steps: list[tuple[Tensor, Tensor]], whole: Outputs) -> None:
    """Compare what steps made with what one pass made, on the valid frames."""
    valid = ~whole.padding_mask
    for number, name in enumerate(("mel", "stop_logits")):
        stepped = torch.cat([pair[number] for pair in steps], dim=1)[:, : valid.shape[1]]
        promise = f"`{name}` must be the same step by step"
        assert_same(stepped[valid], whole.tensors[name][valid], promise)


def check_position_offset(
    encoding: PositionalEncoding, *, hidden_dim: int, num_heads: int, length: int, start: int
) -> None:
    """What stands at later positions is encoded as it is in the whole sequence."""
    generator = torch.Generator().manual_seed(length)
    x = torch.randn(2, length, hidden_dim, generator=generator, dtype=torch.float64)
    # (B, T, H) -> (B, heads, T, H/heads)
    q = x.reshape(len(x), -1, num_heads, hidden_dim // num_heads).transpose(1, 2)
    k = q.flip(2)
    weights = (q @ k.transpose(2, 3)).softmax(3)
    every = torch.arange(length)
    late = every[start:]
    assert_same(encoding.add(x[:, start:], late), encoding.add(x, every)[:, start:], "`add`")
    turned_q, turned_k = encoding.rotate(q, k, every, every)
    late_q, late_k = encoding.rotate(q[:, :, start:], k, late, every)
    assert_same(late_q, turned_q[:, :, start:], "`rotate` must know the queries' positions")
    assert_same(late_k, turned_k, "`rotate` must know the keys' positions")
    pairs = [
        (encoding.bias(late, every), encoding.bias(every, every)),
        (
            encoding.content_bias(q[:, :, start:], late, every),
            encoding.content_bias(q, every, every),
        ),
        (
            encoding.values(weights[:, :, start:], late, every),
            encoding.values(weights, every, every),
        ),
    ]
    for got, expected in pairs:
        assert (got is None) == (expected is None), "A bias must not come and go with positions"
        if got is not None and expected is not None:
            assert_same(got, expected[..., start:, :], "A bias must know the queries' positions")


def check_positions_of_rows(
    encoding: PositionalEncoding, *, hidden_dim: int, num_heads: int, positions: Tensor
) -> None:
    """Positions (B, T) give each row what its own positions (T,) give it."""
    rows, length = positions.shape
    generator = torch.Generator().manual_seed(length)
    x = torch.randn(rows, length, hidden_dim, generator=generator, dtype=torch.float64)
    # (B, T, H) -> (B, heads, T, H/heads)
    q = x.reshape(len(x), -1, num_heads, hidden_dim // num_heads).transpose(1, 2)
    added = encoding.add(x, positions)
    turned, _ = encoding.rotate(q, q, positions, positions)
    bias = encoding.bias(positions, positions)
    for row in range(rows):
        one, own = slice(row, row + 1), positions[row]
        assert_same(added[row], encoding.add(x[one], own)[0], "`add` must follow the row")
        alone, _ = encoding.rotate(q[one], q[one], own, own)
        assert_same(turned[row], alone[0], "`rotate` must follow the row")
        if bias is not None:
            expected = encoding.bias(own, own)
            assert expected is not None, "A bias must not come and go with positions"
            assert_same(bias[row], expected, "`bias` must follow the row")
