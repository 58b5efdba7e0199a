"""What the component computes, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.parallel_decoder.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=4)


def test_the_true_mel_is_not_looked_at() -> None:
    decoder = ExampleParams(num_layers=1).build(SIZES).eval()
    memory, mask = torch.randn(1, 3, 4), torch.zeros(1, 3, dtype=torch.bool)
    made = decoder(memory, mask, torch.randn(1, 3, 6), mask)
    assert torch.equal(made.mel, decoder.infer(memory, mask).mel)
    assert made.stop_logits is None


def test_memory_without_a_vector_for_each_frame_is_refused() -> None:
    decoder = ExampleParams().build(SIZES)
    memory, mel = torch.randn(1, 2, 4), torch.randn(1, 3, 6)
    masks = [torch.zeros(1, length, dtype=torch.bool) for length in (2, 3)]
    with pytest.raises(ValueError, match="one vector a frame, but there are 2 and 3 frames"):
        decoder(memory, masks[0], mel, masks[1])
