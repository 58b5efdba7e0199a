"""Speech that is played, saved and shown."""

from __future__ import annotations

import base64
import io
import sys
import wave
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from kokoro_core.speaking import player
from kokoro_core.speaking.player import LONGEST, play
from kokoro_core.speaking.result import SpokenSentence, SynthesisResult, joined
from kokoro_core.speaking.shown import MOST_SENTENCES

RATE = 8000
TONE = torch.sin(torch.arange(RATE // 4) * 0.3)
ODD = "<script>alert('&\"')</script>"


def sentence(text: str = "Hello.", **changes: object) -> SpokenSentence:
    values: dict[str, object] = {
        "text": text,
        "samples": TONE,
        "sample_rate": RATE,
        "pause": 0.5,
        "frames": 10,
        "planned_frames": 10,
        "stop_reason": "complete",
        "unspoken": "",
        "notes": (),
        "words": (),
        "mel": torch.rand(10, 4),
    }
    return SpokenSentence(**{**values, **changes})  # type: ignore[arg-type]


def read(text: str) -> ElementTree.Element:
    """Return HTML as a tree, with the one attribute that has no value given one."""
    return ElementTree.fromstring(f"<div>{text.replace('<audio controls ', '<audio ')}</div>")


def heard(source: bytes) -> torch.Tensor:
    """Return the samples of a wav."""
    with wave.open(io.BytesIO(source)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        data = bytearray(file.readframes(file.getnframes()))
    return torch.frombuffer(data, dtype=torch.int16).float() / 32767


def program(folder: Path, name: str, body: str) -> None:
    file = folder / name
    file.write_text(f"#!{sys.executable}\nimport sys\n{body}\n", encoding="utf-8")
    file.chmod(0o755)


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows plays by itself")


@posix
def test_a_program_is_given_the_speech_as_a_wav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    copy = tmp_path / "copy"
    program(tmp_path, "play", "sys.exit('the worse of two')")
    copies = f"open({str(copy)!r}, 'wb').write(open(sys.argv[2], 'rb').read())"
    program(tmp_path, "aplay", f"assert sys.argv[1] == '-q'\n{copies}")
    result = joined([sentence(), sentence()])
    result.play()
    expected = torch.cat([TONE, torch.zeros(RATE // 2), TONE])
    torch.testing.assert_close(heard(copy.read_bytes()), expected, atol=1e-4, rtol=0)


@posix
def test_without_a_program_it_is_said_what_else_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="none is installed; in a notebook let a cell end with"):
        sentence().play()


@posix
def test_a_program_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "paplay", "sys.exit('connection refused')")
    with pytest.raises(RuntimeError, match=r"`paplay` could not play .* connection refused; write"):
        play(TONE, RATE)
    program(tmp_path, "paplay", "sys.exit(3)")
    with pytest.raises(RuntimeError, match=r"\(status 3\): it says nothing; write"):
        play(TONE, RATE)


def test_speech_is_saved_in_the_format_of_the_suffix(tmp_path: Path) -> None:
    joined([sentence()]).save(str(tmp_path / "x.wav"))
    torch.testing.assert_close(heard((tmp_path / "x.wav").read_bytes()), TONE, atol=1e-4, rtol=0)
    soundfile = pytest.importorskip("soundfile")
    sentence().save(tmp_path / "x.flac")
    assert soundfile.info(str(tmp_path / "x.flac")).frames == len(TONE)
    with pytest.raises(ValueError, match=r"must end in one of \.wav"):
        sentence().save(tmp_path / "x.txt")


def test_a_result_shows_a_player_with_its_sound_and_the_mels() -> None:
    result = joined([sentence(ODD), sentence("How are you?", mel=None)])
    text = result._repr_html_()
    assert "<script" not in text
    tree = read(text)
    [audio] = tree.iter("audio")
    assert audio.attrib["aria-label"] == f"{ODD} How are you?"
    sound = base64.b64decode(audio.attrib["src"].removeprefix("data:audio/wav;base64,"))
    torch.testing.assert_close(heard(sound), result.samples, atol=1e-4, rtol=0)
    assert [each.text for each in tree.iter("p")] == [ODD, "How are you?"]
    assert len(list(tree.iter("img"))) == 1


def test_a_result_says_what_is_missing_and_what_is_odd() -> None:
    cut = sentence(
        stop_reason="max_mel_len", frames=4, unspoken="there", notes=("`3` is read as a word",)
    )
    result = joined([cut])
    assert result.loss is not None
    assert [each.text for each in read(result._repr_html_()).iter("b")] == [
        result.loss,
        "`3` is read as a word",
    ]


def test_one_sentence_shows_itself_too() -> None:
    tree = read(sentence()._repr_html_())
    assert len(list(tree.iter("audio"))) == len(list(tree.iter("img"))) == 1


def test_of_many_sentences_the_first_are_drawn() -> None:
    tree = read(joined([sentence()] * (MOST_SENTENCES + 3))._repr_html_())
    assert len(list(tree.iter("img"))) == MOST_SENTENCES
    assert "and 3 more sentences" in "".join(tree.itertext())


def test_what_is_too_long_for_a_page_has_no_player() -> None:
    long = torch.zeros(int(LONGEST) * RATE + 1)
    text = sentence(samples=long)._repr_html_()
    assert "300 s are too long for a player" in text
    assert "<audio" not in text
    assert "<audio" in player.player(long[:-1], RATE, "x")


def test_a_result_without_sentences_shows_its_sound() -> None:
    bare = SynthesisResult(TONE, RATE, 1, None, "complete", "", ())
    assert "<audio" in bare._repr_html_()
