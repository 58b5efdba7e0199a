"""``phonemize``: what becomes of a text, and what cannot be spoken."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kokoro_core.api import KokoroModel
from kokoro_core.cli.app import main
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.text.symbol_set import symbols_of_texts

TINY = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.num_heads": 2,
    "encoder.ff_dim": 16,
    "decoder.num_layers": 1,
    "decoder.num_heads": 2,
    "decoder.ff_dim": 16,
}


def status_of(*args: str | Path) -> object:
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in args])
    return caught.value.code


ENGLISH = ("--set", "frontend.normalizer={type: english}")


def test_each_stage_of_each_sentence_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("phonemize", "It cost $5. So [[h ə l ˈ oʊ]]!", *ENGLISH) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "It cost $5.",
        "→ It cost five dollars.",
        "word phonemes indices",
        "It ɪ t 41 9",
        "cost k ˈ ɔ s t 11 5 51 20 9",
        "$5. f ˈ aɪ v d ˈ ɑː l ɚ z 16 5 58 17 10 5 48 31 39 21",
        "(pause) . 2",
        "",
        "So [[h ə l ˈ oʊ]]!",
        "word phonemes indices",
        "So s ˌ oʊ 20 6 61",
        "[[h ə l ˈ oʊ]]! h ə l ˈ oʊ 24 37 31 5 61",
        "(pause) ! 4",
    ]


def test_json_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("phonemize", "Go, $5.", "--json", *ENGLISH) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert found["sentence"] == "Go, $5."
    assert found["normalized"] == "Go, five dollars."
    assert [each["text"] for each in found["words"]] == ["Go,", "", "$5.", ""]
    assert found["words"][2]["first"] == 4
    assert len(found["indices"]) == sum(len(each["symbols"]) for each in found["words"])
    assert found["problems"] == []


def test_what_cannot_be_spoken_is_named_the_rest_is_shown_and_the_status_is_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("phonemize", "It is. Tolkien came. Der Hund ist nicht hier.") == 1
    captured = capsys.readouterr()
    assert "ɪ ɾ" in captured.out
    first, second = captured.err.splitlines()
    assert "speaks 'o' in 'Tolkien'" in first
    assert "seems to be German" in second


def test_the_frontend_may_be_that_of_a_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("kokoro  k ə k ˈ ɔː ɹ oʊ\n", encoding="utf-8")
    path = tmp_path / "tiny.safetensors"
    lexicon = words.read_text(encoding="utf-8")
    KokoroModel.from_spec("small", overrides={**TINY, "frontend.lexicon": lexicon}).save(path)
    words.unlink()
    assert status_of("phonemize", "Kokoro", "--spec", path) == 0
    assert "k ə k ˈ ɔː ɹ oʊ" in capsys.readouterr().out


def test_a_lexicon_comes_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "words.txt"
    words.write_text("kokoro  k ˈ oʊ\n", encoding="utf-8")
    assert status_of("phonemize", "Kokoro", "--set", f"frontend.lexicon=@{words}") == 0
    assert "k ˈ oʊ" in capsys.readouterr().out


def test_a_file_and_the_standard_input_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "text.txt"
    file.write_text("Hello.", encoding="utf-8")
    assert status_of("phonemize", "--file", file) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello."))
    assert status_of("phonemize", "-") == 0
    first, second = capsys.readouterr().out.split("Hello.\n")[1:]
    assert first.strip().startswith("word")
    assert second.split() == [*first.split()[: len(second.split())]]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "`phonemize` needs one text"),
        (("a", "--file", "b"), "`phonemize` needs one text"),
        (("a", "--set", "frontend=null"), "`small` has no `frontend`, which reads a text"),
        (("a", "--list-symbols", "--language", "tlh"), "`--language tlh` is no language of espea"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    args: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("phonemize", *args) == 1
    assert message in capsys.readouterr().err


def test_bytes_that_are_no_utf_8_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(b"ab\xff")
    assert status_of("phonemize", "--file", file) == 1
    assert "must be UTF-8 text, but byte 2 is not" in capsys.readouterr().err


def test_a_language_without_listing_is_wrong_usage() -> None:
    assert status_of("phonemize", "a", "--language", "de") == 2


def test_the_symbols_of_a_corpus_make_a_spec_that_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("Das ist schön.\n\nGuten Tag, Herr Müller!\n", encoding="utf-8")
    assert status_of("phonemize", "--file", file, "--language", "german", "--list-symbols") == 0
    settings: Any = YAML(typ="safe").load(capsys.readouterr().out)
    assert settings["vocab_size"] == len(settings["frontend"]["symbols"])
    frontend = settings["frontend"]
    sets = [f"vocab_size={settings['vocab_size']}", f"frontend={json.dumps(frontend)}"]
    args = [part for each in sets for part in ("--set", each)]
    assert status_of("phonemize", "Herr Müller ist schön", *args) == 0
    assert "m ˈ ʏ l ɜ" in capsys.readouterr().out
    assert status_of("phonemize", "Garage", *args) == 1
    assert "in 'Garage', for which" in capsys.readouterr().err


def test_symbols_have_padding_pauses_stress_and_each_sound_once() -> None:
    symbols = symbols_of_texts(Espeak("de"), ["Tag", "Tag!"])
    assert symbols[:7] == ("_", ",", ".", "?", "!", "ˈ", "ˌ")
    assert symbols[7:] == ("k", "t", "ɑː")


def test_the_texts_may_be_those_of_a_metadata_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, plain = tmp_path / "metadata.csv", tmp_path / "plain.txt"
    file.write_text("xyz-1|Tag\nxyz-2|Tag|Tag\n", encoding="utf-8")
    plain.write_text("Tag\nTag Tag\n", encoding="utf-8")
    for each in (file, plain):
        assert status_of("phonemize", "--file", each, "--language", "de", "--list-symbols") == 0
    first, second = capsys.readouterr().out.split("vocab_size")[1:]
    assert first == second
