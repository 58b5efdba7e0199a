"""The public class."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.utils import _pytree as pytree

from kokoro_core import KokoroModel, ModelSpec, SpecError, assemble, load_spec
from kokoro_core.model.assembly import set_segments
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_plugins.transformer.params import TransformerDecoderParams, TransformerEncoderParams

NO_OUTSIDE = {"frontend": None, "vocoder": None}
INDICES = torch.tensor([[3, 4, 5], [7, 8, 0]])
DURATIONS = torch.tensor([[2, 1, 2], [1, 3, 0]])
TINY: dict[str, Any] = {
    "hidden_dim": 16,
    "encoder.num_layers": 2,
    "encoder.num_heads": 2,
    "encoder.ff_dim": 16,
    "decoder.num_layers": 2,
    "decoder.num_heads": 2,
    "decoder.ff_dim": 16,
    **NO_OUTSIDE,
}


def tiny(**overrides: Any) -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec("small", overrides={**TINY, **overrides})


@pytest.mark.parametrize(
    ("name", "pre", "post"),
    [
        ("small", 5_687_122, 5_686_098),
        ("base", 22_580_818, 22_578_770),
        ("default", 44_650_066, 44_648_018),
    ],
)
def test_the_named_specs_have_exactly_the_parameters_of_the_design(
    name: str, pre: int, post: int
) -> None:
    for norm, expected in (("pre", pre), ("post", post)):
        overrides = {"encoder.norm": norm, "decoder.norm": norm, **NO_OUTSIDE}
        spec = load_spec(name, overrides=overrides)
        model = assemble(spec, device="meta")
        assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("voice", 5_707_602), ("quick", 1_463_459), ("parallel", 5_191_761), ("mixed", 6_003_794)],
)
def test_the_other_named_specs_have_the_parameters_that_their_first_lines_say(
    name: str, parameters: int
) -> None:
    from registry import installed_plugins

    model = assemble(load_spec(name, overrides=NO_OUTSIDE), device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    text = installed_plugins().named_spec(name).file.read_text(encoding="utf-8")
    assert f"{parameters:,}" in text.split("format:")[0]


def test_a_model_of_other_phonemes_or_mels_has_no_parts_around_it_that_do_not_fit() -> None:
    small: dict[str, Any] = {"hidden_dim": 16, "n_encoder_layers": 1, "n_decoder_layers": 1}
    usual = KokoroModel(**small).spec
    assert usual.frontend is not None
    assert usual.vocoder is not None
    other = KokoroModel(vocab_size=100, mel_dim=20, **small).spec
    assert (other.vocab_size, other.mel_dim) == (100, 20)
    assert (other.frontend, other.vocoder, other.audio) == (None, None, None)


def test_iterating_the_output_yields_the_seeds_three() -> None:
    output = tiny()(INDICES, torch.randn(2, 5, 80), DURATIONS)
    mel, duration_pred, stop_pred = output
    assert mel is output.mel
    assert duration_pred is output.duration_pred
    assert stop_pred is output.stop_logits


def test_a_parallel_decoder_predicts_no_stop() -> None:
    parallel = KokoroModel.from_spec("parallel", overrides=NO_OUTSIDE)
    _, _, stop_pred = parallel(INDICES, torch.randn(2, 5, 80), DURATIONS)
    assert stop_pred is None


def test_the_output_is_a_pytree() -> None:
    output = tiny()(INDICES, torch.randn(2, 5, 80), DURATIONS)
    leaves, structure = pytree.tree_flatten(output)
    assert any(leaf is output.mel for leaf in leaves)
    rebuilt = pytree.tree_unflatten(leaves, structure)
    assert torch.equal(rebuilt.loss, output.loss)


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    model = tiny(**{"loss.duration": 0.25, "loss.mel_mse": 2.0, "loss.stop": 0.0})
    output = model(INDICES, torch.randn(2, 5, 80), DURATIONS)
    weight = {"mel_l1": 1.0, "mel_mse": 2.0, "duration": 0.25, "stop": 0.0}
    assert output.losses.keys() == weight.keys()
    expected = sum(weight[name] * loss.item() for name, loss in output.losses.items())
    assert output.loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_coarse_mel_is_weighed_as_the_refined_one() -> None:
    model = tiny(**{"postnet": {"type": "conv", "channels": 8}, "loss.mel_l1": 3.0}).eval()
    output = model(INDICES, torch.randn(2, 5, 80), DURATIONS)
    terms = {name: loss.item() for name, loss in output.losses.items()}
    expected = 3 * (terms["mel_l1"] + terms["mel_l1_coarse"]) + terms["duration"] + terms["stop"]
    assert output.loss.item() == pytest.approx(expected, rel=1e-6)


def test_with_a_postnet_both_mels_are_in_the_output_and_in_the_loss() -> None:
    model = tiny(postnet={"type": "conv", "channels": 8}).double().eval()
    mel = torch.randn(2, 5, 80).double()
    output = model(INDICES, mel, DURATIONS)
    assert not torch.equal(output.mel, output.mel_coarse)
    valid = ~output.mel_padding_mask
    for name, predicted in (("mel_l1", output.mel), ("mel_l1_coarse", output.mel_coarse)):
        expected = (predicted[valid] - mel[valid]).abs().mean()
        assert output.losses[name].item() == pytest.approx(expected.item(), rel=1e-9)


def test_stop_targets_of_the_caller_are_used() -> None:
    model = tiny().eval()
    mel = torch.randn(2, 5, 80)
    own = torch.zeros(2, 5)
    own[0, 4] = own[1, 3] = 1
    derived = model(INDICES, mel, DURATIONS).losses["stop"]
    assert torch.equal(model(INDICES, mel, DURATIONS, own).losses["stop"], derived)
    assert not torch.equal(model(INDICES, mel, DURATIONS, own * 0).losses["stop"], derived)


def test_masks_that_are_given_win_over_the_padding_index() -> None:
    model = tiny().double().eval()
    mel = torch.randn(2, 5, 80).double()
    expected = model(INDICES, mel, DURATIONS).mel
    poisoned = INDICES.clone()
    poisoned[1, 2] = 9
    found = model(poisoned, mel, DURATIONS, padding_mask=INDICES == 0).mel
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_padding_further_changes_nothing() -> None:
    model = tiny(postnet={"type": "conv", "channels": 8}).double().eval()
    mel = torch.randn(2, 5, 80).double()
    expected = model(INDICES, mel, DURATIONS)
    further = model(
        torch.nn.functional.pad(INDICES, (0, 2)),
        torch.nn.functional.pad(mel, (0, 0, 0, 3), value=float("nan")),
        torch.nn.functional.pad(DURATIONS, (0, 2)),
        mel_padding_mask=torch.arange(8) >= DURATIONS.sum(1, keepdim=True),
    )
    torch.testing.assert_close(further.mel[:, :5], expected.mel, atol=1e-9, rtol=0)
    assert (further.mel[:, 5:] == 0).all()
    assert further.loss.item() == pytest.approx(expected.loss.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((INDICES.float(), torch.zeros(2, 5, 80), DURATIONS), "must be int64 of shape"),
        ((INDICES[0], torch.zeros(2, 5, 80), DURATIONS), "must be int64 of shape"),
        ((INDICES[:, :0], torch.zeros(2, 5, 80), DURATIONS), "at least one phoneme"),
        ((INDICES + 61, torch.zeros(2, 5, 80), DURATIONS), "from 0 to 62, but 69"),
        ((-INDICES, torch.zeros(2, 5, 80), DURATIONS), "from 0 to 62, but -8"),
        ((INDICES.flip(1), torch.zeros(2, 5, 80), DURATIONS), "row 1 has padding before its end"),
        ((INDICES, torch.zeros(2, 5, 79), DURATIONS), r"`mel_specs` must be of shape \(2, T, 80\)"),
        ((INDICES, torch.zeros(2, 5, 80), None), "`phoneme_durations` is missing"),
        ((INDICES, torch.zeros(2, 5, 80), DURATIONS[:, :2]), r"frames of shape \(2, 3\)"),
        ((INDICES, torch.zeros(2, 5, 80), -DURATIONS), "0 or more, but row 0 has -2"),
        ((INDICES, torch.zeros(2, 5, 80).long(), DURATIONS), "must be floating point"),
        ((INDICES, torch.full((2, 5, 80), torch.nan), DURATIONS), "frame 0 of row 0 is not"),
        ((INDICES, torch.zeros(2, 5, 80), DURATIONS, torch.zeros(1, 5)), r"be of shape \(2, 5\)"),
        ((INDICES, torch.zeros(2, 5, 80), DURATIONS, torch.ones(2, 5) * 5), "from 0 to 1"),
    ],
)
def test_input_that_does_not_fit_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny()(*arguments)


def test_overrides_change_the_spec_that_the_model_keeps() -> None:
    model = KokoroModel.from_spec("small", overrides={"encoder.num_layers": 1, **NO_OUTSIDE})
    assert isinstance(model.spec.encoder, TransformerEncoderParams)
    assert isinstance(model.spec.decoder, TransformerDecoderParams)
    assert model.spec.encoder.num_layers == 1
    assert model.spec.decoder.hidden_dim == 256


def test_a_spec_made_in_python_builds_the_model_that_the_file_builds() -> None:
    from kokoro_plugins.transformer.params import (
        MlpParams,
        RepeatParams,
        TransformerDecoderParams,
        TransformerEncoderParams,
    )

    stack: dict[str, Any] = {"num_layers": 3, "num_heads": 4, "ff_dim": 1024}
    spec = ModelSpec(
        name="small",
        hidden_dim=256,
        encoder=TransformerEncoderParams(**stack),
        duration_predictor=MlpParams(),
        regulator=RepeatParams(),
        decoder=TransformerDecoderParams(**stack),
    )
    torch.manual_seed(0)
    ours = KokoroModel.from_spec(spec).state_dict()
    torch.manual_seed(0)
    theirs = KokoroModel.from_spec("small", overrides=NO_OUTSIDE).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_assembling_a_spec_whose_widths_do_not_meet_names_both_places() -> None:
    spec = load_spec("small", overrides=NO_OUTSIDE)
    broken = spec.model_copy(
        update={"encoder": spec.encoder.model_copy(update={"hidden_dim": 128})}
    )
    with pytest.raises(SpecError, match=r"(?s)encoder\.hidden_dim.*128|128.*encoder\.hidden_dim"):
        assemble(broken)


def test_gradient_checkpointing_is_on_by_default_and_reaches_every_stack() -> None:
    model = tiny()
    stacks = [part for part in model.modules() if isinstance(part, CheckpointedStack)]
    assert [stack.segments for stack in stacks] == [4, 4]
    off = tiny(gradient_checkpointing=None)
    stacks = [part for part in off.modules() if isinstance(part, CheckpointedStack)]
    assert [stack.segments for stack in stacks] == [None, None]


def test_gradient_checkpointing_changes_no_gradient_with_dropout_on() -> None:
    model, mel = tiny(), torch.randn(2, 5, 80)
    gradients = []
    for segments in (None, 1, 2):
        set_segments(model, segments)
        model.zero_grad()
        torch.manual_seed(3)
        model(INDICES, mel, DURATIONS).loss.backward()
        gradients.append([each.grad for each in model.parameters() if each.grad is not None])
        assert len(gradients[-1]) == len(list(model.parameters()))
    for other in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], other, strict=True))


def test_every_parameter_gets_a_gradient() -> None:
    model = tiny(**{"decoder.place": {"size": 3}})
    model(INDICES, torch.randn(2, 5, 80), DURATIONS).loss.backward()
    without = [name for name, each in model.named_parameters() if each.grad is None]
    assert without == []


def test_get_model_info_counts_each_slot_and_names_where_it_comes_from() -> None:
    model = tiny()
    info = model.get_model_info()
    total = sum(parameter.numel() for parameter in model.parameters())
    assert info["total_parameters"] == total
    assert info["bytes"] == total * 4
    assert sum(slot["parameters"] for slot in info["slots"].values()) == total
    assert info["gradient_checkpointing"]["slots_without"] == ["duration_predictor", "regulator"]
    names = {each["name"]: each for each in info["components"]}
    assert names["transformer/transformer"]["distribution"] == "kokoro-core"


def test_a_frozen_encoder_is_counted_as_not_trainable() -> None:
    model = tiny()
    model.acoustic.encoder.requires_grad_(False)
    info = model.get_model_info()
    frozen = info["slots"]["encoder"]["parameters"]
    assert info["trainable_parameters"] == info["total_parameters"] - frozen


def test_a_model_can_be_copied() -> None:
    model = tiny().eval()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    assert not torch.equal(next(model.parameters()), next(twin.parameters()))
    assert twin.spec == model.spec


def test_bfloat16_speaks() -> None:
    model = tiny().eval().to(torch.bfloat16)
    assert model.generate(INDICES, durations=DURATIONS).mel.dtype is torch.bfloat16


def test_training_compiles_into_one_graph() -> None:
    model = tiny(gradient_checkpointing=None).eval()
    mel = torch.randn(2, 5, 80)
    expected = model(INDICES, mel, DURATIONS)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    found = compiled(INDICES, mel, DURATIONS)
    torch.testing.assert_close(found.mel, expected.mel)
    torch.testing.assert_close(found.loss, expected.loss)
