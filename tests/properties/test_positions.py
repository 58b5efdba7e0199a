"""What holds for every registered positional encoding, alone and in every attention component."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing import checks, decoding
from kokoro_core.testing.batches import RaggedBatch
from tests.properties.components import (
    MAX_LEN,
    NUM_HEADS,
    PROPERTY,
    REGISTRY,
    SIZES,
    SLOTS,
    attention_cases,
    encoding_params,
    tiny_probe,
)

ENCODINGS = REGISTRY.names("positional_encoding")
STACK = {"hidden_dim": SIZES.hidden_dim, "num_heads": NUM_HEADS}
BATCHES = (RaggedBatch((1,)), RaggedBatch((3, 6, 1), extra=2), RaggedBatch((4, 4)))


def build(name):
    torch.manual_seed(0)
    return encoding_params(name).build(**STACK).double()


@pytest.mark.parametrize("name", ENCODINGS)
@PROPERTY
@given(length=st.integers(1, MAX_LEN), part=st.floats(0, 1))
@example(length=1, part=0.0)
@example(length=MAX_LEN, part=1.0)
def test_an_offset_is_a_slice_of_the_whole(name, length, part):
    start = int(part * (length - 1))
    decoding.check_position_offset(build(name), **STACK, length=length, start=start)


@pytest.mark.parametrize("name", ENCODINGS)
@PROPERTY
@given(
    positions=st.lists(
        st.lists(st.integers(0, MAX_LEN - 1), min_size=3, max_size=3), min_size=1, max_size=3
    )
)
@example(positions=[[0, 1, 2], [0, 0, MAX_LEN - 1]])
def test_each_row_may_have_positions_of_its_own(name, positions):
    decoding.check_positions_of_rows(build(name), **STACK, positions=torch.tensor(positions))


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoding_with_an_end_refuses_what_is_longer(name):
    encoding = build(name)
    if encoding.max_len is None:
        encoding.check_length(10**6)
        return
    encoding.check_length(encoding.max_len)
    with pytest.raises(ValueError, match=f"knows {MAX_LEN} positions .* {MAX_LEN + 1}; raise"):
        encoding.check_length(encoding.max_len + 1)


@pytest.mark.parametrize(("case", "name"), attention_cases(*SLOTS))
def test_any_encoding_serves_any_attention(case, name):
    probe = tiny_probe(case, positional_encoding=encoding_params(name))
    for batch in BATCHES:
        checks.check_shapes(probe, batch)
        checks.check_row_alone(probe, batch)
        checks.check_padding_may_hold_anything(probe, batch)
        checks.check_training_equals_evaluation(probe, batch)
        checks.check_inputs_matter(probe, batch)
        if isinstance(probe.component, AutoregressiveDecoder):
            decoding.check_causality(probe, batch)
            rows = list(range(len(batch.lengths)))[::-1]
            chunks = [1] * (batch.width // 2) + [batch.width - batch.width // 2]
            decoding.check_step_equals_forward(probe, batch, chunks)
            decoding.check_fork(probe, batch, chunks, rows, fork_after=1)
    checks.check_parameters_learn(probe, RaggedBatch((9, 5, 7), extra=1))
    checks.check_checkpointing(probe, RaggedBatch((6, 3, 5), extra=1), segments=2)


@pytest.mark.parametrize(("case", "name"), attention_cases("encoder"))
def test_the_encoding_decides_whether_the_order_of_phonemes_matters(case, name):
    probe = tiny_probe(case, positional_encoding=encoding_params(name))
    batch = RaggedBatch((6, 6))
    inputs = probe.inputs(batch)
    flipped = {key: tensor.flip(1) for key, tensor in inputs.items()}
    straight = probe.run(inputs, batch.padding_mask).tensors["hidden"]
    back = probe.run(flipped, batch.padding_mask).tensors["hidden"].flip(1)
    same = torch.allclose(straight, back, rtol=0, atol=1e-6)
    # A bias of distances alone is the same read backwards, so it is asked with a shift as well.
    rolled = {key: tensor.roll(1, 1) for key, tensor in inputs.items()}
    turned = probe.run(rolled, batch.padding_mask).tensors["hidden"].roll(-1, 1)
    same = same and torch.allclose(straight, turned, rtol=0, atol=1e-6)
    assert same == (name == "none")
