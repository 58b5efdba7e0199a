"""What is found in data of each layout, and what is wrong with it, each utterance once."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from kokoro_core.errors import CorpusError
from kokoro_plugins.speech.preparing.layouts import find, recognise
from kokoro_plugins.speech.preparing.settings import LAYOUTS, Layout
from kokoro_plugins.speech.preparing.source import Found

from .conftest import Recorder


def found_in(data: Path, layout: Layout) -> Found:
    assert recognise(data) == layout
    return find(data, layout)


def pairs(found: Found) -> dict[str, tuple[str, str | None, str]]:
    return {each.name: (each.text, each.speaker, each.audio.name) for each in found.sources}


@pytest.mark.parametrize("ending", ["wav", "WAV", "flac", "ogg", "mp3"])
def test_ljspeech_takes_any_format_and_the_normalised_text(
    ending: str, record: Recorder, tmp_path: Path
) -> None:
    record(f"wavs/a.{ending}")
    (tmp_path / "metadata.csv").write_text("a|No. 1|Number one\n", encoding="utf-8")
    assert pairs(found_in(tmp_path, "ljspeech")) == {"a": ("Number one", None, f"a.{ending}")}


def test_a_recording_whose_name_differs_in_a_detail_is_named_once(
    record: Recorder, tmp_path: Path
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    record(f"wavs/{decomposed}.wav")
    (tmp_path / "metadata.csv").write_text(f"{composed}|E.\n", encoding="utf-8")
    found = found_in(tmp_path, "ljspeech")
    assert found.sources == []
    kinds = {kind: len(said) for kind, said in found.problems.of_kind.items()}
    assert kinds == {"no recording": 1}
    assert f"there is one for {decomposed!r}" in str(found.problems)


def test_thousands_of_missing_recordings_are_ten_lines_and_a_count(
    record: Recorder, tmp_path: Path
) -> None:
    record("wavs/other.wav")
    lines = "".join(f"id{number}|Text\n" for number in range(13100))
    (tmp_path / "metadata.csv").write_text(lines, encoding="utf-8")
    found = found_in(tmp_path, "ljspeech")
    assert len(str(found.problems).splitlines()) == 13
    assert "and 13,090 more: no recording." in str(found.problems)
    assert "`other.wav` has no line in metadata.csv" in str(found.problems)


def test_a_flat_folder_takes_txt_and_lab_and_names_what_stands_alone(
    record: Recorder, tmp_path: Path
) -> None:
    record("a.wav", text="First\nline")
    record("b.flac").with_suffix(".lab").write_text("Second", encoding="utf-8")
    record("c 1.wav").with_name("c1.txt").write_text("Third", encoding="utf-8")
    found = found_in(tmp_path, "flat")
    assert pairs(found) == {
        "a": ("First line", None, "a.wav"),
        "b": ("Second", None, "b.flac"),
    }
    assert "`c 1.wav` has no text beside it, but there is one for 'c1'" in str(found.problems)
    assert len(found.problems) == 1


def test_a_folder_a_speaker_names_the_speaker_and_keeps_ids_apart(
    record: Recorder, tmp_path: Path
) -> None:
    record("anna/1.wav", text="One")
    record("ben/1.wav", text="Uno")
    record("ben/2.wav", text="Dos")
    assert pairs(found_in(tmp_path, "speakers")) == {
        "anna_1": ("One", "anna", "1.wav"),
        "ben_1": ("Uno", "ben", "1.wav"),
        "2": ("Dos", "ben", "2.wav"),
    }


def test_vctk_has_texts_in_another_tree_and_two_microphones(
    record: Recorder, tmp_path: Path
) -> None:
    for microphone in ("mic1", "mic2"):
        record(f"wav48_silence_trimmed/p225/p225_001_{microphone}.flac")
    (tmp_path / "txt" / "p225").mkdir(parents=True)
    (tmp_path / "txt" / "p225" / "p225_001.txt").write_text("Please call", encoding="utf-8")
    assert pairs(found_in(tmp_path, "vctk")) == {
        "p225_001": ("Please call", "p225", "p225_001_mic1.flac")
    }


def test_libritts_takes_normalised_texts_and_the_speaker_above_the_chapter(
    record: Recorder, tmp_path: Path
) -> None:
    path = record("train-clean-100/19/198/19_198_000000_000000.wav")
    path.with_suffix(".normalized.txt").write_text("Forty two", encoding="utf-8")
    path.with_suffix(".original.txt").write_text("42", encoding="utf-8")
    (tmp_path / "SPEAKERS.txt").write_text("19 | F", encoding="utf-8")
    found = found_in(tmp_path, "libritts")
    assert pairs(found) == {"19_198_000000_000000": ("Forty two", "19", path.name)}
    assert not found.problems


ROWS = [
    {"path": "a.wav", "sentence": 'He said "oh, no"', "client_id": "anna", "locale": "en"},
    {"path": "sub/b.wav", "sentence": "Two", "client_id": "ben", "locale": "de"},
]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_a_table_has_columns_under_the_names_that_people_give_them(
    ending: str, record: Recorder, tmp_path: Path
) -> None:
    record("a.wav")
    record("sub/b.wav")
    text = {
        "csv": 'path,sentence,client_id,locale\na.wav,"He said ""oh, no""",anna,en\n'
        "sub/b.wav,Two,ben,de\n",
        "tsv": 'path\tsentence\tclient_id\tlocale\na.wav\tHe said "oh, no"\tanna\ten\n'
        "sub/b.wav\tTwo\tben\tde\n",
        "jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    }[ending]
    table = tmp_path / f"train.{ending}"
    table.write_text(text, encoding="utf-8")
    found = found_in(table, "table")
    assert [(each.name, each.text, each.speaker, each.language) for each in found.sources] == [
        ("a", 'He said "oh, no"', "anna", "en"),
        ("b", "Two", "ben", "de"),
    ]


def test_a_table_of_common_voice_finds_its_clips_and_keeps_broken_lines_whole(
    record: Recorder, tmp_path: Path
) -> None:
    record("clips/a.mp3")
    record("clips/b.mp3")
    table = tmp_path / "t.csv"
    table.write_text('path,sentence\na.mp3,"One\ntwo"\nb.mp3,"Three\u2028four"\n', encoding="utf-8")
    assert [each.text for each in found_in(table, "table").sources] == ["One two", "Three four"]


def test_rows_that_cannot_be_used_are_listed_by_kind(record: Recorder, tmp_path: Path) -> None:
    record("a.wav")
    table = tmp_path / "t.csv"
    table.write_text("file,text\na.WAV,Hm\na.wav,\na.wav,Yes\na.wav,Twice\n", encoding="utf-8")
    found = found_in(table, "table")
    assert [each.text for each in found.sources] == ["Yes"]
    said = {kind: messages[0] for kind, messages in found.problems.of_kind.items()}
    assert said["no recording"] == "`a.WAV` (t.csv:2) is missing, but 'a.wav' is there."
    assert said["rows without a file or a text"] == "t.csv:3 has no text."
    assert "`a` is there twice" in said["IDs that are there twice"]


def test_a_table_without_the_columns_is_refused_with_those_that_it_has(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("wave;words\na;b\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"must have a column `file` .*, and has 'wave', 'words'"):
        find(table, "table")


@pytest.mark.parametrize(("text", "kind"), [("", "empty texts"), ("a|b", "texts with '|'")])
def test_texts_that_no_corpus_can_hold_are_problems(
    text: str, kind: str, record: Recorder, tmp_path: Path
) -> None:
    record("a.wav").with_suffix(".lab").write_text(text, encoding="utf-8")
    found = found_in(tmp_path, "flat")
    assert found.sources == []
    assert list(found.problems.of_kind) == [kind]


def test_data_of_no_layout_is_refused_with_the_layouts(tmp_path: Path) -> None:
    (tmp_path / "a.docx").touch()
    with pytest.raises(CorpusError, match=r"looks like no layout that is known \(ljspeech, flat"):
        recognise(tmp_path)
    assert len(LAYOUTS) == 6
