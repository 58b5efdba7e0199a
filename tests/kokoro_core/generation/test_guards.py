"""Nothing runs on: 60 cases of stop heads that misbehave, and limits of frames and time."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.generation import request as reading
from kokoro_core.generation.options import MAX_FRAMES

SPEC: dict[str, Any] = {
    "vocab_size": 12,
    "mel_dim": 3,
    "hidden_dim": 4,
    "encoder": {
        "type": "transformer",
        "num_layers": 1,
        "num_heads": 1,
        "ff_dim": 4,
        "positional_encoding": {"type": "none"},
    },
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 1, "ff_dim": 4},
}
FRAMES = 2
"""Frames of each phoneme."""
HEADS = ["never", "always", "NaN", "oscillating"]
CAPS = [1, 4, 1000]
BATCHES = [[1], [5], [1, 5], [3, 3, 3], [1, 9, 4]]


def make(head: str) -> KokoroModel:
    """Return a tiny model whose stop head does what its name says, whatever it hears."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec(SPEC).double().eval()
    decoder: Any = model.acoustic.decoder
    step = decoder.step

    def forced(frames: Tensor, state: Any) -> tuple[Tensor, Tensor]:
        number = state.position
        mel, stop_logits = step(frames, state)
        odd = 30.0 if number % 2 else -30.0
        logit = {"never": -30.0, "always": 30.0, "NaN": math.nan, "oscillating": odd}[head]
        return mel, torch.full_like(stop_logits, logit)

    decoder.step = forced
    return model


def batch_of(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Return phoneme indices and durations of texts with these lengths."""
    there = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    indices = (torch.arange(there.numel()).view(there.shape) % 11 + 1) * there
    return indices, FRAMES * there.long()


def expected_end(head: str, planned: int, cap: int) -> tuple[int, str]:
    limit = min(planned, cap)
    at_limit = (limit, "max_mel_len" if cap < planned else "planned_length")
    if head == "NaN":
        return 0, "not_finite"
    stops_with = {"never": math.inf, "always": 1, "oscillating": 2}[head]
    return at_limit if stops_with > limit else (int(stops_with), "stop_token")


@pytest.mark.parametrize("lengths", BATCHES, ids=str)
@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("head", HEADS)
def test_a_row_never_runs_on_and_says_why_it_ended(head: str, cap: int, lengths: list[int]) -> None:
    model = make(head)
    indices, durations = batch_of(lengths)
    spoken = model.generate(indices, durations=durations, max_mel_len=cap)
    for row, count in enumerate(lengths):
        length, reason = expected_end(head, count * FRAMES, cap)
        assert (int(spoken.lengths[row]), spoken.stop_reasons[row]) == (length, reason)
        one = slice(row, row + 1)
        alone = model.generate(
            indices[one, :count], durations=durations[one, :count], max_mel_len=cap
        )
        torch.testing.assert_close(spoken.mel[row, :length], alone.mel[0], atol=1e-9, rtol=0)
        assert (spoken.mel[row, length:] == 0).all()


@pytest.mark.parametrize("head", HEADS)
def test_a_text_of_ten_thousand_tokens_ends_at_the_limit_like_any_other(head: str) -> None:
    indices, durations = batch_of([10_000, 1])
    spoken = make(head).generate(indices, durations=durations, max_mel_len=7)
    ends = list(zip(spoken.lengths.tolist(), spoken.stop_reasons, strict=True))
    assert ends == [expected_end(head, planned, 7) for planned in (10_000 * FRAMES, FRAMES)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("max_mel_len", "a whole number"),
        ("min_frames", "a whole number"),
        ("stop_threshold", "a number"),
    ],
)
def test_an_option_that_is_no_number_is_named(name: str, words: str) -> None:
    indices, durations = batch_of([1])
    options: dict[str, Any] = {name: "5"}
    with pytest.raises(TypeError, match=f"`{name}` must be {words}, not '5'."):
        make("never").generate(indices, durations=durations, **options)


def test_no_limit_may_pass_the_limit_of_all() -> None:
    indices, durations = batch_of([1])
    with pytest.raises(ValueError, match="`max_mel_len` must be 100000 or less, not 100001; spe"):
        make("never").generate(indices, durations=durations, max_mel_len=MAX_FRAMES + 1)
    capped = make("never").generate(indices, durations=durations * 10**6, max_mel_len=5)
    assert capped.lengths.tolist() == [5]


def test_a_row_that_is_no_number_ends_and_its_batch_mates_go_on() -> None:
    model = make("never")
    indices, durations = batch_of([3, 3, 3])
    indices[1, 0] = 11
    expected = model.generate(indices, durations=durations)
    with torch.no_grad():
        model.acoustic.encoder.get_parameter("embedding.weight")[11] = math.nan
    indices[[0, 2]] = indices[[0, 2]].clamp_max(10)
    spoken = model.generate(indices, durations=durations)
    assert spoken.stop_reasons == ["planned_length", "not_finite", "planned_length"]
    assert spoken.lengths.tolist() == [6, 0, 6]
    assert spoken.mel.isfinite().all()
    torch.testing.assert_close(spoken.mel[[0, 2]], expected.mel[[0, 2]], atol=1e-9, rtol=0)


def test_a_parallel_decoder_ends_before_what_is_no_number() -> None:
    decoder = {"type": "parallel_transformer", "num_layers": 1, "num_heads": 1, "ff_dim": 4}
    torch.manual_seed(0)
    model = KokoroModel.from_spec({**SPEC, "decoder": decoder}).double().eval()
    inner: Any = model.acoustic.decoder
    infer = inner.infer

    def spoilt(*args: Any, **kwargs: Any) -> Any:
        output = infer(*args, **kwargs)
        output.mel[0, 4] = math.inf
        return output

    inner.infer = spoilt
    indices, durations = batch_of([5, 3])
    spoken = model.generate(indices, durations=durations)
    assert spoken.lengths.tolist() == [4, 6]
    assert spoken.stop_reasons == ["not_finite", "complete"]


def test_the_wall_clock_ends_all_rows_between_two_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("never")
    decoder: Any = model.acoustic.decoder
    step, clock = decoder.step, [1000.0]

    def slow(frames: Tensor, state: Any) -> Any:
        clock[0] += 10
        return step(frames, state)

    monkeypatch.setattr(decoder, "step", slow)
    monkeypatch.setattr(reading, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    indices, durations = batch_of([9, 1])
    spoken = model.generate(indices, durations=durations, max_seconds=35.0)
    assert spoken.lengths.tolist() == [4, 2]
    assert spoken.stop_reasons == ["time", "planned_length"]
    streamed = list(model.stream(indices, durations=durations, max_seconds=35.0, chunk_frames=3))
    assert sum(chunk.shape[1] for chunk in streamed) == 6


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_limit_of_time_that_is_none_is_refused(seconds: float) -> None:
    indices, durations = batch_of([1])
    with pytest.raises(ValueError, match="`max_seconds` must be above 0 or None, not"):
        make("never").generate(indices, durations=durations, max_seconds=seconds)


def test_inference_which_gives_no_reasons_warns_of_frames_that_are_not_finite() -> None:
    indices, durations = batch_of([3, 2])
    with pytest.warns(UserWarning, match=r"ended rows \[0, 1\] early, at a frame that is NaN"):
        mel = make("NaN").inference(indices, durations=durations)
    assert mel.shape == (2, 0, 3)
    assert make("never").inference(indices, durations=durations).shape == (2, 3 * FRAMES, 3)
