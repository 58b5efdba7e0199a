"""A part that returns what its contract does not say is named, with what was expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.contracts import DecoderOutput, DurationOutput
from kokoro_core.model.wiring import Wiring
from tests.kokoro_core.test_hard_cases import DURATIONS, INDICES, mels, model

PARALLEL = {"type": "parallel_transformer", "num_layers": 1, "num_heads": 1, "ff_dim": 8}
LSTM = {"type": "lstm_cell"}


def changed(tts: KokoroModel, slot: str, method: str, change: Callable[[Any], Any]) -> KokoroModel:
    """Let an entry point of a part return something else."""
    part: Any = getattr(tts.acoustic, slot)
    entry_point = getattr(part, method)
    setattr(part, method, lambda *args, **kwargs: change(entry_point(*args, **kwargs)))
    return tts


def widen(tensor: torch.Tensor) -> torch.Tensor:
    return torch.cat([tensor, tensor[..., :1]], -1)


def train(tts: KokoroModel) -> Any:
    return tts(INDICES, mels(7), DURATIONS)


def speak(tts: KokoroModel) -> Any:
    return tts.generate(INDICES, durations=DURATIONS)


def plan(tts: KokoroModel) -> Any:
    return tts.generate(INDICES)


IN_TRAINING: list[tuple[str, str, Callable[[Any], Any], str]] = [
    (
        "encoder",
        "forward",
        lambda x: (x, None),
        r"`encoder` \(`TransformerEncoder`\) must return a tensor of shape \(3, 4, 16\) and "
        r"floating from `forward`, not a `tuple`",
    ),
    ("encoder", "forward", widen, r"of shape \(3, 4, 16\).* not one of shape \(3, 4, 17\)"),
    ("encoder", "forward", lambda x: x.long(), r"and floating .* and int64"),
    ("encoder", "forward", lambda x: x[:, 1:], r"`encoder` .* not one of shape \(3, 3, 16\)"),
    (
        "duration_predictor",
        "forward",
        lambda x: x.duration_pred,
        r"`duration_predictor` \(`MlpDurationPredictor`\) must return a `DurationOutput`.*`Tensor`",
    ),
    (
        "duration_predictor",
        "forward",
        lambda x: DurationOutput(x.duration_pred.unsqueeze(-1)),
        r"`duration_pred` as a tensor of shape \(3, 4\) .* shape \(3, 4, 1\)",
    ),
    (
        "duration_predictor",
        "forward",
        lambda x: replace(x, losses={"nll": torch.zeros(3)}),
        r"`losses\['nll'\]` as a tensor of shape \(\) .* not one of shape \(3,\)",
    ),
    ("regulator", "plan", lambda x: x.durations, "`regulator` .* a `Plan` from `plan`"),
    (
        "regulator",
        "plan",
        lambda x: replace(x, padding_mask=x.padding_mask[:, 1:]),
        r"`padding_mask` as a tensor of shape \(3, 7\) and bool .* \(3, 6\)",
    ),
    (
        "regulator",
        "plan",
        lambda x: replace(x, lengths=x.lengths.float()),
        r"`lengths` as a tensor of shape \(3\) and int64 .* float32",
    ),
    ("regulator", "expand", widen, r"from `expand`, not one of shape \(3, 7, 17\)"),
    ("decoder", "forward", lambda x: x.mel, r"`decoder` \(`LstmDecoder`\) .* `DecoderOutput`"),
    (
        "decoder",
        "forward",
        lambda x: replace(x, mel=widen(x.mel)),
        r"`mel` as a tensor of shape \(3, 7, 5\) .* not one of shape \(3, 7, 6\)",
    ),
    (
        "decoder",
        "forward",
        lambda x: replace(x, stop_logits=x.stop_logits.unsqueeze(-1)),
        r"`stop_logits` as a tensor of shape \(3, 7\)",
    ),
    ("decoder", "forward", lambda x: replace(x, losses=[]), "must return a `dict`.*`list`"),
    ("postnet", "forward", lambda x: x[:, 1:], r"`postnet` \(`ConvPostnet`\) .* \(3, 6, 5\)"),
]


@pytest.mark.parametrize(("slot", "method", "change", "message"), IN_TRAINING)
def test_in_training_a_part_is_named_that_returns_something_else(
    slot: str, method: str, change: Callable[[Any], Any], message: str
) -> None:
    tts = changed(
        model(decoder=LSTM, postnet={"type": "conv", "channels": 4}), slot, method, change
    )
    with pytest.raises((TypeError, ValueError), match=message):
        train(tts)


IN_SPEAKING: list[tuple[str, dict[str, Any], str, Callable[[Any], Any], str]] = [
    ("duration_predictor", LSTM, "frames", lambda x: x[:, 1:], r"`frames`, not .* \(3, 3\)"),
    ("duration_predictor", LSTM, "frames", lambda x: x.long(), "`frames`.* int64"),
    ("decoder", LSTM, "init_state", lambda x: {}, "must return a `State` from `init_state`"),
    ("decoder", LSTM, "step", lambda x: x[0], "two tensors, from `step`, not a `Tensor`"),
    ("decoder", LSTM, "step", lambda x: (widen(x[0]), x[1]), r"`mel` as .* \(3, 1, 6\)"),
    ("decoder", LSTM, "step", lambda x: (x[0], x[1][:, None]), r"`stop_logits` .* \(3, 1, 1\)"),
    (
        "decoder",
        PARALLEL,
        "infer",
        lambda x: DecoderOutput(x.mel[:, 1:]),
        r"`decoder` \(`ParallelTransformerDecoder`\) .* \(3, \d+, 5\) .* `infer`, not",
    ),
    ("decoder", PARALLEL, "infer", lambda x: DecoderOutput(x.mel[1:]), r"`infer`.* \(2, "),
    (
        "decoder",
        PARALLEL,
        "infer",
        lambda x: DecoderOutput(x.mel.repeat(1, 2, 1)),
        "`infer`, not one of shape",
    ),
    (
        "decoder",
        PARALLEL,
        "infer",
        lambda x: DecoderOutput(x.mel, x.mel[..., 0]),
        "`stop_logits` None from `infer`",
    ),
]


@pytest.mark.parametrize(("slot", "decoder", "method", "change", "message"), IN_SPEAKING)
def test_in_speaking_a_part_is_named_that_returns_something_else(
    slot: str, decoder: dict[str, Any], method: str, change: Callable[[Any], Any], message: str
) -> None:
    tts = changed(model(decoder=decoder), slot, method, change)
    for way in (plan, lambda tts: list(tts.stream(INDICES))):
        with pytest.raises((TypeError, ValueError), match=message):
            way(tts)


def test_a_parallel_decoder_of_phonemes_is_not_cut_to_as_many_frames() -> None:
    tts = model(decoder=PARALLEL)
    tts.acoustic.regulator = tts.acoustic.duration_predictor = None
    changed(tts, "decoder", "infer", lambda x: DecoderOutput(x.mel.repeat(1, 3, 1)))
    tts.acoustic.wiring = Wiring()
    with pytest.raises(ValueError, match=r"made 12 frames, but its longest row has 4; without a"):
        tts.generate(INDICES)


def test_the_steps_after_the_first_are_not_asked() -> None:
    tts = model(decoder=LSTM)
    kinds: list[type] = []

    class Pair(tuple):  # type: ignore[type-arg]
        def __len__(self) -> int:
            kinds.append(Pair)
            return super().__len__()

    changed(tts, "decoder", "step", Pair)
    tts.generate(INDICES, durations=DURATIONS, stop_threshold=1.0)
    assert kinds == [Pair]


@pytest.mark.parametrize("way", ["generate", "stream"])
def test_rows_that_end_before_their_first_frame_are_of_length_0_under_a_postnet(way: str) -> None:
    tts = model(decoder=LSTM, postnet={"type": "conv", "channels": 4})
    changed(tts, "decoder", "step", lambda x: (x[0] * torch.nan, x[1]))
    if way == "generate":
        spoken = tts.generate(INDICES, durations=DURATIONS)
        assert spoken.mel.shape == (3, 0, 5)
        assert spoken.lengths.tolist() == [0, 0, 0]
        assert spoken.stop_reasons == ["not_finite"] * 3
    else:
        chunks = list(tts.stream(INDICES, durations=DURATIONS))
        assert torch.cat(chunks, 1).shape == (3, 0, 5)
