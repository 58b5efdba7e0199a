"""What the component refuses."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.params.sizes import Sizes
from kokoro_core.scaffold.examples.decoder.params import ExampleParams

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=4)


def test_memory_without_a_vector_for_each_frame_is_refused() -> None:
    decoder = ExampleParams().build(SIZES)
    memory, mel = torch.randn(1, 2, 4), torch.randn(1, 3, 6)
    masks = [torch.zeros(1, length, dtype=torch.bool) for length in (2, 3)]
    with pytest.raises(ValueError, match="one vector a frame, but there are 2 and 3 frames"):
        decoder(memory, masks[0], mel, masks[1])


def test_a_frame_beyond_the_room_of_the_state_is_refused() -> None:
    decoder = ExampleParams().build(SIZES).eval()
    state = decoder.init_state(torch.randn(1, 2, 4), torch.zeros(1, 2, dtype=torch.bool), 2)
    decoder.step(torch.zeros(1, 2, 6), state)
    with pytest.raises(ValueError, match="has room for 2 frames but was asked for frame 3"):
        decoder.step(torch.zeros(1, 1, 6), state)
