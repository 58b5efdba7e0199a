"""Several frames a step: training, speaking and stopping."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel, SpecError, load_spec
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.transformer.decoder import TransformerDecoder
from kokoro_plugins.transformer.layers import LayerSettings
from kokoro_plugins.transformer.sinusoidal import SinusoidalEncoding

DIM, MELS, FRAMES = 8, 3, 7
LAYER = LayerSettings(hidden_dim=DIM, num_heads=2, ff_dim=8, dropout=0.0, norm="pre")
MASK = padding_mask_from_lengths(torch.tensor([7, 5]), FRAMES)
POSITIONS = ["sinusoidal", "rotary", "alibi", "learned"]


def decoder(r: int, max_len: int = 7, **settings: Any) -> TransformerDecoder:
    torch.manual_seed(0)
    encoding = SinusoidalEncoding(hidden_dim=DIM, max_len=max_len)
    made = TransformerDecoder(
        mel_dim=MELS,
        num_layers=2,
        layer=LAYER,
        positional_encoding=encoding,
        reduction_factor=r,
        **settings,
    )
    return made.double().eval()


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    memory = torch.randn(2, FRAMES, DIM, generator=generator, dtype=torch.float64)
    mel = torch.randn(2, FRAMES, MELS, generator=generator, dtype=torch.float64)
    return memory.masked_fill(MASK.unsqueeze(-1), 0), mel.masked_fill(MASK.unsqueeze(-1), 0)


def model(r: int, positions: str = "sinusoidal", **spec: Any) -> KokoroModel:
    torch.manual_seed(0)
    stack = {"num_layers": 2, "num_heads": 2, "ff_dim": 8}
    made = KokoroModel.from_spec(
        {
            "vocab_size": 9,
            "mel_dim": MELS,
            "hidden_dim": DIM,
            "encoder": {"type": "transformer", **stack},
            "duration_predictor": {"type": "mlp"},
            "regulator": {"type": "repeat"},
            "decoder": {
                "type": "transformer",
                **stack,
                "place": {"size": 3},
                "reduction_factor": r,
                "positional_encoding": {"type": positions},
            },
            **spec,
        }
    )
    return made.double().eval()


@pytest.mark.parametrize("chunks", [[1, 1, 1, 1], [4], [1, 3], [2, 2]], ids=str)
def test_steps_in_chunks_of_groups_give_what_one_pass_gives(chunks: list[int]) -> None:
    two, (memory, mel) = decoder(2), inputs()
    at_once = two(memory, MASK, mel, MASK)
    # The frame before each group of two: none, then frames 1, 3 and 5, with any frame beside it.
    fed = torch.full((2, 8, MELS), 77.0, dtype=torch.float64)
    fed[:, 1] = 0
    fed[:, 3::2] = mel[:, 1:6:2]
    state = two.init_state(memory, MASK, FRAMES)
    made = [two.step(piece, state) for piece in torch.split(fed, [2 * each for each in chunks], 1)]
    found = torch.cat([frames for frames, _ in made], 1)[:, :FRAMES]
    stops = torch.cat([logits for _, logits in made], 1)[:, :FRAMES]
    torch.testing.assert_close(found[~MASK], at_once.mel[~MASK], atol=1e-9, rtol=0)
    torch.testing.assert_close(stops[~MASK], at_once.stop_logits[~MASK], atol=1e-9, rtol=0)


@pytest.mark.parametrize("r", [2, 3])
def test_a_frame_changes_the_groups_after_its_own_if_it_is_the_last_of_its_group(r: int) -> None:
    grouped, (memory, mel) = decoder(r), inputs()
    nothing = torch.zeros_like(MASK)
    before = grouped(memory, nothing, mel, nothing).mel
    for frame in range(FRAMES):
        changed = mel.clone()
        changed[:, frame] += 1
        after = grouped(memory, nothing, changed, nothing).mel
        differs = (after - before).abs().amax((0, 2)) > 1e-9
        last = frame % r == r - 1
        assert differs.tolist() == [last and other > frame for other in range(FRAMES)]


def test_the_first_frame_of_a_group_says_what_memory_it_hears() -> None:
    two, (memory, mel) = decoder(2, memory_positions=False), inputs()
    nothing = torch.zeros_like(MASK)
    heard = []
    two.dropout.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    two(memory, nothing, torch.zeros_like(mel), nothing)
    table = two.get_buffer("positional_encoding.table")[0:7:2]
    expected = two.frame_in.bias + memory[:, ::2] + table
    torch.testing.assert_close(heard[0], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("r", [2, 3, 5])
def test_what_is_spoken_is_what_training_would_predict_from_it(r: int, positions: str) -> None:
    speaker = model(r, positions)
    indices = torch.tensor([[3, 4, 5], [6, 7, 0]])
    durations = torch.tensor([[2, 3, 2], [4, 1, 0]])
    spoken = speaker.generate(indices, durations=durations, stop_threshold=1.0)
    assert spoken.lengths.tolist() == [7, 5]
    echoed = speaker(indices, spoken.mel, durations)
    torch.testing.assert_close(echoed.mel, spoken.mel, atol=1e-9, rtol=0)
    alone = speaker.generate(indices[1:, :2], durations=durations[1:, :2], stop_threshold=1.0)
    torch.testing.assert_close(spoken.mel[1:, :5], alone.mel, atol=1e-9, rtol=0)


def test_a_stop_inside_a_group_ends_the_row_inside_the_group() -> None:
    speaker = model(3)
    with torch.no_grad():
        head: Any = speaker.acoustic.decoder.stop_out
        head.weight.zero_()
        head.bias.copy_(torch.tensor([-9.0, 9.0, -9.0]))
    spoken = speaker.generate(torch.tensor([[3, 4]]), durations=torch.tensor([[4, 4]]))
    assert spoken.lengths.tolist() == [2]
    assert spoken.mel.shape[1] == 2
    assert spoken.stop_reasons == ["stop_token"]


@pytest.mark.parametrize("r", [1, 2, 4])
def test_every_group_of_a_batch_learns(r: int) -> None:
    learner = model(r).train()
    output = learner(
        torch.tensor([[3, 4, 5], [6, 7, 0]]),
        torch.randn(2, 7, MELS, dtype=torch.float64),
        torch.tensor([[2, 3, 2], [4, 1, 0]]),
    )
    output.loss.backward()
    gradient = learner.acoustic.decoder.get_parameter("mel_out.weight").grad
    assert gradient is not None
    assert gradient.shape[0] == MELS * r
    # Of each channel of each frame of a group; the L1 loss's signs alone may add up to 0.
    assert (gradient.abs().sum(1) > 0).all()


@pytest.mark.parametrize("r", [2, 3])
def test_positions_reach_as_many_frames_as_without_groups(r: int) -> None:
    memory, mel = inputs()
    grouped = decoder(r, max_len=FRAMES)
    grouped(memory, MASK, mel, MASK)
    groups = -(-FRAMES // r)
    state = grouped.init_state(memory, MASK, groups * r)
    grouped.step(mel.new_zeros(2, groups * r, MELS), state)
    with pytest.raises(ValueError, match="knows 6 positions but the sequence has 7"):
        decoder(r, max_len=FRAMES - 1).init_state(memory, MASK, FRAMES)


@pytest.mark.parametrize("frames", [0, 101, 10**6])
def test_more_frames_a_step_than_a_decoder_could_ever_foresee_are_refused(frames: int) -> None:
    with pytest.raises(SpecError, match=r"decoder\.reduction_factor: .*(at least 1|at most 100)"):
        load_spec("small", overrides={"decoder.reduction_factor": frames})
