"""A vocoder with weights that is no plugin's of the box, and models that can speak through it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field
from torch import Tensor, nn

from kokoro_core import AudioSettings, KokoroModel
from kokoro_core.checkpoints.vocoder_file import SavedVocoder
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.model.vocoder import assemble_vocoder
from kokoro_core.slots import VocoderParams
from registry import ComponentRegistry, Plugins, Registration, installed_plugins
from tests.kokoro_core.test_api import TINY

HOP = 256
AUDIO = AudioSettings(hop_length=HOP, n_mels=80, n_fft=512, win_length=512)


@final
class ToyVocoder(NeuralVocoder):
    """Each frame alone, by two layers, with a table that no file holds."""

    def __init__(self, *, audio: AudioSettings, width: int) -> None:
        super().__init__()
        self.audio = audio
        self.first = nn.Linear(audio.n_mels, width)
        self.second = nn.Linear(width, audio.hop_length)
        self.drop = nn.Dropout(0.5)
        window = torch.hann_window(audio.hop_length)
        self.register_buffer("window", window, persistent=False)

    @property
    def receptive_field(self) -> int:
        return 0

    def forward(self, mel: Tensor) -> Tensor:
        frames = self.second(self.drop(self.first(mel).tanh())) * self.window
        wave: Tensor = frames.tanh().flatten(1)
        return wave


class ToyVocoderParams(VocoderParams):
    """Two layers.

    Attributes:
        width: Between them.
    """

    trained: ClassVar[bool] = True
    type: Literal["two_layers"] = "two_layers"
    width: int = Field(3, ge=1)

    def build(self, audio: AudioSettings) -> ToyVocoder:
        return ToyVocoder(audio=audio, width=self.width)


class OtherVocoderParams(ToyVocoderParams):
    """As the other, under another name."""

    type: Literal["other_layers"] = "other_layers"  # type: ignore[assignment]


class UnbuiltParams(VocoderParams):
    """Has weights, and builds what has none."""

    trained: ClassVar[bool] = True
    type: Literal["unbuilt"] = "unbuilt"

    def build(self, audio: AudioSettings) -> Any:
        return nn.Linear(2, 2)


TOYS: tuple[type[Any], ...] = (ToyVocoderParams, OtherVocoderParams, UnbuiltParams)


def plugins(*more: type[Any]) -> Plugins:
    ours = installed_plugins()
    own = [Registration(each, "toys", "acme-toys", "1.0") for each in (*TOYS, *more)]
    return replace(ours, components=ComponentRegistry([*ours.components, *own]))


def spoken_settings(**overrides: Any) -> dict[str, Any]:
    """Return overrides of the spec ``small`` for a tiny model whose spec names the vocoder."""
    around = {
        "audio": AUDIO.model_dump(mode="json"),
        "frontend": {"type": "symbols", "symbols": [*"_abcdefgh"]},
        "vocab_size": 9,
        "vocoder": {"type": "two_layers"},
    }
    return {**TINY, **around, **overrides}


def untrained(**overrides: Any) -> KokoroModel:
    """Return a tiny model whose vocoder has no weights yet."""
    torch.manual_seed(0)
    return KokoroModel.from_spec("small", overrides=spoken_settings(**overrides), plugins=plugins())


def toy_vocoder(seed: int = 3, audio: AudioSettings = AUDIO, **settings: Any) -> SavedVocoder:
    torch.manual_seed(seed)
    params = ToyVocoderParams(**settings)
    return SavedVocoder(params, audio, assemble_vocoder(params, audio))


def speaking(**overrides: Any) -> KokoroModel:
    """Return a tiny model with a vocoder that has weights."""
    model = untrained(**overrides)
    model.attach_vocoder(toy_vocoder())
    return model.eval()
