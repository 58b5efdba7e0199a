"""SpeechT5 against transformers, weight by weight: forward, losses, gradients, speaking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import SpeechT5Config, SpeechT5ForTextToSpeech
from transformers.models.speecht5 import modeling_speecht5

from kokoro_core import KokoroModel, assemble, load_spec
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.speecht5.importer import published_names
from tests.kokoro_plugins.speecht5.reference import (
    MELS,
    PAD,
    SIZES,
    SPEAKER,
    Dropping,
    as_theirs,
    off_the_diagonal,
    reference_of,
    silence_padding,
)

PHONEMES, FRAMES = [6, 3, 5], [8, 7, 2]


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the reference compute in float64 throughout, and its prenet drop nothing."""
    guide = modeling_speecht5.SpeechT5GuidedMultiheadAttentionLoss
    monkeypatch.setattr(guide, "_make_guided_attention_mask", staticmethod(off_the_diagonal))
    prenet = modeling_speecht5.SpeechT5SpeechDecoderPrenet
    monkeypatch.setattr(prenet, "_consistent_dropout", lambda self, x, p: x)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def filled(seed: int = 0, **settings: Any) -> KokoroModel:
    """Return a small model in which nothing is as it was initialised."""
    model = KokoroModel.from_spec("speecht5", overrides={**SIZES, **settings}).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator) * 0.4
                value.copy_(drawn.abs() + 0.5 if "running_var" in name else drawn)
    return model


def ragged(frames: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return phonemes, mels, the frames' padding and the speakers of three rows."""
    torch.manual_seed(1)
    indices = torch.full((3, max(PHONEMES)), PAD)
    for row, length in enumerate(PHONEMES):
        indices[row, :length] = torch.randint(2, 9, (length,))
    mask = torch.arange(max(frames)) >= torch.tensor(frames)[:, None]
    mel = torch.randn(3, max(frames), MELS).masked_fill(mask.unsqueeze(2), 0)
    return indices, mel, mask, torch.randn(3, SPEAKER)


def close(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def trained(reference: Any, indices: Tensor, mel: Tensor, mask: Tensor, speaker: Tensor) -> Any:
    """Return the reference's output and what its decoder's heads made."""
    made: list[tuple[Tensor, Tensor, Tensor]] = []
    heads = reference.speech_decoder_postnet
    handle = heads.register_forward_hook(lambda _, given, output: made.append(output))
    output = reference(
        input_ids=indices,
        attention_mask=(indices != PAD).long(),
        speaker_embeddings=speaker,
        labels=mel.masked_fill(mask.unsqueeze(2), -100.0),
    )
    handle.remove()
    return output, made[0]


@pytest.mark.parametrize("training", [False, True], ids=["ragged", "batch-statistics"])
def test_a_training_step_is_the_references_to_the_gradient_of_every_weight(training: bool) -> None:
    frames = [8, 8, 8] if training else FRAMES
    model = filled().train(training)
    reference = reference_of(model.acoustic).train(training)
    indices, mel, mask, speaker = ragged(frames)
    silence_padding(reference, mask)
    wanted, (coarse, refined, stop_logits) = trained(reference, indices, mel, mask, speaker)
    output = model(indices, mel, mel_padding_mask=mask, speaker_embedding=speaker)
    valid = ~mask
    close(output.mel_coarse[valid], coarse[valid])
    close(output.mel[valid], refined[valid])
    close(output.stop_logits[valid], stop_logits[valid])
    close(output.losses["mel_l1"], F.l1_loss(refined[valid], mel[valid]))
    close(output.losses["mel_l1_coarse"], F.l1_loss(coarse[valid], mel[valid]))
    ends = F.pad(mask, (0, 1), value=True)[:, 1:].double()
    weight = torch.tensor(5.0)
    stop = F.binary_cross_entropy_with_logits(stop_logits[valid], ends[valid], pos_weight=weight)
    close(output.losses["stop"], stop)
    parts = [output.losses[name] for name in ("mel_l1", "mel_l1_coarse", "stop")]
    guided = output.losses["decoder.guided_attention"]
    assert len(output.losses) == 4
    close(10 * guided, wanted.loss - sum(parts))
    close(output.loss, wanted.loss)
    output.loss.backward()
    wanted.loss.backward()
    gradients = {name: each.grad for name, each in reference.named_parameters()}
    for name, parameter in model.acoustic.named_parameters():
        assert parameter.grad is not None
        for theirs, gradient in as_theirs(name, parameter.grad):
            close(gradient, gradients.pop(theirs))
    assert not gradients
    tracked = reference.state_dict()
    for name, value in model.acoustic.named_buffers():
        if "running" in name:
            close(value, tracked[published_names(name)[0]])


def test_frames_that_do_not_fill_a_group_are_those_of_a_longer_batch() -> None:
    model = filled()
    indices, mel, mask, speaker = ragged(FRAMES)
    together = model(indices, mel, mel_padding_mask=mask, speaker_embedding=speaker)
    alone = model(indices[1:2, :3], mel[1:2, :7], speaker_embedding=speaker[1:2])
    close(alone.mel[0], together.mel[1, :7])
    close(alone.stop_logits[0], together.stop_logits[1, :7])


def sentences() -> tuple[Tensor, Tensor]:
    """Return seven rows of phonemes, and their speakers."""
    torch.manual_seed(2)
    indices = torch.full((7, 12), PAD)
    for row, length in enumerate([12, 9, 4, 11, 6, 12, 2]):
        indices[row, :length] = torch.randint(2, 9, (length,))
    return indices, torch.randn(7, SPEAKER)


THRESHOLDS = {0: 0.002, 4: 0.6497, 5: 0.686, 6: 0.615}
"""Those at which the rows of a model with these random weights end at different times."""


@pytest.mark.parametrize("seed", THRESHOLDS)
def test_it_speaks_as_the_reference_and_ends_each_row_where_that_does(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = filled(seed, **{"decoder.prenet_dropout": 0.5})
    liven(model)
    reference = reference_of(model.acoustic)
    indices, speaker = sentences()
    dropping = Dropping(RowNoise(range(7)).of("decoder.step"), speaker)
    prenet = modeling_speecht5.SpeechT5SpeechDecoderPrenet
    monkeypatch.setattr(prenet, "_consistent_dropout", dropping)
    mel, lengths = reference.generate(
        indices,
        attention_mask=(indices != PAD).long(),
        speaker_embeddings=speaker,
        threshold=THRESHOLDS[seed],
        return_output_lengths=True,
    )
    spoken = model.generate(
        indices, speaker_embedding=speaker, stop_threshold=THRESHOLDS[seed], seed=list(range(7))
    )
    assert spoken.lengths.tolist() == lengths
    assert spoken.stop_reasons == ["stop_token"] * 7
    assert len(set(lengths)) >= 4
    close(spoken.mel, mel.masked_fill(spoken.mel == 0, 0))


def liven(model: KokoroModel) -> None:
    """Let a decoder's frames depend more on the frames before, so that its rows differ."""
    with torch.no_grad():
        for name, parameter in model.acoustic.decoder.named_parameters():
            if re.search(r"norm\.weight|mel_out|stop_out\.weight", name):
                parameter.mul_(4)
        model.acoustic.get_parameter("decoder.stop_out.bias").fill_(-2)


def test_the_named_specs_have_the_number_of_parameters_that_they_say() -> None:
    small = assemble(load_spec("speecht5-small"), device="meta")
    assert sum(each.numel() for each in small.parameters()) == 3_594_086
    published = assemble(load_spec("speecht5"), device="meta")
    assert sum(each.numel() for each in published.parameters()) == 144_431_684
    with torch.device("meta"):
        reference = SpeechT5ForTextToSpeech(SpeechT5Config())
    assert sum(each.numel() for each in reference.parameters()) == 144_431_684
