"""The settings of the decoders that make this architecture speak, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.contracts import Plan, PositionalEncoding
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.transformer.decoder import TransformerDecoder
from kokoro_plugins.transformer.layers import LayerSettings
from kokoro_plugins.transformer.parallel_decoder import ParallelTransformerDecoder
from kokoro_plugins.transformer.place import PlaceEmbedding
from kokoro_plugins.transformer.sinusoidal import SinusoidalEncoding

DIM, MELS = 16, 5
LAYER = LayerSettings(hidden_dim=DIM, num_heads=2, ff_dim=16, dropout=0.0, norm="pre")
DURATIONS = torch.tensor([[2, 0, 3], [1, 1, 0]])
LENGTHS = DURATIONS.sum(1)
MASK = padding_mask_from_lengths(LENGTHS, 5)
PLAN = Plan(LENGTHS, MASK, DURATIONS)


def decoder(**settings: Any) -> TransformerDecoder:
    torch.manual_seed(0)
    encoding = settings.pop("positional_encoding", SinusoidalEncoding(hidden_dim=DIM, max_len=9))
    return TransformerDecoder(
        mel_dim=MELS, num_layers=2, layer=LAYER, positional_encoding=encoding, **settings
    ).double()


def memory() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 5, DIM, generator=generator, dtype=torch.float64).masked_fill(
        MASK.unsqueeze(-1), 0
    )


def mel() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 5, MELS, generator=generator, dtype=torch.float64)


def repeated() -> Tensor:
    """Return a memory in which all frames are copies of one vector."""
    return memory()[:, :1].expand(-1, 5, -1).masked_fill(MASK.unsqueeze(-1), 0)


def test_place_embeddings_are_sums_of_two_tables_by_frames_since_and_frames_left() -> None:
    place = PlaceEmbedding(hidden_dim=DIM, size=2).double()
    found = place(DURATIONS, 5)
    # frames since the start and left in the phoneme, shared beyond the last embedding
    since, left = [0, 1, 0, 1, 1], [1, 0, 1, 1, 0]
    expected = place.since_start.weight[since] + place.until_end.weight[left]
    torch.testing.assert_close(found[0], expected)


def test_without_positions_on_the_memory_attention_cannot_tell_copies_apart() -> None:
    blind = decoder(
        add_memory=False, memory_positions=False, positional_encoding=PositionalEncoding()
    )
    frames = torch.zeros_like(mel())
    same = blind(repeated(), MASK, frames, MASK).mel[0]
    assert torch.allclose(same, same[:1].expand_as(same))
    seeing = decoder(add_memory=True)
    different = seeing(repeated(), MASK, frames, MASK).mel[0]
    assert not torch.allclose(different[0], different[1])


def test_positions_on_the_memory_alone_tell_its_vectors_apart() -> None:
    swapped = memory()[:, [1, 0, 2, 3, 4]]
    frames = torch.zeros_like(mel())
    for positions, differs in ((True, True), (False, False)):
        reader = decoder(add_memory=False, memory_positions=positions)
        first = reader(memory(), MASK, frames, MASK).mel[0]
        second = reader(swapped, MASK, frames, MASK).mel[0]
        assert torch.allclose(first, second, atol=1e-9) != differs


def test_the_place_in_the_phoneme_changes_every_frame_and_needs_the_plan() -> None:
    placed = decoder(place_size=3)
    first = placed(memory(), MASK, mel(), MASK, plan=PLAN).mel
    other = Plan(LENGTHS, MASK, torch.tensor([[3, 0, 2], [2, 0, 0]]))
    second = placed(memory(), MASK, mel(), MASK, plan=other).mel
    assert not torch.allclose(first[0], second[0])
    with pytest.raises(ValueError, match="`place` needs a plan; it works only with a regulator"):
        placed(memory(), MASK, mel(), MASK)


def test_teacher_frames_are_masked_in_training_alone() -> None:
    masking = decoder(teacher_mask=0.5)
    plain = decoder()
    plain.load_state_dict(masking.state_dict())
    expected = plain(memory(), MASK, mel(), MASK).mel
    assert not torch.equal(masking(memory(), MASK, mel(), MASK).mel, expected)
    masking.eval()
    assert torch.equal(masking(memory(), MASK, mel(), MASK).mel, expected)


def test_the_share_of_masked_teacher_frames_is_the_setting() -> None:
    masking = decoder(teacher_mask=0.3)
    seen = []
    masking.frame_in.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for _ in range(400):
        masking(memory(), MASK, mel() + 5, MASK)
    fed = torch.cat(seen)[:, 1:, 0]
    valid = ~MASK[:, 1:].repeat(400, 1)
    assert (fed[valid] == 0).double().mean().item() == pytest.approx(0.3, abs=0.04)


def test_memory_and_frames_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`add_memory` needs one memory vector a frame.* 5 and 4"):
        decoder()(memory(), MASK, mel()[:, :4], MASK[:, :4])


def test_a_step_past_the_room_of_the_state_is_refused() -> None:
    tiny = decoder()
    state = tiny.init_state(memory(), MASK, 2)
    tiny.step(mel()[:, :2], state)
    with pytest.raises(ValueError, match="room for 2 frames but was asked for frame 3"):
        tiny.step(mel()[:, :1], state)


@pytest.mark.parametrize("max_frames", [1, 5, 8])
def test_a_state_may_have_less_or_more_room_than_the_memory(max_frames: int) -> None:
    tiny = decoder().eval()
    state = tiny.init_state(memory(), MASK, max_frames)
    frames = torch.zeros(2, max_frames, MELS, dtype=torch.float64)
    made, _ = tiny.step(frames, state)
    assert made.shape == (2, max_frames, MELS)
    common = min(max_frames, 5)
    whole, _ = tiny.step(frames[:, :common], tiny.init_state(memory(), MASK, 5))
    torch.testing.assert_close(made[:, :common], whole, atol=1e-9, rtol=0)


def test_a_longer_sequence_than_positions_is_refused_from_its_shape() -> None:
    long = torch.zeros(1, 10, DIM, dtype=torch.float64)
    mask = torch.zeros(1, 10, dtype=torch.bool)
    frames = torch.zeros(1, 10, MELS, dtype=torch.float64)
    message = "`SinusoidalEncoding` knows 9 positions but the sequence has 10"
    with pytest.raises(ValueError, match=message):
        decoder()(long, mask, frames, mask)
    with pytest.raises(ValueError, match=message):
        decoder().init_state(long, mask, 3)
    with pytest.raises(ValueError, match=message):
        decoder().init_state(long[:, :3], mask[:, :3], 10)


def test_a_positional_encoding_is_registered_once_in_a_stack() -> None:
    class Learned(PositionalEncoding):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(9, DIM, dtype=torch.float64))

        def add(self, x: Tensor, positions: Tensor) -> Tensor:
            return x + self.table[positions]

    names = [
        name for name in decoder(positional_encoding=Learned()).state_dict() if "table" in name
    ]
    assert names == ["positional_encoding.table"]


def test_a_parallel_decoder_needs_one_memory_vector_a_frame() -> None:
    parallel = ParallelTransformerDecoder(
        mel_dim=MELS, num_layers=1, layer=LAYER, positional_encoding=PositionalEncoding()
    )
    with pytest.raises(ValueError, match="one vector a frame, but there are 5 and 4"):
        parallel(memory().float(), MASK, mel()[:, :4], MASK[:, :4])


def test_a_parallel_decoder_with_place_needs_the_plan() -> None:
    parallel = ParallelTransformerDecoder(
        mel_dim=MELS,
        num_layers=1,
        layer=LAYER,
        positional_encoding=PositionalEncoding(),
        place_size=2,
    )
    with pytest.raises(ValueError, match="`place` needs a plan"):
        parallel.infer(memory().float(), MASK)


def test_sinusoids_are_those_of_the_paper() -> None:
    encoding = SinusoidalEncoding(hidden_dim=6, max_len=5000)
    found = encoding.add(torch.zeros(1, 3, 6), torch.tensor([0, 7, 4999]))[0]
    for row, position in enumerate((0, 7, 4999)):
        for channel in range(6):
            angle = position / 10000 ** (2 * (channel // 2) / 6)
            wanted = math.sin(angle) if channel % 2 == 0 else math.cos(angle)
            assert found[row, channel].item() == pytest.approx(wanted, abs=1e-7)


def test_the_table_of_sinusoids_is_no_part_of_a_checkpoint() -> None:
    assert SinusoidalEncoding(hidden_dim=4, max_len=5000).state_dict() == {}
