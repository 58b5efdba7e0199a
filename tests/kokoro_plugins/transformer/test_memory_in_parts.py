"""Keys and values of a memory that a regulator has made are projected once a phoneme."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core.contracts import Plan, PositionalEncoding
from kokoro_core.cost.products import Products
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.transformer.decoder import TransformerDecoder
from kokoro_plugins.transformer.layers import LayerSettings
from kokoro_plugins.transformer.repeat import RepeatRegulator
from kokoro_plugins.transformer.sinusoidal import SinusoidalEncoding

DIM, MELS, FRAMES, LAYERS = 16, 5, 24, 2
DURATIONS = torch.tensor([[6, 0, 12, 6], [3, 3, 6, 0], [8, 8, 8, 0]])
LENGTHS = DURATIONS.sum(1)
MASK = padding_mask_from_lengths(LENGTHS, FRAMES)
PADDING = DURATIONS.new_tensor([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]).bool()
LAYER = LayerSettings(hidden_dim=DIM, num_heads=2, ff_dim=16, dropout=0.0, norm="pre")


class Multiplying(PositionalEncoding):
    """Adds what depends on the vector, so that only `add` knows it."""

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        return x * (1 + positions.unsqueeze(-1))


def decoder(dtype: torch.dtype, **settings: Any) -> TransformerDecoder:
    torch.manual_seed(0)
    learned = SinusoidalEncoding(hidden_dim=DIM, max_len=FRAMES, learned_scale=True)
    encoding = settings.pop("positional_encoding", learned)
    return TransformerDecoder(
        mel_dim=MELS, num_layers=LAYERS, layer=LAYER, positional_encoding=encoding, **settings
    ).to(dtype)


def hidden(dtype: torch.dtype) -> Tensor:
    drawn = torch.randn(3, 4, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return drawn.to(dtype).masked_fill(PADDING.unsqueeze(-1), 0).requires_grad_()


def run(
    reader: TransformerDecoder, vectors: Tensor, *, noted: bool
) -> tuple[Tensor, dict[str, Tensor], int]:
    """Return the mel, all gradients, and how often was multiplied."""
    regulator = RepeatRegulator()
    plan: Plan = regulator.plan(vectors, DURATIONS, PADDING, FRAMES)
    memory = regulator.expand(plan, vectors)
    memory = memory if noted else memory.clone()
    mel = torch.linspace(-1, 1, 3 * FRAMES * MELS, dtype=vectors.dtype).view(3, FRAMES, MELS)
    with Products() as products:
        result = reader(memory, MASK, mel, MASK, plan=plan).mel
        (result * mel.cos()).sum().backward()
    named = {"hidden": vectors, **dict(reader.named_parameters())}
    grads = {name: each.grad for name, each in named.items() if each.grad is not None}
    return result.detach(), grads, products.multiply_adds


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with places": {"place_size": 2},
    "without positions": {"memory_positions": False},
    "pairs": {"add_memory": False, "reduction_factor": 2},
    "by `add` alone": {"positional_encoding": Multiplying()},
}


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("kind", list(KINDS))
def test_mel_and_gradients_are_those_of_a_memory_that_says_nothing(
    kind: str, dtype: torch.dtype, tolerance: float
) -> None:
    mel, grads, _ = run(decoder(dtype, **KINDS[kind]), hidden(dtype), noted=True)
    plain_mel, plain_grads, _ = run(
        decoder(torch.float64, **KINDS[kind]), hidden(dtype).detach().double().requires_grad_(),
        noted=False,
    )  # fmt: skip
    torch.testing.assert_close(mel.double(), plain_mel, rtol=tolerance, atol=tolerance)
    assert grads.keys() == plain_grads.keys()
    for name, grad in grads.items():
        scale = float(plain_grads[name].abs().max())
        torch.testing.assert_close(
            grad.double(), plain_grads[name], rtol=tolerance, atol=tolerance * max(scale, 1)
        )


@pytest.mark.fast_kernels
def test_every_layer_multiplies_once_a_phoneme_and_once_a_position() -> None:
    # The scale of the positions is not learned, so that they have no gradient.
    fixed = {"positional_encoding": SinusoidalEncoding(hidden_dim=DIM, max_len=FRAMES)}
    _, _, found = run(decoder(torch.float32, **fixed), hidden(torch.float32), noted=True)
    _, _, plain = run(decoder(torch.float32, **fixed), hidden(torch.float32), noted=False)
    frames, phonemes = 3 * FRAMES, 3 * 4 + 1  # and a vector of zeros, for padding
    saved = 3 * frames - (3 * phonemes + 2 * FRAMES)
    assert plain - found == LAYERS * saved * DIM * 2 * DIM


def test_a_single_row_has_as_many_positions_as_frames_and_is_projected_as_it_is() -> None:
    def of_one_row(*, noted: bool) -> int:
        regulator, vectors = RepeatRegulator(), hidden(torch.float32)[:1]
        plan = regulator.plan(vectors, DURATIONS[:1], PADDING[:1], FRAMES)
        memory = regulator.expand(plan, vectors)
        with Products() as products:
            mel = torch.zeros(1, FRAMES, MELS)
            decoder(torch.float32)(memory if noted else memory.clone(), MASK[:1], mel, MASK[:1])
        return int(products.multiply_adds)

    assert of_one_row(noted=True) == of_one_row(noted=False)
