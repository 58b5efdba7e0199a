"""Small components that can do less than most, and say so or do not."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Encoder, Postnet
from kokoro_core.params.capabilities import Capabilities, SideInput
from kokoro_core.slots import EncoderParams, PostnetParams
from kokoro_core.tensors.masks import zero_padding

WIDTH = 5


class Pointwise(Postnet):
    """A linear layer on each frame, and a seam for what a toy does otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        if padding_mask.dtype is not torch.bool or mel.shape[:2] != padding_mask.shape:
            raise ValueError("`padding_mask` must be bool and fit `mel`.")
        self.look_at(mel, padding_mask)
        return self.cleaned(mel + self.linear(self.cleaned(mel, padding_mask)), padding_mask)

    def look_at(self, mel: Tensor, padding_mask: Tensor) -> None:
        """Refuse what the toy cannot do."""

    def cleaned(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        return zero_padding(mel, padding_mask)


class KeepsNan(Pointwise):
    def cleaned(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        return mel * ~padding_mask.unsqueeze(-1)

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        total = self.cleaned(mel, padding_mask).sum(1, keepdim=True)
        return super().forward(mel, padding_mask) + zero_padding(0 * total + 0 * mel, padding_mask)


class HidesNan(Pointwise):
    """Takes NaN at padding for a number, and lets that number be heard."""

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        heard = mel.nan_to_num(nan=3.0).masked_fill(~padding_mask.unsqueeze(-1), 0)
        return zero_padding(
            super().forward(mel, padding_mask) + heard.sum(1, keepdim=True), padding_mask
        )


class NoEmptyRow(Pointwise):
    def look_at(self, mel: Tensor, padding_mask: Tensor) -> None:
        if bool(padding_mask.all(1).any()):
            raise ValueError("`padding_mask` must leave a frame in each row.")


class OnlyFloat32(Pointwise):
    def look_at(self, mel: Tensor, padding_mask: Tensor) -> None:
        if mel.dtype is not torch.float32:
            raise TypeError(f"`mel` must be float32, not {mel.dtype}.")


class NoHalf(Pointwise):
    def look_at(self, mel: Tensor, padding_mask: Tensor) -> None:
        if mel.dtype in (torch.bfloat16, torch.float16):
            raise TypeError(f"`mel` must be float32 or float64, not {mel.dtype}.")


class LooksInside(Pointwise):
    """Branches on a number, so that there is no one graph of it."""

    def look_at(self, mel: Tensor, padding_mask: Tensor) -> None:
        if float(mel.sum()) == 12345.0:
            raise ValueError("never")


class Couples(Pointwise):
    couples_rows = True

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        out = super().forward(mel, padding_mask)
        if not self.training:
            return out
        valid = ~padding_mask.unsqueeze(-1)
        mean = (out * valid).sum((0, 1)) / valid.sum()
        return zero_padding(out - mean, padding_mask)


class SaysItCouples(Pointwise):
    couples_rows = True


class Tied(Pointwise):
    def __init__(self) -> None:
        super().__init__()
        self.twin = nn.Linear(WIDTH, WIDTH)
        self.twin.weight = self.linear.weight

    def forward(self, mel: Tensor, padding_mask: Tensor) -> Tensor:
        return zero_padding(self.twin(super().forward(mel, padding_mask)), padding_mask)


PointwiseClass = type[Pointwise]  # where `type` is a field, pydantic would read that


class ToyParams(PostnetParams):
    """A toy postnet."""

    kind: ClassVar[PointwiseClass] = Pointwise
    declared: ClassVar[Capabilities] = Capabilities(receptive_field=0)
    type: Literal["toy"] = "toy"

    @property
    def capabilities(self) -> Capabilities:
        return self.declared

    def build(self, sizes) -> Postnet:
        return self.kind()


def toy(kind: type[Pointwise], **declared: object) -> ToyParams:
    """Return the params of a toy that declares these capabilities."""
    said = Capabilities(**{"receptive_field": 0, **declared})  # type: ignore[arg-type]

    class Told(ToyParams):
        """A toy postnet that says what it can do."""

    Told.kind, Told.declared = kind, said
    return Told()


class Speaking(Encoder):
    """An encoder that needs to know who speaks."""

    def __init__(self, vocab_size: int, hidden_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.speakers = nn.Embedding(4, hidden_dim)
        self.mix = nn.Linear(1, hidden_dim)

    def forward(
        self, phoneme_indices: Tensor, padding_mask: Tensor, *, speaker: Tensor, pitch: Tensor
    ) -> Tensor:
        if phoneme_indices.dim() != 2 or padding_mask.dtype is not torch.bool:
            raise ValueError("`phoneme_indices` must be (B, N) and `padding_mask` bool.")
        if phoneme_indices.shape != padding_mask.shape:
            raise ValueError("`padding_mask` must fit `phoneme_indices`.")
        told = self.speakers(speaker).unsqueeze(1) + self.mix(pitch.unsqueeze(-1))
        known = self.embedding(phoneme_indices.masked_fill(padding_mask, 0))
        return zero_padding(known + told, padding_mask)


class SpeakingParams(EncoderParams):
    """An encoder with a speaker and a pitch."""

    type: Literal["speaking"] = "speaking"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"speaker", "pitch"})

    @property
    def capabilities(self) -> Capabilities:
        looks = {"speaker": SideInput("index", "row", 4), "pitch": SideInput("float", "step")}
        return Capabilities(receptive_field=0, position_free=True, side_inputs=looks)

    def build(self, sizes) -> Encoder:
        return Speaking(sizes.vocab_size, sizes.hidden_dim)


class SilentParams(SpeakingParams):
    """The same, but it does not say how its side inputs look."""

    type: Literal["silent"] = "silent"  # type: ignore[assignment]

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()


class Deaf(Speaking):
    """Reads the speaker, and makes nothing of it."""

    def forward(self, phoneme_indices, padding_mask, *, speaker, pitch):
        return super().forward(phoneme_indices, padding_mask, speaker=0 * speaker, pitch=pitch)


class DeafParams(SpeakingParams):
    """An encoder that does not listen to who speaks."""

    type: Literal["deaf"] = "deaf"  # type: ignore[assignment]

    def build(self, sizes) -> Encoder:
        return Deaf(sizes.vocab_size, sizes.hidden_dim)
