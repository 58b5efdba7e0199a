"""The contenders do equal work: shapes, numbers of parameters, and what they compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kokoro_plugins.bench.cases.frame import contenders, packs
from kokoro_plugins.bench.peers.contract import SPARE_FRAMES, FrameMaker, random_batch
from kokoro_plugins.bench.peers.floor import Floor
from kokoro_plugins.bench.peers.minimal import MinimalDecoder, MinimalLayer
from kokoro_plugins.bench.peers.ours import OurTraining, our_model
from kokoro_plugins.bench.peers.speecht5 import SpeechT5Training, speecht5
from kokoro_plugins.bench.peers.split_floor import SplitFloor
from kokoro_plugins.bench.peers.torch_transformer import TorchTransformer, TorchTransformerTraining
from kokoro_plugins.bench.sizes import ModelSize

MAKERS = (
    "ours",
    "ours, bfloat16",
    "ours, float16",
    "ours, int8",
    "minimal cached decoder",
    "SpeechT5",
    "SpeechT5, prenet once a frame",
    "nn.Transformer, no cache",
    "floor, rows",
    "floor, columns",
    *(["floor, packed"] if packs("cpu") else []),
    "floor, split",
    "floor, rows, bfloat16",
)


@pytest.fixture(scope="module")
def makers(size: ModelSize) -> dict[str, FrameMaker]:
    torch.manual_seed(0)
    return {each.name: each for each in contenders(size)}


def numbers(*modules: Any) -> int:
    return sum(each.numel() for module in modules for each in module.parameters())


def test_everybody_is_there(makers: dict[str, FrameMaker]) -> None:
    assert tuple(makers) == MAKERS


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", MAKERS)
def test_everybody_makes_a_frame_of_each_row(
    makers: dict[str, FrameMaker], name: str, rows: int, size: ModelSize
) -> None:
    contender = makers[name].contender(rows=rows, frames=7)
    contender.rewind()
    frame = contender.run()
    assert isinstance(frame, Tensor)
    assert frame.shape == (rows, 1, size.mel_dim)
    assert frame.isfinite().all()
    assert not frame.requires_grad


@pytest.mark.parametrize("name", ["ours", "minimal cached decoder", "nn.Transformer, no cache"])
def test_rewinding_makes_the_same_frames_again(makers: dict[str, FrameMaker], name: str) -> None:
    contender = makers[name].contender(rows=2, frames=5)
    first = [contender.run() for _ in range(3)]
    contender.rewind()
    again = [contender.run() for _ in range(3)]
    torch.testing.assert_close(again, first, rtol=0, atol=0)


def test_speecht5_goes_on_from_the_frames_that_it_was_fed(makers: dict[str, FrameMaker]) -> None:
    contender = makers["SpeechT5"].contender(rows=1, frames=5)
    maker: Any = makers["SpeechT5"]
    for _ in range(2):
        contender.rewind()
        assert maker._frames.shape[1] == 6
        assert maker._cache.get_seq_length() == 5
        contender.run()
        contender.run()
        assert maker._frames.shape[1] == 8
        assert maker._cache.get_seq_length() == 7


def test_our_room_is_enough_for_a_block_of_steps(makers: dict[str, FrameMaker]) -> None:
    contender = makers["ours"].contender(rows=1, frames=4)
    for _ in range(SPARE_FRAMES):
        contender.run()
    with pytest.raises(ValueError, match="room"):
        contender.run()


def test_the_stacks_have_equal_numbers_of_parameters(size: ModelSize) -> None:
    ours: Any = our_model(size).acoustic
    theirs: Any = TorchTransformer(size).transformer
    stack = numbers(*ours.encoder.layers, *ours.decoder.layers)
    assert stack == numbers(*theirs.encoder.layers, *theirs.decoder.layers)
    speech: Any = speecht5(size).speecht5
    wrapped = speech.encoder.wrapped_encoder, speech.decoder.wrapped_decoder
    assert stack == numbers(*wrapped[0].layers, *wrapped[1].layers)
    minimal = MinimalDecoder(size)
    assert numbers(minimal) == numbers(ours.decoder)


def test_the_floor_reads_what_a_step_of_the_minimal_decoder_multiplies(size: ModelSize) -> None:
    seen: list[int] = []
    decoder = MinimalDecoder(size)
    decoder.build_memory(torch.zeros(1, 7, size.hidden_dim), capacity=8)
    for module in decoder.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda each, *_: seen.append(each.weight.numel()))
    with torch.no_grad():
        decoder(torch.zeros(1, 1, size.mel_dim))
    assert sum(seen) == size.weight_numbers()
    caches = sum(
        cache.numel()
        for layer in decoder.layers
        if isinstance(layer, MinimalLayer)
        for cache in (
            layer.keys,
            layer.values,
            layer.own_keys[:, :, :7],
            layer.own_values[:, :, :7],
        )
    )
    assert caches == size.cache_numbers(7, 7)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_the_floor_says_how_many_bytes_it_reads(
    size: ModelSize, dtype: torch.dtype, rows: int
) -> None:
    floor = Floor(size, dtype)
    floor.begin(rows=rows, frames=9)
    numbers_read = size.weight_numbers() + rows * size.cache_numbers(9, 9)
    assert floor.read_bytes() == numbers_read * dtype.itemsize


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 4])
def test_the_floor_in_parts_reads_the_same_numbers_whatever_the_threads(
    size: ModelSize, rows: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    floor = SplitFloor(size)
    floor.begin(rows=rows, frames=9)
    assert floor.read_bytes() == 4 * (size.weight_numbers() + rows * size.cache_numbers(9, 9))
    assert floor.step().shape == (rows, 1, size.mel_dim)


def test_the_minimal_decoder_is_torchs_frame_by_frame(size: ModelSize) -> None:
    theirs, ours = torch_decoder(size), MinimalDecoder(size).double().eval()
    for mine, layer in zip(ours.layers, theirs.layers, strict=True):
        copy_layer(mine, layer)
    assert theirs.norm is not None
    ours.norm.load_state_dict(theirs.norm.state_dict())
    nn.init.normal_(ours.positions)
    memory = torch.randn(2, 7, size.hidden_dim, dtype=torch.float64)
    frames = torch.randn(2, 7, size.mel_dim, dtype=torch.float64)
    with torch.no_grad():
        ours.build_memory(memory, capacity=7)
        made = [ours(frames[:, at : at + 1]) for at in range(7)]
        positions = ours.positions[:7]
        hidden = theirs(
            ours.frame_in(frames) + memory + positions,
            memory + positions,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64),
        )
        expected = ours.mel_out(hidden), ours.stop_out(hidden).squeeze(-1)
    mel, stop_logits = (torch.cat(each, dim=1) for each in zip(*made, strict=True))
    torch.testing.assert_close((mel, stop_logits), expected, rtol=1e-10, atol=1e-12)


def torch_decoder(size: ModelSize) -> nn.TransformerDecoder:
    """Return torch's decoder of this size, every parameter drawn."""
    layer = nn.TransformerDecoderLayer(
        size.hidden_dim, size.num_heads, size.ff_dim, 0.0, batch_first=True, norm_first=True
    )
    decoder = nn.TransformerDecoder(layer, size.num_layers, nn.LayerNorm(size.hidden_dim))
    for each in decoder.parameters():
        nn.init.normal_(each, std=0.2)
    return decoder.double().eval()


def copy_layer(mine: Any, theirs: Any) -> None:
    """Put the weights of torch's layer into a minimal one."""
    width = theirs.linear1.in_features
    own, crossed = theirs.self_attn, theirs.multihead_attn
    pairs = [
        (mine.own_in, own.in_proj_weight, own.in_proj_bias),
        (mine.own_out, own.out_proj.weight, own.out_proj.bias),
        (mine.cross_query, crossed.in_proj_weight[:width], crossed.in_proj_bias[:width]),
        (mine.cross_in, crossed.in_proj_weight[width:], crossed.in_proj_bias[width:]),
        (mine.cross_out, crossed.out_proj.weight, crossed.out_proj.bias),
        (mine.ff_in, theirs.linear1.weight, theirs.linear1.bias),
        (mine.ff_out, theirs.linear2.weight, theirs.linear2.bias),
        (mine.own_norm, theirs.norm1.weight, theirs.norm1.bias),
        (mine.cross_norm, theirs.norm2.weight, theirs.norm2.bias),
        (mine.ff_norm, theirs.norm3.weight, theirs.norm3.bias),
    ]
    with torch.no_grad():
        for module, weight, bias in pairs:
            module.weight.copy_(weight)
            module.bias.copy_(bias)


@pytest.mark.parametrize("name", ["ours", "SpeechT5", "nn.Transformer"])
def test_everybody_trains_every_part_on_the_same_batch(name: str, size: ModelSize) -> None:
    torch.manual_seed(0)
    trainers = {
        "ours": lambda: OurTraining(our_model(size)),
        "SpeechT5": lambda: SpeechT5Training(speecht5(size)),
        "nn.Transformer": lambda: TorchTransformerTraining(TorchTransformer(size)),
    }
    trainer = trainers[name]()
    batch = random_batch(size, rows=2, frames=13)
    assert batch.mel_specs.shape[:2].numel() == 26
    assert batch.durations is not None
    assert batch.durations.sum(1).tolist() == [13, 13]
    assert trainer.name == name
    loss = trainer.loss(batch)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    without = {key for key, each in trainer.module.named_parameters() if each.grad is None}
    unused = ("speaker_embeds_layer", "speech_decoder_postnet.layers", "masked_spec_embed")
    assert {key for key in without if not any(word in key for word in unused)} == set()
