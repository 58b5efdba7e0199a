"""Many requests at the same time, each against `generate` of it alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.generation import Generation, GenerationRequest
from kokoro_core.kernels import derived

TRANSFORMER: dict[str, Any] = {"type": "transformer", "num_layers": 2, "num_heads": 2, "ff_dim": 16}
SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 4,
    "hidden_dim": 16,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": TRANSFORMER,
}
POSTNET = {"postnet": {"type": "conv", "channels": 6}}
LSTM = {"type": "lstm", "prenet_dim": 6, "lstm_dim": 8, "place_dim": 4}
LATENT = {
    "type": "latent",
    "width": 16,
    "num_layers": 1,
    "num_heads": 2,
    "ff_dim": 16,
    "positional_encoding": {"type": "rotary"},
    "head": {"width": 8, "num_layers": 1},
}
WITHOUT_PLAN = {
    "duration_predictor": None,
    "regulator": None,
    "decoder": {
        "type": "speecht5",
        "num_layers": 1,
        "num_heads": 2,
        "ff_dim": 16,
        "positional_encoding": {"type": "sinusoidal"},
    },
}
DECODERS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "groups, and a place": {
        "decoder": {**TRANSFORMER, "reduction_factor": 3, "place": {"size": 3}}
    },
    "rotary": {"decoder": {**TRANSFORMER, "positional_encoding": {"type": "rotary"}}},
    "alibi, norm behind": {
        "decoder": {**TRANSFORMER, "norm": "post", "positional_encoding": {"type": "alibi"}}
    },
    "relative": {"decoder": {**TRANSFORMER, "positional_encoding": {"type": "relative_keys"}}},
    "postnet": POSTNET,
    "lstm, which draws": {"decoder": LSTM},
    "latent, which draws": {"decoder": LATENT},
    "speecht5, which draws": WITHOUT_PLAN,
    "all at once": {"decoder": {**TRANSFORMER, "type": "parallel_transformer"}},
}


def made(dtype: torch.dtype = torch.float64, **slots: Any) -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec({**SPEC, **slots}).to(dtype).eval()


def asked(model: KokoroModel, *durations: list[int], **options: Any) -> list[dict[str, Any]]:
    """Return the arguments of a request for each list of durations, with other phonemes."""
    arguments = []
    for row, each in enumerate(durations):
        phonemes = torch.tensor([[(7 * row + 3 * place) % 11 + 1 for place in range(len(each))]])
        own: dict[str, Any] = {"phoneme_indices": phonemes, "seed": 40 + row, **options}
        if model.spec.regulator is not None:
            own["durations"] = torch.tensor([each])
        else:
            own["max_mel_len"] = sum(each)
        arguments.append(own)
    return arguments


def assert_as_alone(
    model: KokoroModel, arguments: list[dict[str, Any]], rows: int, atol: float = 1e-9
) -> list[int]:
    """Compare each request with itself alone, and return in which order they ended."""
    alone = [model.generate(**each) for each in arguments]
    order = []
    for index, got in model.generate_many(requests_of(model, arguments), rows=rows):
        expected = alone[index]
        torch.testing.assert_close(got.mel, expected.mel, atol=atol, rtol=0)
        assert got.lengths.tolist() == expected.lengths.tolist()
        assert got.stop_reasons == expected.stop_reasons
        assert got.mel.shape[1] == int(got.lengths)
        order.append(index)
    assert sorted(order) == list(range(len(arguments)))
    return order


def requests_of(model: KokoroModel, arguments: list[dict[str, Any]]) -> Iterator[GenerationRequest]:
    return (model.request(**each) for each in arguments)


NINE = ([2, 3], [9, 8, 4], [1], [5, 5, 5], [3], [12, 9], [2, 2], [1, 1, 1, 1], [7])


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("rows", [1, 3, 20])
def test_each_request_gives_what_it_gives_alone(name: str, rows: int) -> None:
    model = made(**DECODERS[name])
    never = {} if "all at once" in name else {"stop_threshold": 1.0}
    assert_as_alone(model, asked(model, *NINE, **never), rows)


@given(
    durations=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), max_size=7),
    rows=st.integers(1, 4),
    chunk=st.integers(1, 5),
    threshold=st.sampled_from([0.45, 0.5, 1.0]),
)
@example(durations=[[1], [6, 6]], rows=1, chunk=5, threshold=1.0)
@settings(max_examples=25)
def test_stop_tokens_and_chunks_end_each_row_where_they_end_it_alone(
    durations: list[list[int]], rows: int, chunk: int, threshold: float
) -> None:
    model = made(**DECODERS["groups, and a place"])
    options = {"stop_threshold": threshold, "chunk_frames": chunk}
    assert_as_alone(model, asked(model, *durations, **options), rows)


def test_rows_longer_than_a_block_of_the_caches_give_what_they_give_alone() -> None:
    model = made()
    long = ([70], [3], [90, 60], [2, 2], [65], [20], [20], [20], [20])
    assert_as_alone(model, asked(model, *long, stop_threshold=1.0), 3)


@pytest.mark.parametrize("rows", [2, 8])
def test_in_float32_a_row_gives_what_it_gives_alone_but_for_rounding(rows: int) -> None:
    model = made(torch.float32)
    assert_as_alone(model, asked(model, *NINE, stop_threshold=1.0), rows, atol=1e-6)


def test_short_requests_pass_a_long_one() -> None:
    model = made()
    order = assert_as_alone(model, asked(model, [40], [2], [3], [2], stop_threshold=1.0), 2)
    assert order == [1, 2, 3, 0]


class Counted:
    """Remembers how many rows each step of a decoder has."""

    def __init__(self, decoder: Any) -> None:
        self.rows: list[int] = []
        self._step = decoder.step
        decoder.step = self

    def __call__(self, frames: Tensor, state: Any, *noise: Any) -> Any:
        self.rows.append(len(frames))
        return self._step(frames, state, *noise)


def test_no_step_is_made_for_a_place_while_requests_wait_for_it() -> None:
    model = made()
    counted = Counted(model.acoustic.decoder)
    frames = [8, 2, 3, 3, 4, 4]
    requests = requests_of(model, asked(model, *[[each] for each in frames], stop_threshold=1.0))
    list(model.generate_many(requests, rows=2))
    assert sum(counted.rows) == sum(frames)
    assert counted.rows == [2] * 12


def test_rows_that_end_while_nobody_waits_leave() -> None:
    model = made()
    counted = Counted(model.acoustic.decoder)
    requests = requests_of(model, asked(model, [2], [5], [9], stop_threshold=1.0))
    list(model.generate_many(requests, rows=4))
    assert counted.rows == [3] * 2 + [2] * 3 + [1] * 4


def test_a_request_that_comes_later_joins_those_that_are_spoken() -> None:
    model = made()
    arguments = asked(model, [9], [4], [3], stop_threshold=1.0)
    alone = [model.generate(**each).mel for each in arguments]
    requests = list(requests_of(model, arguments))
    counted = Counted(model.acoustic.decoder)
    coming = iter([requests[0], None, None, requests[1], None, requests[2]])
    for index, spoken in model.generate_many(coming, rows=8):
        torch.testing.assert_close(spoken.mel, alone[index], atol=1e-9, rtol=0)
    assert max(counted.rows) == 3
    assert counted.rows[:3] == [1, 1, 2]


def test_nothing_now_while_nothing_is_spoken_ends_it() -> None:
    model = made()
    [request] = requests_of(model, asked(model, [2]))
    assert list(model.generate_many([None, request])) == []
    assert len(list(model.generate_many([request, None, None, None, request]))) == 1
    assert list(model.generate_many([])) == []


def test_a_request_that_is_not_wanted_any_more_makes_place() -> None:
    model = made()
    counted = Counted(model.acoustic.decoder)
    requests = requests_of(model, asked(model, [30], [3], [4], stop_threshold=1.0))
    spoken = model.generate_many(
        requests, rows=1, wanted=lambda index: index > 0 or len(counted.rows) < 5
    )
    assert [index for index, _ in spoken] == [1, 2]
    assert len(counted.rows) == 5 + 3 + 4


def test_what_is_not_finite_ends_its_row_and_touches_no_other() -> None:
    model = made()
    arguments = asked(model, [9], [20], [9], [9], stop_threshold=1.0)
    alone = [model.generate(**each) for each in arguments]
    decoder: Any = model.acoustic.decoder
    step, steps = decoder.step, iter(range(1000))

    def broken(frames: Tensor, state: Any) -> Any:
        if next(steps) == 3:
            frames = frames.index_fill(0, torch.tensor([0]), math.nan)
        return step(frames, state)

    decoder.step = broken
    got = dict(model.generate_many(requests_of(model, arguments), rows=2))
    assert got[0].stop_reasons == ["not_finite"]
    assert got[0].lengths.tolist() == [3]
    torch.testing.assert_close(got[0].mel, alone[0].mel[:, :3], atol=1e-9, rtol=0)
    for index in (1, 2, 3):
        torch.testing.assert_close(got[index].mel, alone[index].mel, atol=1e-9, rtol=0)


def test_a_request_that_has_no_time_left_ends_and_the_others_go_on() -> None:
    model = made()
    arguments = asked(model, [5], [7], stop_threshold=1.0)
    arguments[0]["max_seconds"] = 1e-9
    got = dict(model.generate_many(requests_of(model, arguments), rows=2))
    assert got[0].stop_reasons == ["time"]
    assert (got[0].lengths.tolist(), got[1].lengths.tolist()) == ([1], [7])


def test_requests_with_other_speeds_and_limits_are_spoken_together() -> None:
    model = made()
    arguments = asked(model, [4], [4], [4], stop_threshold=1.0)
    for each, speed, most in zip(arguments, (0.5, 1.0, 2.0), (3, 1000, 1000), strict=True):
        del each["durations"]
        each.update(speed=speed, max_mel_len=most)
    assert_as_alone(model, arguments, 3)


def test_a_decoder_that_replaces_no_rows_speaks_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = made()
    monkeypatch.setattr(type(model.acoustic.decoder), "replaces_rows", False)
    counted = Counted(model.acoustic.decoder)
    order = assert_as_alone(model, asked(model, [9], [2], [3], stop_threshold=1.0), 8)
    assert order == [0, 1, 2]
    assert set(counted.rows) == {1}


def test_a_copy_in_another_precision_speaks_many_as_it_speaks_one() -> None:
    model = made(torch.float32)
    arguments = asked(model, *NINE[:4], stop_threshold=1.0, dtype=torch.float64)
    assert_as_alone(model, arguments, 3, atol=1e-6)


def test_what_all_rows_share_must_be_the_same() -> None:
    model = made()
    arguments = asked(model, [3], [3])
    arguments[1]["stop_threshold"] = 0.25
    rule = r"`stop_threshold` must be the same in all requests.*is 0\.25 after 0\.5"
    with pytest.raises(ValueError, match=rule) as caught:
        list(model.generate_many(requests_of(model, arguments)))
    assert caught.value.__notes__ == ["It is request 1 of `generate_many`."]


def test_a_request_of_several_rows_is_refused() -> None:
    model = made()
    two = model.request(torch.tensor([[3], [4]]))
    with pytest.raises(ValueError, match="`requests` must have one row each, not 2"):
        list(model.generate_many([two]))


def test_an_error_says_which_request_it_is_of() -> None:
    model = made()
    arguments = [*asked(model, [3], [3]), {"phoneme_indices": torch.tensor([[99]])}]
    with pytest.raises(ValueError, match="phoneme_indices") as caught:
        list(model.generate_many(requests_of(model, arguments)))
    assert caught.value.__notes__ == ["It is request 2 of `generate_many`."]


@pytest.mark.parametrize("rows", [0, -1])
def test_there_must_be_place_for_a_row(rows: int) -> None:
    with pytest.raises(ValueError, match=f"`rows` must be .*{rows}"):
        next(made().generate_many([], rows=rows))


def test_the_results_may_be_used_in_training() -> None:
    model = made()
    spoken: list[Generation] = [
        each for _, each in model.generate_many(requests_of(model, asked(model, [3], [2])))
    ]
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    (weight * spoken[0].mel).sum().backward()
    assert weight.grad is not None


@pytest.mark.fast_kernels
def test_weights_are_compared_once_and_not_whenever_a_row_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[Any] = []

    def noted(module: Any) -> tuple[int]:
        compared.append(module)
        return (len(compared),)

    monkeypatch.setattr(derived, "fingerprint", noted)
    model = made(torch.float32)
    requests = requests_of(model, asked(model, *NINE, stop_threshold=1.0))
    assert len(list(model.generate_many(requests, rows=3))) == 9
    assert len(compared) == 1
