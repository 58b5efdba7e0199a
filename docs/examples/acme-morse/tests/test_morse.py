"""The corpus is Morse code to the frame, and refuses what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from acme_morse.corpus import units
from acme_morse.plugin import MorseParams

from kokoro_core import AudioSettings, load_spec
from kokoro_core.contracts import Corpus, Frontend
from kokoro_core.errors import CorpusError
from kokoro_core.model import assemble

SPEC = load_spec("acme-morse")
AUDIO = AudioSettings()


class Letters(Frontend):
    """Letters and blanks, so that the test depends on no frontend of others."""

    symbols = ("_", " ", "s", "o", "e")

    def phonemize(self, text: str) -> list[str]:
        return list(text)


def corpus_of(text: str, folder: Path, audio: AudioSettings = AUDIO) -> Corpus:
    path = folder / "lines.txt"
    path.write_text(text, encoding="utf-8")
    return MorseParams(path=str(path), unit=2).build(audio=audio, frontend=Letters())


def test_sos_is_sent_as_the_recommendation_has_it(tmp_path: Path) -> None:
    keys = "".join("#" if on else " " for letter in "sos e" for on in units(letter))
    assert keys == "# # #   ### ### ###   # # #       #   "
    [utterance] = corpus_of("SOS e\n", tmp_path)
    assert utterance.phoneme_indices.tolist() == [2, 3, 2, 1, 4]
    # Three dots, their two gaps and the gap of a letter are 8 units; dashes take 6 more.
    assert utterance.durations is not None
    assert utterance.durations.tolist() == [16, 28, 16, 8, 8]
    assert len(utterance.mel) == utterance.durations.sum()


def test_the_tone_is_heard_where_the_key_is_down(tmp_path: Path) -> None:
    [utterance] = corpus_of("o", tmp_path)
    loudness = utterance.mel.amax(1)
    # A frame of 1024 samples sees two frames of 256 on either side; those in the middle are pure.
    assert float(loudness[2:4].min()) > float(loudness[-2:].max()) + 3
    assert len(utterance.mel) == 2 * (3 * 3 + 2 + 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("so\ns3\n\n", r"line 2 must be letters and blanks, not 's3'; line 3 .* not ''\."),
        ("abc", "`abc` cannot be read by the frontend"),
    ],
)
def test_what_is_no_morse_code_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=message):
        corpus_of(text, tmp_path)


def test_a_missing_file_and_frames_that_stand_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="must be a text file, a line for each utterance"):
        MorseParams(path=str(tmp_path / "no.txt")).build(audio=AUDIO, frontend=Letters())
    with pytest.raises(CorpusError, match=r"`audio\.padding` must be `same`"):
        corpus_of("so", tmp_path, AudioSettings(padding="center"))


def test_the_spec_s_frontend_reads_what_the_corpus_sends() -> None:
    assert SPEC.frontend is not None
    frontend = SPEC.frontend.build(SPEC.sizes)
    assert frontend.encode("A z") == [2, 1, 27]
    assert sum(each.numel() for each in assemble(SPEC, device="meta").parameters()) < 500_000
