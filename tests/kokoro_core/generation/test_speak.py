"""Free-running generation: how it starts, where it stops, what a batch is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_plugins.transformer.mlp import MlpDurationPredictor

SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 4,
    "hidden_dim": 16,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {
        "type": "transformer",
        "num_layers": 2,
        "num_heads": 2,
        "ff_dim": 16,
        "place": {"size": 3},
    },
}
PARALLEL = {"type": "parallel_transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}
POSTNET = {"type": "conv", "channels": 6}
INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0], [9, 3, 4, 0]])
DURATIONS = torch.tensor([[2, 0, 3, 2], [4, 1, 0, 0], [1, 1, 4, 0]])
ROWS = [4, 2, 3]


def last_bias_of_predictor(model: KokoroModel) -> torch.Tensor:
    predictor = model.acoustic.duration_predictor
    assert isinstance(predictor, MlpDurationPredictor)
    bias = predictor.layers[-1].bias
    assert isinstance(bias, torch.Tensor)
    return bias


def make(stop_bias: float = -30.0, **slots: Any) -> KokoroModel:
    """Return a tiny model; its stop token fires or not as the bias says."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec({**SPEC, **slots}).double().eval()
    decoder = model.acoustic.decoder
    if isinstance(decoder, AutoregressiveDecoder):
        with torch.no_grad():
            decoder.get_parameter("stop_out.bias").fill_(stop_bias)
    return model


class Recorded:
    """Remembers what the decoder is fed at each step."""

    def __init__(self, decoder: Any) -> None:
        self.fed: list[Tensor] = []
        self._step = decoder.step
        decoder.step = self

    def __call__(self, frames: Tensor, state: Any) -> Any:
        self.fed.append(frames.clone())
        return self._step(frames, state)


def test_generation_starts_with_the_zero_frame_and_goes_on_with_its_own() -> None:
    model = make()
    recorded = Recorded(model.acoustic.decoder)
    mel = model.generate(INDICES[:1], durations=DURATIONS[:1]).mel
    assert (recorded.fed[0] == 0).all()
    for step, fed in enumerate(recorded.fed[1:]):
        assert torch.equal(fed[0, 0], mel[0, step])


@pytest.mark.parametrize("slots", [{}, {"postnet": POSTNET}, {"regulator": {"type": "gaussian"}}])
def test_teacher_forcing_on_its_own_frames_repeats_what_it_spoke(slots: dict[str, Any]) -> None:
    model = make(**slots)
    spoken = model.generate(INDICES, durations=DURATIONS)
    assert spoken.lengths.tolist() == [7, 5, 6]
    coarse = make(**{**slots, "postnet": None})
    coarse.load_state_dict(model.state_dict(), strict=False)
    own = coarse.generate(INDICES, durations=DURATIONS).mel
    echoed = model(INDICES, own, DURATIONS)
    torch.testing.assert_close(echoed.mel, spoken.mel, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    "slots",
    [
        {},
        {"decoder": PARALLEL},
        {"postnet": POSTNET},
        {"regulator": {"type": "gaussian"}, "duration_predictor": {"type": "conv", "channels": 8}},
    ],
)
@pytest.mark.parametrize("given_durations", [True, False])
def test_a_row_of_a_batch_is_spoken_as_it_is_alone(
    slots: dict[str, Any], given_durations: bool
) -> None:
    model = make(stop_bias=-1.0, **slots)
    durations = DURATIONS if given_durations else None
    together = model.generate(INDICES, durations=durations)
    for row, count in enumerate(ROWS):
        wanted = durations[row : row + 1, :count] if durations is not None else None
        alone = model.generate(INDICES[row : row + 1, :count], durations=wanted)
        length = int(alone.lengths[0])
        assert int(together.lengths[row]) == length
        assert together.stop_reasons[row] == alone.stop_reasons[0]
        torch.testing.assert_close(together.mel[row, :length], alone.mel[0], atol=1e-9, rtol=0)
        assert (together.mel[row, length:] == 0).all()


@given(
    chunk=st.integers(1, 9),
    postnet=st.booleans(),
    bias=st.sampled_from([-30.0, 0.0, -1.0]),
)
@example(chunk=1, postnet=True, bias=-30.0)
def test_a_stream_joined_is_the_mel_of_generate(chunk: int, postnet: bool, bias: float) -> None:
    model = make(stop_bias=bias, **({"postnet": POSTNET} if postnet else {}))
    durations = DURATIONS * 3
    whole = model.generate(INDICES, durations=durations)
    parts = list(model.stream(INDICES, durations=durations, chunk_frames=chunk))
    torch.testing.assert_close(torch.cat(parts, 1), whole.mel, atol=1e-9, rtol=0)
    if not postnet:
        assert max(part.shape[1] for part in parts) <= chunk


def test_a_stream_gives_its_first_frame_after_one_step() -> None:
    model = make()
    recorded = Recorded(model.acoustic.decoder)
    next(iter(model.stream(INDICES, durations=DURATIONS)))
    assert len(recorded.fed) == 1


def test_a_parallel_decoder_streams_everything_at_once() -> None:
    model = make(decoder=PARALLEL)
    parts = list(model.stream(INDICES, durations=DURATIONS))
    assert len(parts) == 1
    assert torch.equal(parts[0], model.generate(INDICES, durations=DURATIONS).mel)


def test_looking_less_often_for_the_end_changes_nothing() -> None:
    model = make(stop_bias=-0.5)
    one = model.generate(INDICES, durations=DURATIONS * 5, chunk_frames=1)
    many = model.generate(INDICES, durations=DURATIONS * 5, chunk_frames=16)
    torch.testing.assert_close(one.mel, many.mel, atol=1e-12, rtol=0)
    assert one.lengths.tolist() == many.lengths.tolist()
    assert one.stop_reasons == many.stop_reasons


def test_a_row_ends_with_the_first_frame_whose_stop_probability_is_above_the_threshold() -> None:
    model = make(stop_bias=0.0)
    silent = make(stop_bias=-30.0)
    everything = silent.generate(INDICES, durations=DURATIONS * 4).mel
    logits = model(INDICES, everything, DURATIONS * 4).stop_logits
    for threshold in (0.2, 0.5, 0.6):
        spoken = model.generate(INDICES, durations=DURATIONS * 4, stop_threshold=threshold)
        for row, planned in enumerate((DURATIONS * 4).sum(1).tolist()):
            fires = (logits[row, :planned].sigmoid() > threshold).nonzero().flatten().tolist()
            expected = fires[0] + 1 if fires else planned
            assert int(spoken.lengths[row]) == expected
            reason = "stop_token" if fires else "planned_length"
            assert spoken.stop_reasons[row] == reason


def test_a_stop_probability_at_the_threshold_does_not_stop() -> None:
    model = make()
    with torch.no_grad():
        model.acoustic.decoder.get_parameter("stop_out.weight").zero_()
        model.acoustic.decoder.get_parameter("stop_out.bias").zero_()
    assert model.generate(INDICES, durations=DURATIONS).stop_reasons == ["planned_length"] * 3


def test_the_callers_limit_cuts_and_says_so() -> None:
    model = make()
    spoken = model.generate(INDICES, durations=DURATIONS, max_mel_len=6)
    assert spoken.lengths.tolist() == [6, 5, 6]
    assert spoken.stop_reasons == ["max_mel_len", "planned_length", "planned_length"]
    parallel = make(decoder=PARALLEL).generate(INDICES, durations=DURATIONS, max_mel_len=6)
    assert parallel.lengths.tolist() == [6, 5, 6]
    assert parallel.stop_reasons == ["max_mel_len", "complete", "complete"]
    assert parallel.mel.shape[1] == 6


@pytest.mark.parametrize(
    ("limits", "lengths", "reasons"),
    [
        ({"length_ratio": 100.0, "max_mel_len": 30}, [7, 5, 6], ["complete"] * 3),
        ({"length_ratio": 2.0, "max_mel_len": 6}, [6, 5, 6], ["max_mel_len"] + ["complete"] * 2),
        ({"length_ratio": 0.5}, [4, 3, 3], ["planned_length"] * 3),
        (
            {"length_ratio": 0.5, "max_mel_len": 3},
            [3] * 3,
            ["max_mel_len"] + 2 * ["planned_length"],
        ),
    ],
    ids=["far behind the plan", "one row cut", "half the plan", "both"],
)
def test_a_limit_that_lies_behind_a_parallel_plan_ended_nothing(
    limits: dict[str, Any], lengths: list[int], reasons: list[str]
) -> None:
    spoken = make(decoder=PARALLEL).generate(INDICES, durations=DURATIONS, **limits)
    assert spoken.lengths.tolist() == lengths
    assert spoken.stop_reasons == reasons


def test_nothing_is_made_of_a_plan_past_the_callers_limit() -> None:
    decoder = {**SPEC["decoder"], "positional_encoding": {"type": "sinusoidal", "max_len": 8}}
    spoken = make(decoder=decoder).generate(INDICES, durations=DURATIONS * 100, max_mel_len=8)
    assert spoken.lengths.tolist() == [8, 8, 8]
    assert spoken.stop_reasons == ["max_mel_len"] * 3
    assert spoken.durations is not None
    assert torch.equal(spoken.durations, DURATIONS * 100)


def test_speed_with_given_durations_is_refused_since_it_would_change_nothing() -> None:
    with pytest.raises(ValueError, match="`speed` changes predicted durations, so it cannot"):
        make().generate(INDICES, durations=DURATIONS, speed=2.0)


def test_a_predictor_that_runs_away_is_refused_and_not_rounded_to_one_frame() -> None:
    model = make()
    with torch.no_grad():
        last_bias_of_predictor(model).fill_(100.0)
    with pytest.raises(ValueError, match="the duration predictor \\(or `speed`\\) is off"):
        model.generate(INDICES)


def test_a_row_may_go_past_its_planned_length_if_asked_to() -> None:
    spoken = make().generate(INDICES, durations=DURATIONS, length_ratio=1.5)
    assert spoken.lengths.tolist() == [11, 8, 9]
    assert spoken.stop_reasons == ["planned_length"] * 3


def test_given_durations_replace_the_predicted_ones() -> None:
    model = make()
    given = model.generate(INDICES, durations=DURATIONS).durations
    assert given is not None
    assert torch.equal(given, DURATIONS)
    predicted = model.generate(INDICES).durations
    assert predicted is not None
    assert (predicted[INDICES != 0] >= 1).all()
    assert (predicted[INDICES == 0] == 0).all()


def test_a_higher_speed_plans_fewer_frames() -> None:
    model = make()
    with torch.no_grad():
        last_bias_of_predictor(model).fill_(3.0)
    normal = model.generate(INDICES).lengths
    fast = model.generate(INDICES, speed=2.0).lengths
    assert (fast < normal * 0.6).all()


@pytest.mark.parametrize("training", [True, False])
def test_generation_never_flips_the_training_mode(training: bool) -> None:
    model = make().train(training)
    modes = [module.training for module in model.modules()]
    if training:
        with pytest.warns(UserWarning, match="`generate` runs in training mode"):
            model.inference(INDICES, max_mel_len=3)
    else:
        model.inference(INDICES, max_mel_len=3)
    assert [module.training for module in model.modules()] == modes
    model(INDICES, torch.randn(3, 7, 4).double(), DURATIONS)
    assert [module.training for module in model.modules()] == modes


def test_generation_records_no_gradient_and_gives_tensors_that_may_be_trained_with() -> None:
    model = make()
    mel = model.generate(INDICES, durations=DURATIONS).mel
    streamed = next(iter(model.stream(INDICES, durations=DURATIONS)))
    for tensor in (mel, streamed):
        assert not tensor.requires_grad
        assert not tensor.is_inference()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_mel_len": 0}, "`max_mel_len` must be 1 or more, not 0"),
        ({"chunk_frames": 0}, "`chunk_frames` must be 1 or more, not 0"),
        ({"stop_threshold": 1.5}, "`stop_threshold` must be from 0 to 1, not 1.5"),
        ({"length_ratio": 0.0}, "`length_ratio` must be above 0, not 0.0"),
        ({"speed": -1.0}, "`speed` must be a number above 0, not -1.0"),
        ({"seed": [1, 2]}, "`seed` must be a number or one for each of 3 rows, not 2"),
        ({"durations": DURATIONS * 0}, "row 0 has none"),
        ({"durations": DURATIONS - 1}, "`durations` must be 0 or more, but row 0 has -1"),
        ({"durations": DURATIONS.double()}, "`durations` must be int64 frames"),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make().generate(INDICES, **options)


def test_more_frames_than_positions_are_refused_before_the_first_step() -> None:
    decoder = {**SPEC["decoder"], "positional_encoding": {"type": "sinusoidal", "max_len": 8}}
    model = make(decoder=decoder)
    with pytest.raises(ValueError, match="knows 8 positions but the sequence has 14"):
        model.generate(INDICES, durations=DURATIONS * 2)
