"""What is odd about data is said once, by kind; the spec gets what the data decides."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kokoro_core import ModelSpec, load_spec
from kokoro_core.errors import CorpusError
from kokoro_plugins.speech.preparing.advice import is_uniform
from kokoro_plugins.speech.preparing.preparation import Preparation
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings


def said(made: Preparation, word: str) -> str:
    [found] = [each for each in made.advice if word in each]
    return found


def test_durations_that_are_a_division_are_told(spoken: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(spoken, data)
    lines = []
    for line in (spoken / "durations.csv").read_text("utf-8").splitlines():
        name, symbols, frames = line.split("|")
        count, total = len(symbols.split()), sum(map(int, frames.split()))
        even = [total // count] * (count - 1)
        lines.append(f"{name}|{symbols}|{' '.join(map(str, [*even, total - sum(even)]))}")
    (data / "durations.csv").write_text("\n".join(lines), encoding="utf-8")
    settings = PrepareSettings(sound=SoundSettings(None, None))
    assert said(prepare(data, tmp_path / "out", "quick", settings), "the same duration") == (
        "8 of 8 utterances have the same duration for every phoneme, which is no alignment"
    )
    assert not is_uniform([3, 3, 3, 9])
    assert is_uniform([3, 3, 4, 3, 9])
    assert not is_uniform([3, 3, 5, 3, 9])


def test_held_out_texts_that_are_trained_on_are_told(spoken: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(spoken, data, ignore=shutil.ignore_patterns("durations.csv"))
    names = [line.split("|")[0] for line in (data / "metadata.csv").read_text().splitlines()]
    same = "".join(f"{name}|The same for all.\n" for name in names)
    (data / "metadata.csv").write_text(same, encoding="utf-8")
    made = prepare(data, tmp_path / "out", "quick", PrepareSettings(holdout=3))
    assert said(made, "trained on too").startswith("3 of 3 utterances that are held out have")


def test_peaks_that_keep_recordings_quiet_are_told(spoken: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(spoken, data)
    for path in (data / "wavs").iterdir():
        samples, rate = soundfile.read(path)
        quiet = 0.05 * samples
        quiet[len(quiet) // 2] = 0.9
        soundfile.write(path, quiet, rate)
    made = prepare(data, tmp_path / "out", "quick", PrepareSettings(align="espeak"))
    assert said(made, "peaks").startswith("8 of 8 recordings are quieter than was asked")
    assert all(np.abs(soundfile.read(p)[0]).max() < 0.91 for p in (tmp_path / "out/wavs").iterdir())


def test_a_feature_that_the_spec_does_not_describe_gets_its_form_and_its_statistics(
    spoken: Path, tmp_path: Path
) -> None:
    spec = load_spec("quick", overrides={"token_adaptors.pitch.type": "variance"})
    assert "pitch" not in spec.features
    made = prepare(spoken, tmp_path / "out", spec)
    found = load_spec(tmp_path / "out" / "spec.yaml").features["pitch"]
    assert found == made.spec.features["pitch"]
    assert found.per == "frame"
    assert 4 < found.mean < 5.5
    assert 0.05 < found.std < 0.6


def test_a_spec_without_audio_or_with_a_feature_of_its_own_is_refused(
    spoken: Path, tmp_path: Path
) -> None:
    plain = load_spec("quick")
    without = ModelSpec.model_construct(**{**dict(plain), "audio": None})
    with pytest.raises(ValueError, match="needs the sections `audio` and `frontend`"):
        prepare(spoken, tmp_path / "out", without)
    moody = load_spec(
        "quick", overrides={"conditioners.mood": {"type": "lookup", "feature": "mood", "num": 3}}
    )
    with pytest.raises(CorpusError, match=r"`mood`, which cannot be made of recordings"):
        prepare(spoken, tmp_path / "out", moody)
