"""What a model has no part for is refused by name, and not passed over."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.generation.possible import refuse_impossible
from tests.kokoro_core.contracts.test_answers import LSTM, PARALLEL
from tests.kokoro_core.test_hard_cases import DURATIONS, INDICES, SPEAKER, model


@pytest.fixture(scope="module")
def reader() -> KokoroModel:
    return model(decoder={"type": "tokens"}, duration_predictor=None, regulator=None)


@pytest.fixture(scope="module")
def planner() -> KokoroModel:
    return model(decoder=LSTM)


@pytest.fixture(scope="module")
def parallel() -> KokoroModel:
    return model(decoder=PARALLEL)


WITHOUT_PLAN: list[tuple[dict[str, Any], str]] = [
    ({"durations": DURATIONS}, "`durations` cannot be given: this model has no regulator"),
    ({"speed": 2}, "`speed` cannot be given: this model has no regulator"),
    ({"speed": torch.ones(3, 1)}, "`speed` cannot"),
    ({"min_frames": 7}, "`min_frames` cannot"),
    ({"min_frames": 0, "speed": 0.5}, "`speed` and `min_frames` cannot"),
]


@pytest.mark.parametrize(("options", "message"), WITHOUT_PLAN)
def test_without_a_regulator_nothing_can_be_said_of_durations(
    reader: KokoroModel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        reader.generate(INDICES, speaker=SPEAKER, max_mel_len=2, **options)
    with pytest.raises(ValueError, match=message):
        next(iter(reader.stream(INDICES, speaker=SPEAKER, max_mel_len=2, **options)))


ON_A_PARALLEL_DECODER: list[dict[str, Any]] = [
    {"stop_threshold": 0.7},
    {"max_seconds": 5.0},
]


@pytest.mark.parametrize("options", ON_A_PARALLEL_DECODER)
def test_a_decoder_of_all_frames_at_once_can_not_be_ended(
    parallel: KokoroModel, options: dict[str, Any]
) -> None:
    [name] = options
    with pytest.raises(ValueError, match=f"`{name}` cannot be given: the decoder `ParallelTrans"):
        parallel.generate(INDICES, durations=DURATIONS, **options)


@pytest.mark.parametrize("options", [{"speed": 2.0}, {"min_frames": 3}])
def test_given_durations_are_not_changed(planner: KokoroModel, options: dict[str, Any]) -> None:
    [name] = options
    with pytest.raises(ValueError, match=f"`{name}` changes predicted durations, so it cannot"):
        planner.generate(INDICES, durations=DURATIONS, **options)


def test_what_holds_anyway_may_be_asked_for(parallel: KokoroModel, reader: KokoroModel) -> None:
    expected = parallel.generate(INDICES, durations=DURATIONS)
    options: dict[str, Any] = {
        "stop_threshold": 1.0,
        "length_ratio": 2.0,
        "chunk_frames": 4,
        "seed": 3,
    }
    found = parallel.generate(INDICES, durations=DURATIONS, **options)
    assert torch.equal(found.mel, expected.mel)
    reader.generate(INDICES, speaker=SPEAKER, speed=1.0, min_frames=1, max_mel_len=2, seed=3)


def test_a_regulator_without_a_predictor_needs_durations(planner: KokoroModel) -> None:
    without = model(decoder=LSTM)
    without.acoustic.duration_predictor = None
    with pytest.raises(ValueError, match="`durations` must be given, since this model has no"):
        without.generate(INDICES)
    without.generate(INDICES, durations=DURATIONS)


def test_a_decoder_of_neither_kind_cannot_speak(planner: KokoroModel) -> None:
    from kokoro_core.generation import GenerationOptions

    broken: Any = model(decoder=LSTM).acoustic
    broken.decoder = broken.encoder
    with pytest.raises(TypeError, match="`TransformerEncoder` must be an `AutoregressiveDecoder`"):
        refuse_impossible(broken, GenerationOptions(), GenerationOptions(), None)


def test_a_spec_may_say_of_a_parallel_decoder_that_nothing_ends_it() -> None:
    never = model(decoder=PARALLEL, generation={"stop_threshold": 1.0})
    never.generate(INDICES, durations=DURATIONS)
    never.generate(INDICES, durations=DURATIONS, stop_threshold=1.0)
    with pytest.raises(ValueError, match="`stop_threshold` cannot be given"):
        never.generate(INDICES, durations=DURATIONS, stop_threshold=0.5)
