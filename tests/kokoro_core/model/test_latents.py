"""Latents: what a decoder maps the mel to is there for the aligner, once, and in training alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, final

import pytest
import torch
from torch import Tensor, nn

from kokoro_core import KokoroModel, SpecError
from kokoro_core.contracts import Aligner, AlignerOutput, DecoderOutput, Latents, ParallelDecoder
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import AlignerParams, DecoderParams
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.tensors.noise import RowNoise
from registry import ComponentRegistry, Plugins, Registration, installed_plugins

INDICES = torch.tensor([[3, 4, 5], [7, 8, 0]])
LENGTHS = torch.tensor([6, 4])
MEL_MASK = torch.arange(6) >= LENGTHS.unsqueeze(1)

SEEN: list[tuple[str, Any]] = []
"""What the parts below were given, in order."""


@final
class ScalingDecoder(ParallelDecoder):
    """Latents are the mel times a number."""

    def __init__(self, *, hidden_dim: int, mel_dim: int, answer: str) -> None:
        super().__init__()
        self.out = nn.Linear(hidden_dim, mel_dim)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.answer = answer

    def latents(self, mel_specs: Tensor, mel_padding_mask: Tensor, *, noise: RowNoise) -> Latents:
        SEEN.append(("latents", noise.stream))
        z = zero_padding(mel_specs * self.scale, mel_padding_mask)
        log_determinant = mel_specs.shape[2] * self.scale.log() * (~mel_padding_mask).sum(1)
        answers: dict[str, Any] = {
            "right": Latents(z, log_determinant),
            "a tensor": z,
            "short": Latents(z[:, 1:], log_determinant),
            "summed": Latents(z, log_determinant.sum()),
        }
        answer: Latents = answers[self.answer]
        return answer

    def forward(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        latents: Latents,
        noise: RowNoise,
        encoder_hidden: Tensor,
    ) -> DecoderOutput:
        SEEN.append(("forward", latents))
        mel = zero_padding(self.out(memory), mel_padding_mask)
        return DecoderOutput(mel, losses={"likelihood": -latents.log_determinant.sum()})

    def infer(
        self,
        memory: Tensor,
        memory_padding_mask: Tensor,
        *,
        latents: Latents | None,
        noise: RowNoise,
        encoder_hidden: Tensor,
    ) -> DecoderOutput:
        SEEN.append(("infer", latents))
        return DecoderOutput(zero_padding(self.out(memory), memory_padding_mask))


class ScalingDecoderParams(DecoderParams):
    """Latents are the mel times a number.

    Attributes:
        answer: Which of several answers it gives.
    """

    parallel = True
    type: Literal["scaling"] = "scaling"
    answer: str = "right"

    @property
    def gives_latents(self) -> bool:
        return True

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"encoder_hidden", "latents", "noise"})

    def build(self, sizes: Sizes) -> ScalingDecoder:
        return ScalingDecoder(
            hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim, answer=self.answer
        )


@final
class ReadingAligner(Aligner):
    """Notes the latents; each phoneme has two frames."""

    def forward(
        self,
        hidden: Tensor,
        padding_mask: Tensor,
        mel_specs: Tensor,
        mel_padding_mask: Tensor,
        *,
        latents: Latents,
    ) -> AlignerOutput:
        SEEN.append(("aligner", latents))
        return AlignerOutput((~padding_mask).long() * 2)


class ReadingAlignerParams(AlignerParams):
    """Notes the latents."""

    type: Literal["reading"] = "reading"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"latents"})

    def build(self, sizes: Sizes) -> ReadingAligner:
        return ReadingAligner()


@final
class WithoutLatents(ParallelDecoder):
    """Says that it gives latents and has none."""

    def forward(self, *args: Any, **side_inputs: Any) -> DecoderOutput:
        return DecoderOutput(args[2])

    def infer(self, *args: Any, **side_inputs: Any) -> DecoderOutput:
        return DecoderOutput(args[0])


def plugins() -> Plugins:
    ours, kinds = installed_plugins(), (ScalingDecoderParams, ReadingAlignerParams)
    own = [Registration(each, "two", "version-two", "1") for each in kinds]
    return replace(ours, components=ComponentRegistry([*ours.components, *own]))


def model(decoder: dict[str, Any]) -> KokoroModel:
    torch.manual_seed(0)
    SEEN.clear()
    document = {
        **{"vocab_size": 12, "mel_dim": 5, "hidden_dim": 8},
        "encoder": {"type": "vits", "num_layers": 1, "ff_dim": 8},
        "aligner": {"type": "reading"},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": decoder,
    }
    return KokoroModel.from_spec(document, plugins=plugins())


def mels() -> Tensor:
    return torch.randn(2, 6, 5).masked_fill(MEL_MASK.unsqueeze(2), 0)


def test_aligner_and_decoder_are_given_the_same_latents_which_are_made_once() -> None:
    tts, given = model({"type": "scaling"}), mels()
    output = tts(INDICES, given, mel_padding_mask=MEL_MASK, seed=3)
    assert [name for name, _ in SEEN] == ["latents", "aligner", "forward"]
    assert SEEN[0][1] == "/decoder"
    assert SEEN[1][1] is SEEN[2][1]
    torch.testing.assert_close(SEEN[1][1].z, 2 * given)
    output.loss.backward()
    scale = tts.acoustic.get_parameter("decoder.scale").grad
    # The loss is minus 10 frames of 5 channels times the log of the scale.
    torch.testing.assert_close(scale, torch.tensor(-10 * 5 / 2.0))


def test_in_speaking_there_are_no_latents() -> None:
    model({"type": "scaling"}).eval().generate(INDICES)
    assert SEEN == [("infer", None)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("a tensor", r"`decoder` \(`ScalingDecoder`\) must return a `Latents` from `latents`, not"),
        ("short", r"`z` as a tensor of shape \(2, 6, any\) .*, not one of shape \(2, 5, 5\)"),
        ("summed", r"`log_determinant` as a tensor of shape \(2\) .*, not one of shape \(\)"),
    ],
)
def test_what_a_decoder_returns_for_latents_is_checked(answer: str, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        model({"type": "scaling", "answer": answer})(INDICES, mels(), mel_padding_mask=MEL_MASK)


def test_an_aligner_of_latents_and_a_decoder_without_are_a_problem_at_both() -> None:
    with pytest.raises(SpecError) as caught:
        model({"type": "parallel_transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8})
    [problem] = caught.value.problems
    assert problem.code == "unmet-need"
    assert "the aligner needs the decoder's latents, but the decoder at " in str(problem)
    assert "choose a decoder such as 'coupling_flow'" in str(problem)


def test_a_decoder_that_says_that_it_gives_latents_must_implement_them() -> None:
    with pytest.raises(NotImplementedError, match="`WithoutLatents` has no latents, so its params"):
        WithoutLatents().latents(mels(), MEL_MASK)
