"""Matcha-TTS weight by weight, against what `make_fixtures` saved of the reference in float64."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.tensors.noise import RowNoise
from tests.kokoro_plugins.matcha.make_fixtures import FILE, FRAMES, LENGTHS, MELS, VOCAB, WIDTH

REFERENCE = load_file(FILE)

SIZES = {
    **{"vocab_size": VOCAB, "mel_dim": MELS, "hidden_dim": WIDTH},
    **{"encoder.num_layers": 2, "encoder.ff_dim": 12, "encoder.dropout": 0.0},
    **{"encoder.prenet.dropout": 0.0, "aligner.diagonal": 0.0},
    **{"duration_predictor.channels": 6, "duration_predictor.dropout": 0.0},
    **{"decoder.channels": [8, 16], "decoder.num_mid_stages": 1, "decoder.head_dim": 3},
    **{"decoder.frequencies": 2 * MELS, "decoder.dropout": 0.0},
}

NAMES: list[tuple[str, Any]] = [
    (r"^encoder\.prenet\.(conv|norm)s\.(\d)\.(conv\.)?", r"prenet.\1_layers.\2."),
    (r"^encoder\.prenet\.out\.", "prenet.proj."),
    (r"^encoder\.embedding\.", "emb."),
    (r"^encoder\.prior\.", "proj_m."),
    (r"^encoder\.layers\.(\d)\.attention\.out\.", r"encoder.attn_layers.\1.conv_o."),
    (r"^encoder\.layers\.(\d)\.attention\.query\.", r"encoder.attn_layers.\1.conv_q."),
    (r"^encoder\.layers\.(\d)\.attention_norm\.", r"encoder.norm_layers_1.\1."),
    (r"^encoder\.layers\.(\d)\.conv_norm\.", r"encoder.norm_layers_2.\1."),
    (r"^encoder\.layers\.(\d)\.first\.conv\.", r"encoder.ffn_layers.\1.conv_1."),
    (r"^encoder\.layers\.(\d)\.second\.conv\.", r"encoder.ffn_layers.\1.conv_2."),
    (
        r"^duration_predictor\.(conv|norm)s\.(\d)\.(conv\.)?",
        lambda m: f"proj_w.{m[1]}_{int(m[2]) + 1}.",
    ),
    (r"^duration_predictor\.out\.", "proj_w.proj."),
    (r"^(prenet\.norm|encoder\.norm|proj_w\.norm)(.*)\.weight$", r"\1\2.gamma"),
    (r"^(prenet\.norm|encoder\.norm|proj_w\.norm)(.*)\.bias$", r"\1\2.beta"),
    (r"^decoder\.estimator\.", ""),
    (r"^(down|mid|up)\.(\d)\.resnet\.", r"\1_blocks.\2.0."),
    (r"^(down|mid|up)\.(\d)\.blocks\.(\d)\.", r"\1_blocks.\2.1.\3."),
    (r"^shrink\.(\d)\.", r"down_blocks.\1.2."),
    (r"^turn\.conv\.", "down_blocks.1.2."),
    (r"^grow\.(\d)\.", r"up_blocks.\1.2."),
    (r"^last\.conv\.", "up_blocks.1.2."),
    (r"^final\.", "final_block."),
    (r"^out\.", "final_proj."),
    (r"^time\.(first|second)\.", lambda m: f"time_mlp.linear_{1 + (m[1] == 'second')}."),
    (r"\.0\.(first|second)\.", lambda m: f".0.block{1 + (m[1] == 'second')}."),
    (r"(block\d?)\.conv\.conv\.", r"\1.block.0."),
    (r"(block\d?)\.norm\.", r"\1.block.1."),
    (r"\.0\.time\.", ".0.mlp.1."),
    (r"\.around\.", ".res_conv."),
    (r"\.attention_norm\.", ".norm1."),
    (r"\.feed_forward_norm\.", ".norm3."),
    (r"\.attention\.(query|key|value)\.", lambda m: f".attn1.to_{m[1][0]}."),
    (r"\.attention\.out\.", ".attn1.to_out.0."),
    (r"\.snake\.linear\.", ".ff.net.0.proj."),
    (r"\.snake\.", ".ff.net.0."),
    (r"(_blocks\.\d\.1\.\d)\.out\.", r"\1.ff.net.2."),
]
"""Our names → those of the reference, in this order."""


def of_theirs(kind: str, name: str, used: set[str]) -> Tensor:
    """Return what the reference has for a parameter of ours."""
    keys = re.fullmatch(r"encoder\.layers\.(\d)\.attention\.key_value\.(\w+)", name)
    if keys:
        names = [f"encoder.attn_layers.{keys[1]}.conv_{each}.{keys[2]}" for each in "kv"]
    else:
        for pattern, new in NAMES:
            name = re.sub(pattern, new, name)
        names = [name]
    used.update(names)
    return torch.cat([REFERENCE[f"{kind}.{each}"].double() for each in names])


@pytest.fixture(autouse=True)
def noise(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draw what the reference drew, and compute in float64."""
    monkeypatch.setattr(RowNoise, "normal", lambda *_, **__: of_frames("noise"))
    monkeypatch.setattr(RowNoise, "uniform", lambda *_, **__: REFERENCE["times"])
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def of_frames(name: str) -> Tensor:
    """Return a tensor (1, T, M), which the reference has as (1, M, T)."""
    return REFERENCE[name].transpose(1, 2)


@pytest.fixture
def model() -> KokoroModel:
    """Return a model with the reference's weights, all of which are used."""
    ours, used = KokoroModel.from_spec("matcha", overrides=SIZES).double().eval(), set[str]()
    with torch.no_grad():
        for name, each in ours.acoustic.named_parameters():
            each.copy_(of_theirs("weight", name, used).view_as(each))
    assert {f"weight.{each}" for each in used} == {
        each for each in REFERENCE if each.startswith("weight.")
    }
    return ours


def close(found: Tensor | None, wanted: Tensor) -> None:
    assert found is not None
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


def test_means_and_log_durations_are_the_references_in_a_ragged_batch(model: KokoroModel) -> None:
    indices, lengths = REFERENCE["indices"], torch.tensor(LENGTHS)
    padding_mask = torch.arange(max(LENGTHS)) >= lengths[:, None]
    output: Any = model.acoustic.encoder(indices, padding_mask)
    close(output.parts["mu"], of_frames("mu"))
    assert model.acoustic.duration_predictor is not None
    predicted = model.acoustic.duration_predictor(output.hidden, padding_mask)
    close(predicted.duration_pred, REFERENCE["log_durations"][:, 0])


def test_alignment_and_losses_are_the_references_to_the_gradient_of_every_weight(
    model: KokoroModel,
) -> None:
    output = model(REFERENCE["indices"][:1], of_frames("mel"))
    assert output.plan is not None
    assert torch.equal(output.plan.durations, REFERENCE["durations"])
    close(output.losses["aligner.prior"], REFERENCE["prior"])
    close(output.losses["decoder.flow"], REFERENCE["flow"])
    assert output.losses.keys() == {"aligner.prior", "decoder.flow", "duration"}
    # the reference's weights of its log durations, instead of the loss of either
    of_durations = (output.duration_pred * REFERENCE["weights"][0]).sum()
    (output.losses["aligner.prior"] + output.losses["decoder.flow"] + of_durations).backward()
    for name, parameter in model.acoustic.named_parameters():
        assert parameter.grad is not None, name
        close(parameter.grad, of_theirs("gradient", name, set()).view_as(parameter))


def test_the_mel_on_the_way_is_what_the_velocity_leads_to(model: KokoroModel) -> None:
    output = model(REFERENCE["indices"][:1], of_frames("mel"))
    left = (1 - 1e-4) * of_frames("noise")
    close(output.mel, of_frames("velocity") + left)


def test_ten_steps_from_the_same_noise_lead_to_the_references_mel(model: KokoroModel) -> None:
    spoken = model.generate(REFERENCE["indices"][:1], durations=REFERENCE["durations"])
    assert spoken.lengths.tolist() == [FRAMES]
    close(spoken.mel, of_frames("spoken"))
