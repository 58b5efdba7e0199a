import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.generation import Generation
from kokoro_core.generation.options import StopReason
from kokoro_plugins.training.data.collate import collate
from kokoro_plugins.training.evaluation import (
    Evaluation,
    distortion,
    durations_of,
    ended_in_time,
    evaluate,
    generate_batch,
    mel_error,
    predict,
)


@pytest.fixture(scope="module")
def model(small_spec):
    torch.manual_seed(3)
    return KokoroModel.from_spec(small_spec).eval()


@pytest.fixture
def batch(utterance, small_spec):
    rows = [utterance("a", [3, 0, 4]), utterance("b", [5, 6], seed=1)]
    return collate(rows, small_spec.audio, 0)


def test_the_error_is_the_mean_over_true_frames(batch):
    mel = torch.randn(2, 11, 80, dtype=torch.float64)
    true = batch.mel_specs.double()
    differences = [(mel[0, :7] - true[0, :7]), (mel[1] - true[1])]
    expected = torch.cat(differences).abs().mean()
    mel[0, 7:] = 0
    assert mel_error(mel.float(), batch) == pytest.approx(float(expected), rel=1e-5)


def test_missing_frames_count_as_zero_frames(batch):
    assert mel_error(batch.mel_specs[:, :6], batch) == pytest.approx(
        float(torch.cat([batch.mel_specs[0, 6:7], batch.mel_specs[1, 6:]]).abs().sum() / (18 * 80))
    )


def test_frames_too_many_are_left_out(batch):
    longer = torch.cat([batch.mel_specs, torch.ones(2, 5, 80)], dim=1)
    assert mel_error(longer, batch) == 0


def test_only_a_stop_token_near_the_true_length_ends_in_time(utterance, small_spec):
    rows = [utterance(f"u{i}", [100], seed=i) for i in range(6)]
    lengths = [100, 95, 105, 94, 106, 100]
    reasons: list[StopReason] = ["stop_token"] * 5
    reasons.append("planned_length")
    spoken = Generation(torch.zeros(6, 106, 80), torch.tensor(lengths), None, reasons)
    batch = collate(rows, small_spec.audio, 0)
    assert ended_in_time(spoken, batch) == [True, True, True, False, False, False]


def test_prediction_and_speech_begin_alike_and_do_not_train(model, batch):
    predicted = predict(model, batch)
    spoken = generate_batch(model, batch, durations=batch.durations)
    assert not predicted.requires_grad
    assert not spoken.mel.requires_grad
    torch.testing.assert_close(predicted[:, 0], spoken.mel[:, 0], atol=1e-5, rtol=1e-5)


def test_figures_of_batches_are_those_of_all_rows(model, utterance, small_spec):
    rows = [utterance("a", [3, 0, 4]), utterance("b", [5, 6], seed=1), utterance("c", [2], seed=2)]
    whole = evaluate(model, [collate(rows, small_spec.audio, 0)])
    parts = evaluate(
        model, [collate(rows[:2], small_spec.audio, 0), collate(rows[2:], small_spec.audio, 0)]
    )
    assert parts.teacher_forced == pytest.approx(whole.teacher_forced, rel=1e-5)
    assert parts.free_running == pytest.approx(whole.free_running, rel=1e-5)
    assert (parts.utterances, parts.frames) == (3, whole.frames)


def test_the_ratio_is_of_free_running_to_teacher_forced():
    figures = Evaluation(0.2, 0.25, 3, 4, 1.0, 500)
    assert figures.ratio == pytest.approx(1.25)
    assert figures.as_dict()["ratio"] == pytest.approx(1.25)


def test_no_batch_is_refused(model):
    with pytest.raises(ValueError, match="`batches` must hold at least one batch"):
        evaluate(model, [])


def test_a_model_that_plans_no_durations_is_measured_on_a_corpus_that_has_them(batch, small_spec):
    small = {each: getattr(small_spec, each) for each in ("hidden_dim", "mel_dim", "audio")}
    spec = {
        **{**small, "audio": small["audio"].model_dump(), "vocab_size": small_spec.vocab_size},
        "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8},
        **{"duration_predictor": None, "regulator": None},
        "decoder": {
            **{"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8},
            **{"add_memory": False, "memory_positions": False},
        },
    }
    model = KokoroModel.from_spec(spec).eval()
    assert batch.durations is not None
    assert durations_of(model, batch) is None
    figures = evaluate(model, [batch])
    assert figures.utterances == 2
    assert distortion(model, [batch], small_spec.audio) > 0
