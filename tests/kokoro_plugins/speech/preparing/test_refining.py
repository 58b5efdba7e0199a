"""Durations that are nearly right become more so; the path is the likeliest of all."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.prepared import Prepared
from kokoro_plugins.speech.preparing.refining import SILENCE, best_path, refine, states_of
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings
from kokoro_plugins.speech.sentences import make_sentences

QUIET = Console(file=io.StringIO())


def jittered(utterance: Prepared, generator: np.random.Generator) -> Prepared:
    """Return an utterance whose boundaries are off by up to four frames."""
    assert utterance.durations is not None
    ends = np.cumsum(utterance.durations)[:-1]
    moved = ends + generator.integers(-4, 5, len(ends))
    moved = np.maximum.accumulate(np.clip(moved, 0, utterance.frames))
    return replace(
        utterance, durations=tuple(np.diff([0, *moved, utterance.frames]).astype(int).tolist())
    )


def within(found: Sequence[Prepared], true: Sequence[Prepared], frames: int) -> float:
    """Return the share of boundaries that are off by so many frames at most."""
    off = [
        np.abs(np.cumsum(a.durations or ()) - np.cumsum(b.durations or ()))[:-1]
        for a, b in zip(found, true, strict=True)
    ]
    return float(np.mean(np.concatenate(off) <= frames))


def test_boundaries_that_were_moved_come_back(tmp_path: Path) -> None:
    mel = MelSpectrogram(audio=AudioSettings())
    data, out = tmp_path / "data", tmp_path / "out"
    write_folder(data, make_sentences(30, 1), Espeak("en-us"), mel)
    settings = PrepareSettings(sound=SoundSettings(None, None))
    true = list(prepare(data, out, "quick", settings).utterances)
    generator = np.random.default_rng(0)
    moved = [jittered(each, generator) for each in true]
    found = refine(moved, out, mel, QUIET)
    assert within(moved, true, 2) < 0.65
    assert within(found, true, 2) > 0.93
    assert [sum(each.durations or ()) for each in found] == [each.frames for each in true]
    assert refine(moved[:5], out, mel, QUIET) == moved[:5]  # too little to learn from


def test_the_path_is_the_best_of_all_that_there_are() -> None:
    """Every way through four states, of which the third may be left out, in six frames."""
    generator = np.random.default_rng(1)
    for _ in range(20):
        fits = generator.normal(size=(4, 6))
        is_optional = [True, False, True, False]
        ways = [
            path
            for path in itertools.combinations_with_replacement(range(4), 6)
            if {1, 3} <= set(path) and path[-1] == 3
        ]
        best = max(ways, key=lambda path: sum(fits[state, t] for t, state in enumerate(path)))
        assert best_path(fits, is_optional) == list(best)
    assert best_path(generator.normal(size=(5, 3)), [False] * 5) is None


def test_stress_marks_have_no_sound_and_pauses_share_one() -> None:
    states = states_of(["ˈ", "oʊ", "."])
    assert [(each.part, each.owner, each.is_optional) for each in states] == [
        (SILENCE, 0, True),
        (("oʊ", 0), 1, False),
        (("oʊ", 1), 1, False),
        (SILENCE, 2, True),
    ]


@pytest.mark.parametrize("refines", [True, False])
def test_warped_durations_are_refined_unless_it_is_not_wanted(
    refines: bool, spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[int]()

    def noted(utterances: list[Prepared], *rest: object) -> list[Prepared]:
        seen.append(len(utterances))
        return utterances

    monkeypatch.setattr("kokoro_plugins.speech.preparing.prepare.refine", noted)
    prepare(spoken, tmp_path / "o", "quick", PrepareSettings(align="espeak", refine=refines))
    assert seen == ([8] if refines else [])
