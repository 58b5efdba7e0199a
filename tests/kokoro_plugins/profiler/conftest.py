"""Small parts that count their own calls, and a device whose time and memory the test sets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kokoro_core.contracts import (
    AutoregressiveDecoder,
    DecoderOutput,
    Encoder,
    PositionalEncoding,
    State,
)
from kokoro_plugins.profiler import gpu_profiler
from kokoro_plugins.profiler.devices import Device, Sample


class SmallPositions(PositionalEncoding):
    def __init__(self, calls: Counter[str]) -> None:
        super().__init__()
        self.calls = calls

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        self.calls["positions.add"] += 1
        return x + positions[:, None]


class SmallEncoder(Encoder):
    """Its layer is checkpointed, so the positional encoding is asked again in a backward pass."""

    def __init__(self, calls: Counter[str]) -> None:
        super().__init__()
        self.calls = calls
        self.table = nn.Embedding(9, 4)
        self.positional_encoding = SmallPositions(calls)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        self.calls["encoder.forward"] += 1
        result: Tensor = checkpoint(self.layer, self.table(phoneme_indices), use_reentrant=False)
        return result

    def layer(self, x: Tensor) -> Tensor:
        return torch.tanh(self.positional_encoding.add(x, torch.arange(x.shape[1])))


@dataclass
class SmallState(State):
    memory: Tensor
    position: int


class SmallDecoder(AutoregressiveDecoder):
    def __init__(self, calls: Counter[str]) -> None:
        super().__init__()
        self.calls = calls
        self.out = nn.Linear(4, 3)

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
    ) -> DecoderOutput:
        self.calls["decoder.forward"] += 1
        return DecoderOutput(self.out(memory))

    def init_state(
        self, memory: Tensor, memory_padding_mask: Tensor, max_frames: int
    ) -> SmallState:
        self.calls["decoder.init_state"] += 1
        return SmallState(memory, 0)

    def step(self, frames: Tensor, state: SmallState) -> tuple[Tensor, Tensor]:
        self.calls["decoder.step"] += 1
        mel = self.out(state.memory[:, state.position : state.position + 1])
        state.position += 1
        return mel + frames, mel[..., 0]


class SmallParts(nn.Module):
    def __init__(self, calls: Counter[str]) -> None:
        super().__init__()
        self.encoder = SmallEncoder(calls)
        self.decoder = SmallDecoder(calls)


class SmallModel(nn.Module):
    """The shape of the real one: parts below `acoustic`, methods at the top."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.acoustic = SmallParts(self.calls)

    def forward(self, phoneme_indices: Tensor) -> Tensor:
        self.calls["model.forward"] += 1
        mask = torch.zeros_like(phoneme_indices, dtype=torch.bool)
        memory = self.acoustic.encoder(phoneme_indices, mask)
        output: DecoderOutput = self.acoustic.decoder(memory, mask, memory[..., :3], mask)
        return output.mel

    def generate(self, phoneme_indices: Tensor) -> Tensor:
        self.calls["model.generate"] += 1
        return torch.cat(list(self.steps(phoneme_indices)), dim=1)

    def stream(self, phoneme_indices: Tensor):
        self.calls["model.stream"] += 1
        yield from self.steps(phoneme_indices)
        return "ended"

    @torch.no_grad()
    def steps(self, phoneme_indices: Tensor):
        mask = torch.zeros_like(phoneme_indices, dtype=torch.bool)
        memory = self.acoustic.encoder(phoneme_indices, mask)
        state = self.acoustic.decoder.init_state(memory, mask, memory.shape[1])
        frame = torch.zeros(len(memory), 1, 3)
        for _ in range(memory.shape[1]):
            frame, _ = self.acoustic.decoder.step(frame, state)
            yield frame


class FakeDevice(Device):
    """Time passes and memory changes when the test says so."""

    clock = "fake clock"
    peak_is = "fake peak"

    def __init__(self, device: torch.device = torch.device("cpu")) -> None:  # noqa: B008
        super().__init__(device)
        self.now = 0.0
        self.allocated = 100
        self.highest = 100
        self.waits = 0

    def spend(self, seconds: float, *, keep: int = 0, top: int = 0) -> None:
        """Let time pass, allocate `top` bytes for a moment and keep `keep` of them."""
        self.now += seconds
        self.highest = max(self.highest, self.allocated + max(top, keep))
        self.allocated += keep

    def mark(self) -> float:
        return self.now

    def seconds(self, begin: Any, end: Any) -> float:
        return float(end - begin)

    def synchronize(self) -> None:
        self.waits += 1

    def sample(self) -> Sample:
        highest, self.highest = max(self.highest, self.allocated), self.allocated
        return Sample(self.allocated, highest, self.allocated + 1000)


@pytest.fixture(scope="session")
def make_device() -> type[FakeDevice]:
    return FakeDevice


@pytest.fixture
def model() -> SmallModel:
    torch.manual_seed(0)
    return SmallModel()


@pytest.fixture
def phoneme_indices() -> Tensor:
    return torch.arange(10).view(2, 5) % 9


@pytest.fixture
def fake_device(monkeypatch) -> FakeDevice:
    """Put a fake device under every profiler of the test."""
    device = FakeDevice()
    monkeypatch.setattr(gpu_profiler, "open_device", lambda wanted: device)
    return device
