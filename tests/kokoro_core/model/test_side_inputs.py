"""Side inputs that do not fit the batch, and inputs that do not fit the model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, final

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kokoro_core import KokoroModel
from kokoro_core.contracts import Encoder, State, map_tensors
from kokoro_core.model.side_inputs import check_extras
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams
from kokoro_core.tensors.masks import zero_padding
from tests.kokoro_core.hard_cases import COMPONENTS
from tests.kokoro_core.test_hard_cases import DURATIONS, INDICES, SPEAKER, mels, model

SPEAKERS = 4


@dataclass(frozen=True)
class Style:
    """A side input in fields, one of which may be left out."""

    embedding: Any
    pitch: Any = None


class Pair(NamedTuple):
    """A side input in two parts."""

    first: Any
    second: Any


BROKEN = SPEAKER.clone().fill_(torch.nan)


@pytest.fixture(scope="module")
def spoken() -> KokoroModel:
    return model(encoder={"type": "speaker"}, decoder={"type": "lstm_cell"})


WRONG: list[tuple[Any, type[Exception], str]] = [
    (SPEAKER[:1], ValueError, r"a row for each of 3 utterances, not the shape \(1, 16\)"),
    (SPEAKER[0], ValueError, r"a row for each of 3 utterances, not the shape \(16,\)"),
    (torch.tensor(1.0).double(), ValueError, r"not the shape \(\)"),
    (SPEAKER.clone().fill_(torch.nan), ValueError, "`speaker` must be finite, but row 0 is not"),
    (SPEAKER.clone().index_fill(0, torch.tensor([2]), torch.inf), ValueError, "but row 2 is not"),
    ((SPEAKER, SPEAKER[:2]), ValueError, r"not the shape \(2, 16\)"),
    (None, TypeError, "`speaker` is None; this model needs it"),
    (float("nan"), ValueError, "`speaker` must be finite, not nan"),
    (
        SPEAKER.float(),
        ValueError,
        r"`speaker` is torch.float32 and the model's weights",
    ),
    (
        {"embedding": SPEAKER[:1]},
        ValueError,
        r"`speaker\['embedding'\]` must have a row for each of 3 utterances",
    ),
    (
        {"of": [SPEAKER, {7: BROKEN}]},
        ValueError,
        r"`speaker\['of'\]\[1\]\[7\]` must be finite, but row 0",
    ),
    ([BROKEN], ValueError, r"`speaker\[0\]` must be finite, but row 0"),
    (MappingProxyType({"x": BROKEN}), ValueError, r"`speaker\['x'\]` must be finite, but row 0"),
    (Style(BROKEN), ValueError, r"`speaker\.embedding` must be finite, but row 0"),
    (Style(SPEAKER, {"x": BROKEN}), ValueError, r"`speaker\.pitch\['x'\]` must be finite"),
    (Style(None), TypeError, r"`speaker\.embedding` is None"),
    (Pair(SPEAKER, BROKEN), ValueError, r"`speaker\.second` must be finite, but row 0"),
    (Pair(SPEAKER, None), TypeError, r"`speaker\.second` is None"),
    ({"embedding": None}, TypeError, r"`speaker\['embedding'\]` is None; this model needs it"),
    ({"scale": float("inf")}, ValueError, r"`speaker\['scale'\]` must be finite, not inf"),
    ({"scale": np.float32("nan")}, ValueError, r"`speaker\['scale'\]` must be finite, not nan"),
    (
        {"embedding": SPEAKER.float()},
        ValueError,
        r"`speaker\['embedding'\]` is torch.float32 and the model's weights",
    ),
    (
        {"embedding": SPEAKER.to("meta")},
        ValueError,
        r"`speaker\['embedding'\]` is on meta and the model on cpu",
    ),
    (
        {"embedding": SPEAKER.numpy()},
        TypeError,
        r"`speaker\['embedding'\]` must be a tensor, not a `ndarray`; "
        r"`torch.as_tensor\(speaker\['embedding'\]\)` makes one",
    ),
    (SPEAKER.numpy(), TypeError, "`speaker` must be a tensor, not a `ndarray`"),
    ([0, 1, 2], TypeError, "`speaker` must be a tensor, not a `list`"),
    (SPEAKER.tolist(), TypeError, "`speaker` must be a tensor, not a `list`"),
    ({"number": (0, np.int64(1))}, TypeError, r"`speaker\['number'\]` must be a tensor, not a `t"),
    (torch.complex(BROKEN, SPEAKER), ValueError, "`speaker` must be finite, but row 0"),
]


@pytest.mark.parametrize(("speaker", "error", "message"), WRONG)
def test_a_side_input_that_does_not_fit_is_refused(
    spoken: KokoroModel, speaker: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        spoken(INDICES, mels(7), DURATIONS, speaker=speaker)
    with pytest.raises(error, match=message):
        spoken.generate(INDICES, durations=DURATIONS, speaker=speaker)


def test_what_stands_at_padding_of_a_side_input_is_not_looked_at() -> None:
    mask = torch.tensor([[False, False, False], [False, True, True]])
    frames = torch.tensor([[False, False, False, False], [False, False, True, True]])
    for padding in (mask, frames):
        for channels in ((), (2,), (2, 3)):
            curve = torch.ones(*padding.shape, *channels)
            curve[padding] = torch.nan
            check_extras({"pitch": curve}, {"pitch"}, {"pitch"}, mask, frames)
            curve[1, 0] = torch.nan
            with pytest.raises(ValueError, match="`pitch` must be finite, but row 1 is not"):
                check_extras({"pitch": curve}, {"pitch"}, {"pitch"}, mask, frames)


@final
class NumberedEncoder(Encoder):
    """Speakers by number."""

    def __init__(self, *, vocab_size: int, hidden_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.speakers = nn.Embedding(SPEAKERS, hidden_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor, *, speaker: Tensor) -> Tensor:
        hidden = self.embedding(phoneme_indices) + self.speakers(speaker).unsqueeze(1)
        return zero_padding(hidden, padding_mask)


class NumberedParams(EncoderParams):
    """Speakers by number."""

    type: Literal["numbered"] = "numbered"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"speaker"})

    def build(self, sizes: Sizes) -> NumberedEncoder:
        return NumberedEncoder(vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim)


@final
class NestedEncoder(Encoder):
    """A speaker by number, loudness by phoneme and a scale, all in one mapping."""

    def __init__(self, *, vocab_size: int, hidden_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.speakers = nn.Embedding(SPEAKERS, hidden_dim)

    def forward(
        self, phoneme_indices: Tensor, padding_mask: Tensor, *, style: dict[str, Any]
    ) -> Tensor:
        [loudness] = style["curves"]
        hidden = self.embedding(phoneme_indices) + self.speakers(style["number"]).unsqueeze(1)
        return zero_padding(hidden + style["scale"] * loudness.unsqueeze(-1), padding_mask)


class NestedParams(EncoderParams):
    """A speaker by number, loudness by phoneme and a scale."""

    type: Literal["nested"] = "nested"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"style"})

    def build(self, sizes: Sizes) -> NestedEncoder:
        return NestedEncoder(vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim)


@pytest.fixture
def nested(monkeypatch: pytest.MonkeyPatch) -> KokoroModel:
    monkeypatch.setattr("tests.kokoro_core.test_hard_cases.COMPONENTS", (*COMPONENTS, NestedParams))
    return model(encoder={"type": "nested"}, decoder={"type": "lstm_cell"})


def style_of(rows: slice = slice(None)) -> dict[str, Any]:
    curve = torch.where(INDICES == 0, torch.nan, INDICES.double())  # nobody looks at padding
    return {"number": torch.tensor([2, 0, 3])[rows], "curves": [curve[rows]], "scale": 0.5}


def test_a_nested_side_input_that_fits_speaks_for_each_row_what_the_row_says_alone(
    nested: KokoroModel,
) -> None:
    together = nested.generate(INDICES, style=style_of(), max_mel_len=3, stop_threshold=1.0)
    for row in range(3):
        rows = slice(row, row + 1)
        alone = nested.generate(
            INDICES[rows], style=style_of(rows), max_mel_len=3, stop_threshold=1.0
        )
        frames = int(alone.lengths[0])
        torch.testing.assert_close(together.mel[row, :frames], alone.mel[0], atol=1e-9, rtol=0)


def test_a_nested_side_input_is_compiled_in_one_graph(nested: KokoroModel) -> None:
    expected = nested(INDICES, mels(7), DURATIONS, style=style_of()).mel
    compiled = torch.compile(nested, backend="eager", fullgraph=True)
    assert torch.equal(compiled(INDICES, mels(7), DURATIONS, style=style_of()).mel, expected)


def test_an_unknown_index_in_a_nested_side_input_is_named_by_its_path(nested: KokoroModel) -> None:
    wrong = {**style_of(), "number": torch.tensor([0, 1, 4])}
    with pytest.raises(IndexError, match=r"`style\['number'\]` has indices from 0 to 4"):
        nested.generate(INDICES, style=wrong)


def test_what_is_no_number_and_what_a_field_may_leave_out_is_handed_on() -> None:
    mask = torch.zeros(3, 4, dtype=torch.bool)
    given = {"language": ["en", "de", "en"], "style": Style(SPEAKER), "by": {}, "on": True}
    check_extras(given, given.keys(), given.keys(), mask)


@dataclass
class TabledState(State):
    """A state with caches in a table."""

    caches: dict[str, Tensor]
    pairs: Pair


def test_tensors_are_reached_in_mappings_and_named_tuples_of_any_class() -> None:
    state = TabledState(OrderedDict(keys=torch.arange(3)), Pair(torch.arange(3), 7))
    chosen = state.select(torch.tensor([2, 0]))
    assert type(chosen.caches) is OrderedDict
    assert chosen.caches["keys"].tolist() == [2, 0]
    assert chosen.pairs.first.tolist() == [2, 0]
    assert (type(chosen.pairs), chosen.pairs.second) == (Pair, 7)
    assert state.caches["keys"].tolist() == [0, 1, 2]
    frozen = map_tensors(lambda each: each + 1, MappingProxyType({"x": torch.zeros(1)}))
    assert frozen["x"].tolist() == [1]


@pytest.mark.parametrize("speaker", [[0, 1, 4], [-1, 0, 0]])
def test_a_speaker_that_the_model_does_not_know_gets_a_sentence(
    speaker: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.kokoro_core.test_hard_cases.COMPONENTS", (*COMPONENTS, NumberedParams)
    )
    tts = model(encoder={"type": "numbered"}, decoder={"type": "lstm_cell"})
    wrong = torch.tensor(speaker)
    message = (
        rf"`encoder` \(`NumberedEncoder`\) was given an index that it does not know: `speaker` has "
        rf"indices from {min(speaker)} to {max(speaker)}"
    )
    with pytest.raises(IndexError, match=message):
        tts.generate(INDICES, speaker=wrong)
    with pytest.raises(IndexError, match=message):
        tts(INDICES, mels(7), DURATIONS, speaker=wrong)


@pytest.fixture(scope="module")
def single() -> KokoroModel:
    return model(decoder={"type": "lstm_cell"}).float()


def spoken_with(**options: Any) -> Callable[[KokoroModel], Any]:
    return lambda tts: tts.generate(**{"phoneme_indices": INDICES, "max_mel_len": 2, **options})


def trained_with(**inputs: Any) -> Callable[[KokoroModel], Any]:
    usual = {
        "phoneme_indices": INDICES,
        "mel_specs": mels(7).float(),
        "phoneme_durations": DURATIONS,
    }
    return lambda tts: tts(**{**usual, **inputs})


PASSED: list[tuple[Callable[[KokoroModel], Any], type[Exception], str]] = [
    (spoken_with(phoneme_indices=[[3, 4]]), TypeError, "`phoneme_indices` must be a tensor, not a"),
    (spoken_with(phoneme_indices=np.ones((1, 2), "int64")), TypeError, "not a `ndarray`"),
    (
        spoken_with(padding_mask=[[False]]),
        TypeError,
        "`padding_mask` must be a tensor",
    ),
    (spoken_with(durations=[[1]]), TypeError, "`durations` must be a tensor, not a `list`"),
    (spoken_with(speed="fast"), TypeError, "`speed` must be a number or a tensor, not 'fast'"),
    (spoken_with(min_frames=1.5), TypeError, "`min_frames` must be a whole number, not 1.5"),
    (spoken_with(max_mel_len=10.5), TypeError, "`max_mel_len` must be a whole number, not 10.5"),
    (spoken_with(max_mel_len=True), TypeError, "`max_mel_len` must be a whole number, not True"),
    (
        spoken_with(stop_threshold="half"),
        TypeError,
        "`stop_threshold` must be a number",
    ),
    (spoken_with(length_ratio="1"), TypeError, "`length_ratio` must be a number, not '1'"),
    (spoken_with(max_seconds=[3]), TypeError, r"`max_seconds` must be a number, not \[3\]"),
    (
        spoken_with(seed=1.5),
        TypeError,
        "`seed` must be a whole number or one for",
    ),
    (spoken_with(seed=["a"] * 3), TypeError, "`seed` must be a whole number or one for each row"),
    (spoken_with(seed=[1]), ValueError, "one for each of 3 rows, not 1"),
    (spoken_with(dtype="float16"), ValueError, "`dtype` must be one of"),
    (
        trained_with(mel_specs=mels(7).half()),
        ValueError,
        "`mel_specs` is torch.float16 and",
    ),
    (trained_with(mel_specs=mels(7)), ValueError, r"`.to\(torch.float32\)` converts it"),
    (trained_with(mel_specs=[[0.0]]), TypeError, "`mel_specs` must be a tensor, not a `list`"),
    (trained_with(phoneme_durations=[1]), TypeError, "`phoneme_durations` must be a tensor"),
    (trained_with(mel_padding_mask=[1]), TypeError, "`mel_padding_mask` must be a tensor"),
    (trained_with(stop_token_targets=[1]), TypeError, "`stop_token_targets` must be a tensor"),
    (
        trained_with(mel_specs=mels(7).float().to("meta")),
        ValueError,
        r"`mel_specs` is on meta and the model on cpu; `.to\('cpu'\)` moves it",
    ),
    (
        spoken_with(phoneme_indices=INDICES.to("meta")),
        ValueError,
        "`phoneme_indices` is on meta and the model on cpu",
    ),
    (spoken_with(speed=torch.ones(3, 1, device="meta")), ValueError, "`speed` is on meta and the"),
]


@pytest.mark.parametrize(("call", "error", "message"), PASSED)
def test_whatever_a_caller_passes_gets_a_sentence(
    single: KokoroModel,
    call: Callable[[KokoroModel], Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        call(single)


def test_a_half_precision_model_says_that_its_mels_are_not() -> None:
    half = model(decoder={"type": "lstm_cell"}).to(torch.bfloat16)
    with pytest.raises(ValueError, match=r"`mel_specs` is torch.float64 and the model"):
        half(INDICES, mels(7), DURATIONS)
    assert half(INDICES, mels(7).bfloat16(), DURATIONS).loss.isfinite()


def test_autocast_may_mix_types(single: KokoroModel) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert single(INDICES, mels(7).bfloat16(), DURATIONS).loss.isfinite()


def test_numbers_of_numpy_are_numbers(single: KokoroModel) -> None:
    expected = single.generate(INDICES, speed=2.0, max_mel_len=3, seed=1)
    numbers: dict[str, Any] = {
        "speed": np.float64(2.0),
        "max_mel_len": np.int64(3),
        "seed": torch.tensor([1, 1, 1]),
    }
    found = single.generate(INDICES, **numbers)
    assert torch.equal(found.mel, expected.mel)


def test_a_model_of_several_types_sees_to_types_itself() -> None:
    mixed = model(decoder={"type": "lstm_cell"})
    mixed.acoustic.decoder.float()
    with pytest.raises(RuntimeError, match="dtype"):
        mixed(INDICES, mels(7), DURATIONS)
