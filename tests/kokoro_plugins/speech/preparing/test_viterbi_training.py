"""Durations from a flat start, against those that espeak-ng tells."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.durations_file import read_durations
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.preparing import viterbi_training as room
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.prepared import Prepared, Unfit
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings
from kokoro_plugins.speech.preparing.viterbi_training import (
    check_room,
    even_durations,
    viterbi_training,
)
from kokoro_plugins.speech.sentences import make_sentences

QUIET = Console(file=io.StringIO())
SETTINGS = PrepareSettings(align="viterbi", sound=SoundSettings(None, None))


@given(
    symbols=st.lists(st.sampled_from(["a", "b", "ˈ"]), min_size=1, max_size=20).filter(
        lambda each: set(each) != {"ˈ"}
    ),
    more=st.integers(0, 50),
)
def test_a_flat_start_gives_every_sound_the_same_to_one_frame_and_marks_none(
    symbols: list[str], more: int
) -> None:
    frames = len(symbols) + more
    found = even_durations(symbols, {"ˈ"}, frames)
    of_sounds = [n for each, n in zip(symbols, found, strict=True) if each != "ˈ"]
    assert sum(found) == frames
    assert sum(of_sounds) == frames
    assert max(of_sounds) - min(of_sounds) <= 1


def durations_in(folder: Path) -> dict[str, tuple[int, ...]]:
    lines = (folder / "durations.csv").read_text("utf-8").split("\n")
    return {name: tuple(each.frames) for name, each in read_durations(lines)[0].items()}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty sentences, some 100 seconds."""
    folder = tmp_path_factory.mktemp("viterbi") / "data"
    mel = MelSpectrogram(audio=AudioSettings())
    write_folder(folder, make_sentences(40, 1), Espeak("en-us"), mel)
    return folder


def test_recordings_and_phonemes_alone_give_most_of_the_boundaries(
    speech: Path, tmp_path: Path
) -> None:
    made = prepare(speech, tmp_path / "out", "quick", SETTINGS)
    found, true = durations_in(tmp_path / "out"), durations_in(speech)
    even = {each.name: even_durations(each.symbols, "ˈˌ", each.frames) for each in made.utterances}

    def within(durations: dict[str, tuple[int, ...]]) -> float:
        off = [np.abs(np.cumsum(durations[n]) - np.cumsum(true[n]))[:-1] for n in true]
        return float(np.mean(np.concatenate(off) <= 4))

    assert within(even) < 0.6
    assert within(found) > 0.85
    for each in made.utterances:
        assert sum(found[each.name]) == each.frames


def test_utterances_that_were_not_learned_from_are_aligned_as_well(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[int, int | None]]()

    def noted(utterances: list[Prepared], *_: Any, **named: Any) -> list[Prepared]:
        learned = named.get("learn_from")
        seen.append((len(utterances), None if learned is None else len(learned)))
        return utterances

    monkeypatch.setattr(room, "refine", noted)
    monkeypatch.setattr(room, "MOST", 15)
    prepare(speech, tmp_path / "out", "quick", SETTINGS)
    assert seen == [(14, None)] * room.ROUNDS + [(40, 14)]


def test_too_little_speech_is_refused_rather_than_left_even(spoken: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"`--align viterbi` learns sounds .* needs 60 seconds"):
        prepare(spoken, tmp_path / "out", "quick", SETTINGS)


def test_a_frontend_that_nobody_speaks_starts_flat_by_itself(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hibari")
    marks = list[frozenset[str]]()

    def noted(utterances: list[Prepared], *rest: Any) -> list[Prepared]:
        marks.append(rest[-1])
        return utterances

    monkeypatch.setattr("kokoro_plugins.speech.preparing.prepare.viterbi_training", noted)
    data = tmp_path / "data"
    data.mkdir()
    (data / "wavs").symlink_to(speech / "wavs")
    (data / "metadata.csv").write_bytes((speech / "metadata.csv").read_bytes())
    prepare(data, tmp_path / "out", "heart")
    assert marks == [frozenset("ˈˌ")]


@pytest.mark.parametrize(
    ("symbols", "frames", "message"),
    [
        (["ˈ"], 9, "has no sound; its text and its recording do not belong together"),
        ([","], 9, "has no sound; its text and its recording do not belong together"),
        (["a", "ˈ", "b", "."], 3, "has 4 halves of sounds and only 3 frames; its text"),
    ],
)
def test_what_has_no_path_is_refused_rather_than_left_even(
    symbols: list[str], frames: int, message: str
) -> None:
    with pytest.raises(Unfit, match=message) as unfit:
        check_room(symbols, "ˈ", frames)
    assert unfit.value.problem.kind == "too few frames to align"
    check_room(["a", "ˈ", "b", "."], "ˈ", 4)


def test_the_function_itself_asks_for_a_minute(tmp_path: Path) -> None:
    mel = MelSpectrogram(audio=AudioSettings())
    with pytest.raises(CorpusError, match=r"not 0; take another `--align`, or more recordings"):
        viterbi_training([], tmp_path, mel, QUIET, "ˈ")
