"""What version 2 of the contracts brought: the data flow, by name and to the number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel, SpecError
from kokoro_core.model import TrainingBatch
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.rules.reserved import RESERVED
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve, spec_hash
from registry import ComponentRegistry, Plugins, Registration, installed_plugins
from tests.kokoro_core.model.parts_of_version_2 import COMPONENTS

INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 3, 4, 0]])
PADDING = INDICES == 0
DURATIONS = torch.tensor([[2, 1, 3, 2], [4, 1, 0, 0], [1, 1, 4, 0]])
LENGTHS = DURATIONS.sum(1)


def plugins() -> Plugins:
    ours = installed_plugins()
    own = [Registration(each, "two", "version-two", "1") for each in COMPONENTS]
    return replace(ours, components=ComponentRegistry([*ours.components, *own]))


def document(**sections: Any) -> dict[str, Any]:
    return {
        "vocab_size": 12,
        "mel_dim": 5,
        "hidden_dim": 8,
        "encoder": {"type": "prior"},
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": {"type": "mu"},
        **sections,
    }


def spec(**sections: Any) -> ModelSpec:
    return load_spec(document(**sections), plugins=plugins())


def model(**sections: Any) -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec(document(**sections), plugins=plugins()).double().eval()


def batch(**features: Any) -> TrainingBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(8) >= LENGTHS.unsqueeze(1)
    mels = torch.randn(3, 8, 5, generator=generator, dtype=torch.float64)
    return TrainingBatch(
        phoneme_indices=INDICES,
        padding_mask=PADDING,
        durations=DURATIONS,
        mel_specs=mels.masked_fill(mask.unsqueeze(2), 0),
        mel_padding_mask=mask,
        extras=features,
    )


def child(tts: KokoroModel, path: str) -> Any:
    return tts.acoustic.get_submodule(path)


def problem_of(**sections: Any) -> str:
    with pytest.raises(SpecError) as caught:
        spec(**sections)
    [problem] = caught.value.problems
    return str(problem)


def expanded(x: Tensor, durations: Tensor = DURATIONS) -> Iterator[tuple[int, Tensor]]:
    """Yield each row of (B, N, C) with every phoneme's vector as often as it lasts."""
    for row, each in enumerate(x):
        yield row, torch.repeat_interleave(each, durations[row], dim=0)


def test_an_encoders_part_reaches_who_needs_it_with_one_vector_a_frame() -> None:
    tts = model()
    mu = tts.acoustic.encoder(INDICES, PADDING).parts["mu"]
    spoken = tts.generate(INDICES, durations=DURATIONS, options={"decoder.temperature": 0.0})
    for row, frames in expanded(mu):
        torch.testing.assert_close(spoken.mel[row, : len(frames)], frames, atol=1e-12, rtol=0)
        assert (spoken.mel[row, len(frames) :] == 0).all()


def test_own_losses_are_named_by_place_and_join_the_mels() -> None:
    output = model()(batch())
    assert list(output.losses) == ["encoder.size", "decoder.flow", "mel_l1", "duration"]
    weights = {"encoder.size": 0.5, "decoder.flow": 0.25, "mel_l1": 1.0, "duration": 1.0}
    wanted = sum(weights[name] * loss.item() for name, loss in output.losses.items())
    assert output.loss.item() == pytest.approx(wanted, rel=1e-12)


def test_a_spec_weighs_the_losses_of_the_parts_and_a_weight_of_0_leaves_one_out() -> None:
    tts = model(loss={"decoder.flow": 3.0, "encoder": {"size": 0.0}, "mel_l1": 0.0})
    output = tts(batch())
    assert list(output.losses) == ["decoder.flow", "duration"]
    wanted = 3 * output.losses["decoder.flow"].item() + output.losses["duration"].item()
    assert output.loss.item() == pytest.approx(wanted, rel=1e-12)


def test_an_aligner_gives_the_durations_that_all_others_get() -> None:
    tts = model(aligner={"type": "even"}, loss={"aligner.prior": 1.0})
    given = replace(batch(), durations=None)
    output = tts(given)
    even = torch.tensor([[2, 2, 2, 2], [3, 2, 0, 0], [2, 2, 2, 0]])
    assert output.plan is not None
    assert torch.equal(output.plan.durations, even)
    predicted = output.duration_pred
    assert predicted is not None
    wanted = (predicted - torch.log1p(even.double()))[~PADDING].square().mean()
    torch.testing.assert_close(output.losses["duration"], wanted, atol=1e-12, rtol=0)
    mu = tts.acoustic.encoder(INDICES, PADDING).parts["mu"]
    for row, frames in expanded(mu, even):
        torch.testing.assert_close(output.mel[row, : len(frames)], frames, atol=1e-12, rtol=0)


def test_without_an_aligner_durations_must_be_given() -> None:
    with pytest.raises(ValueError, match="`phoneme_durations` is missing; this model is trained"):
        model()(replace(batch(), durations=None))


def test_an_aligner_whose_durations_do_not_fill_the_mel_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tts = model(aligner={"type": "even"}, loss={"aligner.prior": 1.0})
    aligner = tts.acoustic.aligner
    assert aligner is not None
    honest = aligner.forward

    def one_more(*args: Any, **keywords: Any) -> Any:
        made = honest(*args, **keywords)
        return replace(made, durations=made.durations + (~PADDING).long())

    monkeypatch.setattr(aligner, "forward", one_more)
    with pytest.raises(
        ValueError, match=r"`aligner` \(`EvenAligner`\) must fill each mel, but row"
    ):
        tts(batch())


def test_adaptors_run_in_the_order_of_the_spec_and_learn_from_features_of_their_names() -> None:
    adaptors = {"pitch": {"type": "curve"}, "energy": {"type": "curve"}}
    tts = model(token_adaptors=adaptors)
    curves = [torch.randn(3, 4, dtype=torch.float64).masked_fill(PADDING, 0) for _ in adaptors]
    output = tts(batch(pitch=curves[0], energy=curves[1]))
    assert {"pitch.prediction", "energy.prediction"} < set(output.losses)
    first, second = (child(tts, f"token_adaptors.{name}") for name in adaptors)
    hidden = tts.acoustic.encoder(INDICES, PADDING).hidden
    torch.testing.assert_close(
        output.predictions["pitch"], first.predictor(hidden).squeeze(2).masked_fill(PADDING, 0)
    )
    between = (hidden + first.embedding(curves[0].unsqueeze(2))).masked_fill(PADDING[..., None], 0)
    torch.testing.assert_close(
        output.predictions["energy"], second.predictor(between).squeeze(2).masked_fill(PADDING, 0)
    )
    loss = (output.predictions["energy"] - curves[1]).square().mean()
    torch.testing.assert_close(output.losses["energy.prediction"], loss)


def test_a_curve_of_frames_is_averaged_over_each_phoneme_and_normalised() -> None:
    features = {"pitch": {"per": "frame", "mean": 5.0, "std": 2.0}}
    tts = model(token_adaptors={"pitch": {"type": "curve"}}, features=features)
    frames = torch.randn(3, 8, dtype=torch.float64)
    output = tts(batch(pitch=frames))
    wanted = torch.zeros(3, 4, dtype=torch.float64)
    for row in range(3):
        start = 0
        for phoneme, duration in enumerate(DURATIONS[row].tolist()):
            if duration:
                mean = frames[row, start : start + duration].mean()
                wanted[row, phoneme] = (mean - 5) / 2
            start += duration
    predicted = output.predictions["pitch"]
    loss = (predicted - wanted).square().mean()
    torch.testing.assert_close(output.losses["pitch.prediction"], loss, atol=1e-12, rtol=0)


def test_control_scales_a_prediction_in_speaking_and_a_given_curve_replaces_it() -> None:
    tts = model(
        token_adaptors={"pitch": {"type": "curve"}},
        decoder={"type": "parallel_transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8},
    )
    given: dict[str, Any] = {"durations": DURATIONS}
    adaptor = child(tts, "token_adaptors.pitch")
    hidden = tts.acoustic.encoder(INDICES, PADDING).hidden
    predicted = adaptor.predictor(hidden).squeeze(2).masked_fill(PADDING, 0)
    raised = tts.generate(INDICES, options={"pitch.control": 1.5}, **given).mel
    torch.testing.assert_close(raised, tts.generate(INDICES, pitch=1.5 * predicted, **given).mel)
    assert not torch.allclose(raised, tts.generate(INDICES, **given).mel)


def test_frame_adaptors_come_after_the_plan_and_learn_one_value_a_frame() -> None:
    tts = model(frame_adaptors={"pitch": {"type": "curve"}})
    curve = torch.randn(3, 8, dtype=torch.float64)
    mask = torch.arange(8) >= LENGTHS.unsqueeze(1)
    output = tts(batch(pitch=curve.masked_fill(mask, 0)))
    assert output.predictions["pitch"].shape == (3, 8)
    spoken = tts.generate(INDICES, durations=DURATIONS)
    assert spoken.lengths.tolist() == LENGTHS.tolist()


SPEAKING: dict[str, Any] = {
    "speakers": ["anna", "ben"],
    "conditioners": {"speaker": {"type": "lookup", "dim": 3, "add": True}},
}


def test_a_speaker_is_a_name_at_every_door_and_one_for_each_row_or_for_all() -> None:
    tts = model(**SPEAKING, decoder={"type": "mu", "speaker": True})
    given: dict[str, Any] = {"durations": DURATIONS, "seed": 3}
    all_ben = tts.generate(INDICES, speaker="ben", **given).mel
    for same in (["ben"] * 3, torch.tensor([1, 1, 1]), 1):
        assert torch.equal(all_ben, tts.generate(INDICES, speaker=same, **given).mel)
    assert torch.equal(tts(batch(speaker="ben")).mel, tts(batch(speaker=torch.ones(3).long())).mel)
    with pytest.raises(
        ValueError, match="`speaker` must be one that the model knows, not 'bem', d"
    ):
        tts.generate(INDICES, speaker="bem", **given)
    with pytest.raises(
        ValueError, match="`speaker` must be a name, or one for each of 3 rows, not"
    ):
        tts.generate(INDICES, speaker=["ben"], **given)
    with pytest.raises(TypeError, match="`speaker` is missing"):
        tts.generate(INDICES, **given)


PER_SPEAKER = {
    "pitch": {"per": "frame", "mean": 5, "std": 2, "speakers": {"ben": {"mean": 4, "std": 0.5}}}
}


def test_the_pitch_of_a_row_is_normalised_by_its_speaker_s_moments_or_by_the_general_ones() -> None:
    tts = model(**SPEAKING, frame_adaptors={"pitch": {"type": "curve"}}, features=PER_SPEAKER)
    frames = torch.randn(3, 8, dtype=torch.float64)
    output = tts(batch(pitch=frames, speaker=["ben", "anna", "ben"]))
    mean = torch.tensor([[4.0], [5.0], [4.0]], dtype=torch.float64)
    std = torch.tensor([[0.5], [2.0], [0.5]], dtype=torch.float64)
    error = output.predictions["pitch"] - (frames - mean) / std
    loss = output.losses["pitch.prediction"]
    torch.testing.assert_close(error.square().mean(), loss, atol=1e-12, rtol=0)


def test_moments_of_a_speaker_whom_the_spec_does_not_list_are_refused_at_their_line() -> None:
    with pytest.raises(SpecError, match=r"pitch.speakers.ben: the spec lists no speaker `ben`"):
        model(frame_adaptors={"pitch": {"type": "curve"}}, features=PER_SPEAKER)
    listed = {**SPEAKING, "speakers": ["anna", "benn"]}
    with pytest.raises(SpecError, match=r"lists no speaker `ben`, did you mean `benn`\?"):
        model(**listed, frame_adaptors={"pitch": {"type": "curve"}}, features=PER_SPEAKER)


def test_a_conditioner_is_added_to_hidden_by_a_linear_layer_of_the_model() -> None:
    tts = model(**SPEAKING, decoder={"type": "drawing"})
    encoder, acoustic = tts.acoustic.encoder(INDICES, PADDING), tts.acoustic
    available = acoustic.side_inputs({"speaker": torch.tensor([1, 0, 1])}, PADDING, training=False)
    hidden = acoustic.encode(INDICES, PADDING, available).hidden
    table = child(tts, "conditioners.speaker").table.weight[[1, 0, 1]]
    projection = child(tts, "conditioner_projections.speaker")
    wanted = encoder.hidden + (table @ projection.weight.T + projection.bias).unsqueeze(1)
    torch.testing.assert_close(hidden, wanted.masked_fill(PADDING.unsqueeze(2), 0))


def test_a_recording_is_the_target_in_training_and_the_callers_in_speaking() -> None:
    tts = model(conditioners={"style": {"type": "mean", "add": True}})
    made = batch()
    taught = tts(made).mel
    recordings: dict[str, Any] = {
        "reference": made.mel_specs,
        "reference_padding_mask": made.mel_padding_mask,
    }
    assert torch.equal(taught, tts(replace(made, extras=recordings)).mel)
    spoken = tts.generate(INDICES, durations=DURATIONS, seed=1, **recordings)
    assert spoken.mel.shape == (3, 8, 5)
    with pytest.raises(TypeError, match="`reference` is missing"):
        tts.generate(INDICES, durations=DURATIONS)


def test_durations_may_be_rounded_up() -> None:
    tts = model(duration_predictor={"type": "ceiling", "frames": 1.25})
    assert tts.generate(INDICES).durations is not None
    for speed, frames in ((1.0, 2), (0.5, 3), (1.25, 1)):
        durations = tts.generate(INDICES, speed=speed).durations
        assert durations is not None
        assert torch.equal(durations, (~PADDING).long() * frames)


def test_options_have_defaults_of_the_component_the_spec_and_the_caller_in_this_order() -> None:
    quiet = {"options": {"decoder.temperature": 0.0}}
    given: dict[str, Any] = {"durations": DURATIONS, "seed": 5}
    plain, still = model(), model(generation=quiet)
    assert torch.equal(
        plain.generate(INDICES, options={"decoder.temperature": 0.0}, **given).mel,
        still.generate(INDICES, **given).mel,
    )
    loud = still.generate(INDICES, options={"decoder.temperature": 1.0}, **given).mel
    assert torch.equal(loud, plain.generate(INDICES, **given).mel)
    with pytest.raises(
        ValueError,
        match=r"no part of this model has the option `decoder\.temp`, did you mean `[a-z_.]+`\?$",
    ):
        plain.generate(INDICES, options={"decoder.temp": 1.0}, **given)
    with pytest.raises(ValueError, match=r"`decoder\.temperature` must be from 0 to 2, not 3.0"):
        plain.generate(INDICES, options={"decoder.temperature": 3.0}, **given)
    with pytest.raises(TypeError, match=r"`decoder\.temperature` must be a number, not 'hot'"):
        plain.generate(INDICES, options={"decoder.temperature": "hot"}, **given)  # type: ignore[dict-item]


def test_a_spec_says_how_its_model_speaks_by_default() -> None:
    drawn = {"decoder": {"type": "drawing"}, "duration_predictor": {"type": "ceiling"}}
    tts = model(**drawn, generation={"min_frames": 5, "max_mel_len": 12})
    spoken = tts.generate(INDICES)
    assert spoken.lengths.tolist() == [12, 10, 12]
    assert tts.generate(INDICES, min_frames=1).lengths.tolist() == [8, 4, 6]
    assert tts.generate(INDICES, durations=DURATIONS).lengths.tolist() == LENGTHS.tolist()


def test_a_step_may_draw_and_a_row_is_the_same_alone_and_together() -> None:
    tts = model(decoder={"type": "drawing"})
    together = tts.generate(INDICES, durations=DURATIONS, seed=[4, 5, 6])
    for row, phonemes in enumerate((4, 2, 3)):
        alone = tts.generate(
            INDICES[row : row + 1, :phonemes],
            durations=DURATIONS[row : row + 1, :phonemes],
            seed=4 + row,
        )
        length = int(alone.lengths[0])
        torch.testing.assert_close(together.mel[row, :length], alone.mel[0], atol=1e-12, rtol=0)
    again = tts.generate(INDICES, durations=DURATIONS, seed=[4, 5, 6])
    assert torch.equal(together.mel, again.mel)
    other = tts.generate(INDICES, durations=DURATIONS, seed=[4, 5, 7])
    assert not torch.equal(together.mel[2], other.mel[2])
    assert torch.equal(together.mel[:2], other.mel[:2])
    streamed = torch.cat(list(tts.stream(INDICES, durations=DURATIONS, seed=[4, 5, 6])), 1)
    assert torch.equal(streamed, together.mel)


def test_a_decoder_says_itself_which_frames_are_the_last() -> None:
    # sigmoid(-0.5) is 0.378: below the threshold alone, above it as the sum of a group of two.
    tts = model(decoder={"type": "drawing", "stop": -0.5})
    spoken = tts.generate(INDICES, durations=DURATIONS)
    assert spoken.lengths.tolist() == [2, 2, 2]
    assert spoken.stop_reasons == ["stop_token"] * 3
    assert tts.generate(INDICES, durations=DURATIONS, stop_threshold=0.8).lengths.tolist() == (
        LENGTHS.tolist()
    )


def test_a_parallel_decoder_may_decide_its_lengths_where_there_is_no_regulator() -> None:
    tts = model(decoder={"type": "own_length"}, duration_predictor=None, regulator=None)
    spoken = tts.generate(INDICES)
    assert spoken.lengths.tolist() == [12, 6, 9]
    assert spoken.stop_reasons == ["complete"] * 3
    assert spoken.durations is not None
    assert spoken.durations.tolist() == [[3, 3, 3, 3], [3, 3, 0, 0], [3, 3, 3, 0]]
    cut = tts.generate(INDICES, max_mel_len=7)
    assert (cut.lengths.tolist(), cut.stop_reasons[0]) == ([7, 6, 7], "max_mel_len")


def test_a_seed_makes_a_training_batch_draw_the_same() -> None:
    tts = model()
    first, second = (
        tts(INDICES, batch().mel_specs, DURATIONS, seed=7).losses["decoder.flow"] for _ in range(2)
    )
    other = tts(INDICES, batch().mel_specs, DURATIONS, seed=8).losses["decoder.flow"]
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


FULL: dict[str, Any] = {
    **SPEAKING,
    "aligner": {"type": "even"},
    "token_adaptors": {"pitch": {"type": "curve"}, "energy": {"type": "curve"}},
    "frame_adaptors": {"tilt": {"type": "curve"}},
    "decoder": {"type": "mu", "speaker": True},
    "features": {"pitch": {"per": "frame"}, "energy": {"per": "frame"}, "tilt": {"per": "frame"}},
    "generation": {"options": {"decoder.temperature": 0.5}},
    "loss": {"aligner.prior": 0.125},
}


def test_a_model_of_all_of_it_is_saved_with_its_spec_and_speaks_the_same(tmp_path: Path) -> None:
    tts = model(**FULL).float()
    tts.save(tmp_path / "model.safetensors")
    again = KokoroModel.load(tmp_path / "model.safetensors", plugins=plugins())
    assert again.spec == tts.spec
    given: dict[str, Any] = {"speaker": "anna", "seed": 1, "options": {"pitch.control": 1.2}}
    assert torch.equal(tts.generate(INDICES, **given).mel, again.generate(INDICES, **given).mel)
    assert list(again.spec.token_adaptors) == ["pitch", "energy"]


def test_the_order_of_adaptors_counts_in_the_hash_and_survives_sorted_keys() -> None:
    turned = {**FULL, "token_adaptors": dict(reversed(FULL["token_adaptors"].items()))}
    one, two = spec(**FULL), spec(**turned)
    assert spec_hash(one, plugins()) != spec_hash(two, plugins())
    dumped = resolve(two, plugins())["spec"]
    assert [list(each) for each in dumped["token_adaptors"]] == [["energy"], ["pitch"]]
    assert load_spec(dumped, plugins=plugins()) == two


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a weight of a loss that nobody has": (
        {"loss": {"decoder.flaw": 1.0}},
        "loss.decoder.flaw: no part of this model has a loss of this name, did you mean "
        "'decoder.flow'?",
    ),
    "a misspelt weight": ({"loss": {"mel_l3": 1.0}}, "loss.mel_l3: unknown field, did you mean"),
    "a negative weight": (
        {"loss": {"decoder.flow": -1.0}},
        "loss.decoder.flow: must be at least 0.0, got -1.0",
    ),
    "an own loss without a weight": (
        {"aligner": {"type": "even"}},
        "aligner.type: the aligner returns a loss `aligner.prior` that has no default weight",
    ),
    "a need that comes later": (
        {"conditioners": {"voice": {"type": "lookup", "feature": "mu"}}},
        "conditioners.voice: the conditioner needs `mu`, which comes later in the flow, from "
        "`encoder`",
    ),
    "two parts of one name": (
        {
            "token_adaptors": {"pitch": {"type": "curve"}},
            "frame_adaptors": {"pitch": {"type": "curve"}},
        },
        "frame_adaptors.pitch: `pitch` is the name of `token_adaptors.pitch` too; give one",
    ),
    "a feature with the name of a part": (
        {"token_adaptors": {"curve": {"type": "curve", "feature": "mu"}}, "features": {"mu": {}}},
        "features.mu: `mu` is the name of `encoder` too",
    ),
    "an option out of range": (
        {"generation": {"options": {"decoder.temperature": 3.0}}},
        "generation.options.decoder.temperature: `decoder.temperature` must be from 0 to 2",
    ),
    "an adaptor without a type": (
        {"token_adaptors": {"pitch": {}}},
        "token_adaptors.pitch: the adaptor needs the key 'type'; available: curve",
    ),
    "a name that is no name": (
        {"token_adaptors": {"Pitch!": {"type": "curve"}}},
        "token_adaptors",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_between_parts_is_found_by_the_check(case: str) -> None:
    sections, message = WRONG[case]
    assert message in problem_of(**sections)


def test_a_part_has_no_name_that_torch_has_for_itself() -> None:
    code = "import torch; print(*dir(torch.nn.ModuleDict()))"  # other libraries add names of theirs
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {name for name in ran.stdout.split() if name[0] != "_"} == RESERVED
    wrong = {"token_adaptors": {"training": {"type": "curve"}}}
    assert "`training` is the name of something that torch's modules have" in problem_of(**wrong)


def test_a_loss_that_is_not_declared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tts = model()
    encoder = tts.acoustic.encoder
    honest = encoder.forward

    def another(*args: Any) -> Any:
        made: Any = honest(*args)
        return replace(made, losses={"sise": torch.tensor(1.0)})

    monkeypatch.setattr(encoder, "forward", another)
    with pytest.raises(
        ValueError, match=r"`encoder` returned a loss `sise`, .* declare \['size'\]"
    ):
        tts(batch())
