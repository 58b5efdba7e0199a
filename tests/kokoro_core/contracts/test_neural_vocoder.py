"""`NeuralVocoder`: rows alone, and chunks that together are the whole; a toy of drawn weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from kokoro_core import AudioSettings
from kokoro_core.contracts import NeuralVocoder
from kokoro_plugins.hifigan.params import HifiGanParams
from kokoro_plugins.speech.params import GriffinLimParams

MELS, HOP, REACH = 3, 4, 2


@final
class Toy(NeuralVocoder):
    """Two convolutions of three frames, which look at one frame more on either side each."""

    def __init__(self) -> None:
        super().__init__()
        self.audio = AudioSettings(n_mels=MELS, hop_length=HOP)
        self.first, self.second = nn.Conv1d(MELS, 5, 3, padding=1), nn.Conv1d(5, HOP, 3, padding=1)

    @property
    def receptive_field(self) -> int:
        return REACH

    def forward(self, mel: Tensor) -> Tensor:
        frames: Tensor = self.second(self.first(mel.transpose(1, 2)).tanh()).tanh()
        return frames.transpose(1, 2).flatten(1)


def toy(dtype: torch.dtype = torch.float64) -> Toy:
    torch.manual_seed(0)
    return Toy().to(dtype).eval()


def test_a_row_is_heard_as_it_is_alone_and_is_silent_after_its_length() -> None:
    made, mel, lengths = toy(), torch.randn(3, 7, MELS), torch.tensor([7, 4, 1])
    mel[1, 4:] = torch.nan
    waves = made.decode(mel, lengths)
    assert (waves.shape, waves.dtype) == ((3, 7 * HOP), torch.float32)
    for row, length in enumerate(lengths.tolist()):
        alone = made(mel[row, :length].double()[None])[0].float()
        assert torch.equal(waves[row, : length * HOP], alone)
        assert not waves[row, length * HOP :].any()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
@example([1] * 9)
@example([REACH])
@example([2 * REACH + 1, 1])
def test_chunks_together_are_the_whole_and_come_as_soon_as_they_can(sizes: list[int]) -> None:
    made, frames = toy(), sum(sizes)
    mel = torch.randn(frames, MELS, dtype=torch.float64)
    whole = made.decode(mel[None], torch.tensor([frames]))[0]
    seen: list[int] = []

    def chunks() -> Iterator[Tensor]:
        for each in mel.split(sizes):
            seen.append(len(each))
            yield each

    parts: list[Tensor] = []
    for part in made.stream(chunks()):
        parts.append(part)
        out = sum(map(len, parts))
        assert out in ((sum(seen) - REACH) * HOP, frames * HOP)
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-7)


def test_no_chunks_are_no_wave() -> None:
    assert list(toy().stream([])) == []


def test_what_it_makes_has_no_graph_and_is_computed_in_the_precision_of_the_weights() -> None:
    mel = torch.randn(1, 5, MELS, requires_grad=True)
    for dtype in (torch.float32, torch.float64):
        wave = toy(dtype).decode(mel, torch.tensor([5]))
        assert (wave.dtype, wave.requires_grad) == (torch.float32, False)


def test_weights_are_parameters_and_can_be_trained() -> None:
    made = toy()
    made(torch.randn(2, 5, MELS, dtype=torch.float64)).square().sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in made.parameters())


def test_what_is_no_mel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`mel` must be \(B, T, 3\), not \(1, 5, 4\)"):
        toy().decode(torch.zeros(1, 5, 4), torch.tensor([5]))


def test_a_vocoder_says_whether_a_checkpoint_has_to_bring_its_weights() -> None:
    assert not GriffinLimParams().trained
    assert not HifiGanParams(folder="published").trained
    assert HifiGanParams().trained
