"""`prepare` as a whole: what it writes is what training reads, and a stopped one goes on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from ruamel.yaml import YAML

from kokoro_core import load_spec
from kokoro_core.cli.app import main
from kokoro_core.contracts import Corpus
from kokoro_core.errors import CorpusError
from kokoro_plugins.speech.params import FolderCorpusParams
from kokoro_plugins.speech.preparing import work
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings

AS_IT_IS = PrepareSettings(sound=SoundSettings(None, None), holdout=2)
LEARNED = load_spec("quick", overrides={"aligner.type": "forward_sum"})


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    return int(left.value.code or 0)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return all that the corpus is made of."""
    names = [*sorted(folder.glob("*.csv")), folder / "held_out.txt", folder / "spec.yaml"]
    return {each.name: each.read_bytes() for each in (*names, *sorted(folder.glob("wavs/*")))}


def texts_in(folder: Path) -> dict[str, str]:
    """Return the text of each utterance of a folder in the layout of LJSpeech."""
    lines = (folder / "metadata.csv").read_text("utf-8").splitlines()
    return {name: text for name, text, _ in (line.split("|") for line in lines)}


def corpus_in(out: Path) -> Corpus:
    """Return what was prepared, as training opens it."""
    spec = load_spec(out / "spec.yaml")
    assert spec.audio is not None
    assert spec.frontend is not None
    frontend = spec.frontend.build(spec.sizes)
    return FolderCorpusParams(path=str(out)).build(audio=spec.audio, frontend=frontend)


def test_an_aligned_corpus_whose_sound_is_kept_stays_what_it_is(
    spoken: Path, tmp_path: Path
) -> None:
    made = prepare(spoken, tmp_path / "out", "quick", AS_IT_IS)
    for name in ("metadata.csv", "durations.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (spoken / name).read_bytes()
    assert len(made.utterances) == 8
    assert len(made.held_out) == 2


def test_the_spec_has_the_statistics_that_training_measures(spoken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = load_spec("fastspeech2-small")
    prepare(spoken, out, spec)
    found = load_spec(out / "spec.yaml")
    assert found.audio is not None
    corpus = corpus_in(out)
    mel = torch.cat([each.mel for each in corpus]).double()
    assert found.audio.mean == pytest.approx(float(mel.mean()), rel=1e-5)
    assert found.audio.std == pytest.approx(float(mel.std(correction=0)), rel=1e-5)
    for name in ("pitch", "energy"):
        values = torch.cat([each.features[name] for each in corpus]).double()
        assert found.features[name].mean == pytest.approx(float(values.mean()), rel=1e-5)
        assert found.features[name].std == pytest.approx(float(values.std(correction=0)), rel=1e-5)
    assert {**found.model_dump(exclude={"audio", "features"})} == {
        **spec.model_dump(exclude={"audio", "features"})
    }


def test_what_is_held_out_comes_last_and_is_what_training_holds_out(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    made = prepare(spoken, out, "quick", AS_IT_IS)
    assert set((out / "held_out.txt").read_text("utf-8").split()) == made.held_out
    corpus = corpus_in(out)
    assert corpus.held_out == 2
    assert {corpus[index].name for index in (6, 7)} == made.held_out
    small = ("--set", "hidden_dim=16", "--set", "encoder.ff_dim=16", "--set", "decoder.ff_dim=16")
    train = ("train", str(out / "spec.yaml"), *small, "--data", str(out), "--steps", "2")
    assert status(*train, "--device", "cpu", "--out", str(tmp_path / "run")) == 0
    assert "6 utterances" in (said := capsys.readouterr().out)
    assert ", 2 held out" in said


def test_recordings_and_texts_alone_train_a_model_that_aligns(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(spoken, data, ignore=shutil.ignore_patterns("durations.csv"))
    tiny = ("--set", "hidden_dim=16", "--set", "encoder.ff_dim=16", "--set", "decoder.ff_dim=16")
    command = ("prepare", str(data), str(out), "--set", "aligner.type=forward_sum", *tiny)
    assert status(*command, "--workers", "0") == 0
    said = capsys.readouterr()
    assert f"kokoro-core train {out / 'spec.yaml'} --data {out}" in said.out
    assert "only 1 utterances of" in said.err
    assert not (out / "durations.csv").exists()
    train = ("train", str(out / "spec.yaml"), "--data", str(out), "--steps", "2")
    assert status(*train, "--device", "cpu", "--out", str(tmp_path / "run")) == 0


def test_several_processes_make_the_same_files(spoken: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(spoken, data)
    for name, text in texts_in(data).items():
        shutil.copy(data / "wavs" / f"{name}.wav", data / "wavs" / f"again-{name}.wav")
        with (data / "metadata.csv").open("a", encoding="utf-8") as file:
            file.write(f"again-{name}|{text}\n")
    (data / "durations.csv").unlink()
    alone = prepare(data, tmp_path / "alone", LEARNED)
    together = prepare(data, tmp_path / "together", LEARNED, PrepareSettings(workers=2))
    assert alone.utterances == together.utterances
    assert files_of(tmp_path / "alone") == files_of(tmp_path / "together")


class Stopped(Exception):
    """What a test stops a preparation with."""


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> list[str]:
    """Make the preparation fail at an utterance, and return the names that it comes to."""
    seen: list[str] = []
    original = work.Workshop.prepare

    def counted(self: Any, source: Any) -> Any:
        seen.append(source.name)
        if len(seen) > count:
            raise Stopped
        return original(self, source)

    monkeypatch.setattr(work.Workshop, "prepare", counted)
    return seen


def test_a_stopped_preparation_is_no_corpus_and_goes_on_where_it_was(
    spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(Stopped):
            prepare(spoken, out, "quick")
    assert not (out / "metadata.csv").exists()
    with (out / "prepared.jsonl").open("ab") as file:
        file.write('{"key": "hä'.encode()[:-1])  # ends within a letter
    first = sorted((out / "wavs").iterdir())[0]
    first.write_bytes(first.read_bytes()[:1000])  # what a power cut may leave
    with monkeypatch.context() as patch:
        seen = stop_after(patch, 99)
        made = prepare(spoken, out, "quick")
    assert seen == [made.utterances[index].name for index in (0, 5, 6, 7)]
    prepare(spoken, tmp_path / "whole", "quick")
    assert files_of(out) == files_of(tmp_path / "whole")


def test_another_setting_or_another_text_prepares_anew(
    spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(spoken, data)
    prepare(data, out, "quick")
    with monkeypatch.context() as patch:
        seen = stop_after(patch, 99)
        prepare(data, out, "quick")
        assert seen == []
        lines = (data / "metadata.csv").read_text("utf-8").splitlines()
        lines[3] = lines[3].split("|")[0] + "|The old cat slept."
        (data / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
        made = prepare(data, out, "quick")
        assert seen == [made.utterances[3].name]
    [note] = [each for each in made.advice if "changed after alignment" in each]
    assert f": 1, the first is `{made.utterances[3].name}`" in note
    with monkeypatch.context() as patch:
        seen = stop_after(patch, 0)
        with pytest.raises(Stopped):
            prepare(data, out, "quick", PrepareSettings(sound=SoundSettings(-20.0, 0.1)))
    assert not (out / "metadata.csv").exists()


def damaged(spoken: Path, data: Path) -> Path:
    """Return a copy of the sentences of which three cannot be learned from."""
    shutil.copytree(spoken, data)
    names = sorted(each.stem for each in (data / "wavs").iterdir())
    soundfile.write(data / "wavs" / f"{names[0]}.wav", np.zeros(22050), 22050)
    loud = np.clip(3 * soundfile.read(data / "wavs" / f"{names[1]}.wav")[0] * 4, -1, 1)
    soundfile.write(data / "wavs" / f"{names[1]}.wav", loud, 22050)
    (data / "wavs" / f"{names[2]}.wav").rename(data / "wavs" / f"{names[2].upper()}.wav")
    return data


def test_what_is_wrong_ends_the_preparation_and_is_left_out_where_that_is_asked_for(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = damaged(spoken, tmp_path / "data"), tmp_path / "out"
    command = ("prepare", str(data), str(out), "--workers", "0")
    assert status(*command) == 1
    said = capsys.readouterr().err
    assert "`--leave-out` goes on with the other 5." in said
    for each in ("is silent", "is clipped", "whose name differs in a detail"):
        assert said.count(each) == 1
    assert not (out / "metadata.csv").exists()
    assert status(*command, "--leave-out") == 0
    assert "5 utterances" in capsys.readouterr().out
    report = (out / "report.html").read_text("utf-8")
    assert "Left out: silent (1)" in report


def test_the_report_needs_no_other_host_and_shows_each_picture(
    spoken: Path, tmp_path: Path
) -> None:
    made = prepare(spoken, tmp_path / "my <out>", "quick")
    report = (tmp_path / "my <out>" / "report.html").read_text("utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', report)
    assert all(each.startswith(("data:image/png;base64,", "wavs/")) for each in addresses)
    assert sum(each.startswith("data:") for each in addresses) == 8 + 6  # ranked, and spread
    assert "my &lt;out&gt;" in report
    assert made.utterances[0].text in report


def test_speakers_and_languages_come_from_the_data(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = texts_in(spoken)
    rows = [
        {"file": str(spoken / "wavs" / f"{name}.wav"), "text": text, "speaker": speaker}
        for (name, text), speaker in zip(texts.items(), ["ben", "anna"] * 4, strict=False)
    ]
    table = tmp_path / "t.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made = prepare(table, tmp_path / "plain", LEARNED)
    assert any("2 speakers, but `quick` takes no speaker" in each for each in made.advice)
    with_speaker = load_spec(
        LEARNED,
        overrides={
            "speakers": ["all"],
            "conditioners.speaker.type": "lookup",
            "conditioners.speaker.add": True,
        },
    )
    made = prepare(table, tmp_path / "out", with_speaker)
    written = YAML(typ="safe", pure=True).load(tmp_path / "out" / "spec.yaml")
    assert written["speakers"] == ["anna", "ben"]
    lines = (tmp_path / "out" / "speakers.csv").read_text("utf-8").splitlines()
    assert lines[0].endswith("|ben")


def test_recordings_of_a_lower_rate_than_the_spec_are_told_once(
    spoken: Path, tmp_path: Path
) -> None:
    spec = load_spec(LEARNED, overrides={"audio.sample_rate": 24000, "audio.fmax": 12000})
    made = prepare(spoken, tmp_path / "out", spec, PrepareSettings(align="learned"))
    [said] = [each for each in made.advice if "lower rate" in each]
    assert said.startswith("recordings of a lower rate than the spec's: 8, the first is `espeak-")
    assert said.endswith("has 22,050 Hz, so that what is above 11,025 is missing")


def test_a_model_with_a_speaker_wants_to_know_who_speaks(spoken: Path, tmp_path: Path) -> None:
    spec = load_spec(
        "quick", overrides={"speakers": ["anna"], "conditioners.speaker.type": "lookup"}
    )
    with pytest.raises(CorpusError, match=r"takes a speaker, which 8 of 8 utterances do not have"):
        prepare(spoken, tmp_path / "out", spec)


def test_another_language_brings_its_symbols_into_the_spec(tmp_path: Path, spoken: Path) -> None:
    texts = ["Guten Tag, schöne Welt!", "Über die Brücke läuft ein Fuchs.", "Привет."]
    rows = [
        {"file": str(path), "text": text}
        for path, text in zip(sorted((spoken / "wavs").iterdir()), texts, strict=False)
    ]
    table = tmp_path / "t.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    settings = PrepareSettings(language="german", leave_out=True)
    made = prepare(table, tmp_path / "out", "quick", settings)
    assert list(made.problems.of_kind) == ["unreadable texts"]
    spec = load_spec(tmp_path / "out" / "spec.yaml")
    assert spec.frontend is not None
    symbols = spec.frontend.build(spec.sizes).symbols
    assert len(symbols) == spec.vocab_size < 63
    assert {"_", "ˈ", ",", "yː", "ç"} - set(symbols) == {"ç"}
    spoken_with = {symbol for each in made.utterances for symbol in each.symbols}
    assert spoken_with <= set(symbols)
    assert len(corpus_in(tmp_path / "out")) == 2
    with pytest.raises(CorpusError, match=r"`--language klingonish` is no language of espeak-ng"):
        prepare(table, tmp_path / "other", "quick", PrepareSettings(language="klingonish"))


def test_a_folder_of_somebody_else_is_left_alone(spoken: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    with pytest.raises(CorpusError, match="is not empty and was not made by `prepare`"):
        prepare(spoken, tmp_path, "quick")
    with pytest.raises(CorpusError, match="is not there; give a folder"):
        prepare(tmp_path / "nothing", tmp_path / "out", "quick")


def test_wrong_words_are_refused_with_the_right_ones(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("prepare", str(spoken), str(tmp_path / "out"))
    assert status(*command, "--loudness", "loud") == 1
    assert (
        "`--loudness` must be a number or `none`, not 'loud'; try -23." in capsys.readouterr().err
    )
    assert status(*command, "--layout", "zip") == 1
    assert "`layout` must be one of ljspeech" in capsys.readouterr().err
