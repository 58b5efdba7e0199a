"""The corpus `espeak`: made whole or not at all, aligned, and in step with the frontend."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import typer
from torch import Tensor
from typer.testing import CliRunner

from kokoro_core.contracts.speech import Corpus, Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.commands import corpus as corpus_command
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import Recipe, make_corpus
from kokoro_plugins.speech.folder import FolderCorpus
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.params import EspeakCorpusParams
from kokoro_plugins.speech.sentences import make_sentences
from kokoro_plugins.speech.synthesis import synthesize_aligned
from kokoro_plugins.speech.vocabulary import PAUSES, STRESSES, SYMBOLS


def aligned(utterance: Utterance) -> Tensor:
    """Return the durations of an utterance that has them."""
    assert utterance.durations is not None
    return utterance.durations


@pytest.fixture(scope="module")
def corpus(made_folder: Path, audio: AudioSettings, frontend: EspeakFrontend) -> Corpus:
    return FolderCorpus(path=made_folder, audio=audio, frontend=frontend)


def test_every_sentence_has_the_indices_that_the_frontend_gives_for_its_text(
    corpus: Corpus, frontend: EspeakFrontend
) -> None:
    assert len(corpus) == 315
    wrong = [
        each.text for each in corpus if frontend.encode(each.text) != each.phoneme_indices.tolist()
    ]
    assert not wrong


def test_durations_sum_to_the_mel_and_nearly_every_phoneme_has_a_frame(corpus: Corpus) -> None:
    durations = torch.cat([aligned(each) for each in corpus])
    assert all(int(aligned(each).sum()) == len(each.mel) for each in corpus)
    assert durations.min() >= 0
    assert (durations == 0).float().mean() < 0.01


def test_a_stress_mark_has_one_frame_and_the_last_pause_a_few(corpus: Corpus) -> None:
    stress = [SYMBOLS.index(each) for each in STRESSES]
    pauses = [SYMBOLS.index(each) for each in PAUSES]
    for each in corpus:
        marks = torch.isin(each.phoneme_indices, torch.tensor(stress))
        assert (aligned(each)[marks] == 1).all()
        assert int(each.phoneme_indices[-1]) in pauses
        assert 3 <= int(aligned(each)[-1]) <= 6


@pytest.mark.parametrize(
    ("symbol", "bands", "sign"),
    [
        ("s", slice(66, 80), 1),  # hiss above 5 kHz sets in
        ("ʃ", slice(66, 80), 1),
        ("æ", slice(0, 28), 1),  # a voice below 1 kHz sets in
        (",", slice(0, 80), -1),  # everything stops
    ],
)
def test_a_sound_changes_where_its_symbol_begins(
    corpus: Corpus, symbol: str, bands: slice, sign: int
) -> None:
    """The alignment, heard: the steepest change around the boundary is at it, within a window."""
    around = [
        each.mel[start - 6 : start + 7, bands].mean(1)
        for each in corpus
        for index, start in zip(
            each.phoneme_indices.tolist(),
            (aligned(each).cumsum(0) - aligned(each)).tolist(),
            strict=True,
        )
        if index == SYMBOLS.index(symbol) and 6 <= start <= len(each.mel) - 7
    ]
    assert len(around) > 30
    steps = torch.stack(around).mean(0).diff() * sign
    # step 5 leads from the last frame before the boundary to the first after it
    assert int(steps.argmax()) in (4, 5, 6)
    assert steps.max() > 1


def test_the_sentences_have_the_sounds_of_american_english(corpus: Corpus) -> None:
    spoken = torch.cat([each.phoneme_indices for each in corpus]).bincount(minlength=63)
    rare = {SYMBOLS[index] for index in range(63) if spoken[index] < 10}
    assert rare == {
        "_",
        "x",
        "ɬ",
        "r",
        "a",
        "ɑ̃",
        "ɒ",
        "u",
        "eə",
    }  # British, foreign, or one in 10,000


def test_held_out_sentences_have_no_unheard_word(corpus: Corpus) -> None:
    words = [set(re.findall(r"\w+", each.text.lower())) for each in corpus]
    assert set().union(*words[300:]) <= set().union(*words[:300])
    texts = [each.text for each in corpus]
    assert not set(texts[300:]) & set(texts[:300])


def test_the_recording_is_what_was_spoken(made_folder: Path, audio: AudioSettings) -> None:
    """A fresh voice that speaks the same first text gives the same samples and alignment."""
    spoken = synthesize_aligned(
        Espeak("en-us"), make_sentences(315)[0], MelSpectrogram(audio=audio)
    )
    samples, rate = soundfile.read(made_folder / "wavs" / "espeak-0001.wav", dtype="int16")
    assert rate == 22050
    np.testing.assert_array_equal(samples, spoken.samples)
    first = (made_folder / "durations.csv").read_text(encoding="utf-8").splitlines()[0]
    assert first.split("|")[2] == " ".join(map(str, spoken.alignment.frames))


def test_sentences_are_distinct_and_the_seed_decides_them() -> None:
    sentences = make_sentences(500, seed=1)
    assert len(set(sentences)) == 500
    assert make_sentences(500, seed=1) == sentences
    assert make_sentences(20, seed=1) == sentences[:20]
    assert make_sentences(20, seed=2) != sentences[:20]
    assert all(re.fullmatch(r"[A-Z][A-Za-z, ]+[.?!]", each) for each in sentences)
    assert {each[-1] for each in sentences} == {".", "?", "!"}


def test_a_folder_is_made_once(tmp_path: Path, audio: AudioSettings, recipe: Recipe) -> None:
    small = replace(recipe, sentences=3)
    folder = tmp_path / "deep" / "corpus"
    assert make_corpus(folder, small, audio)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    assert not make_corpus(folder, small, audio)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    assert [each.name for each in folder.parent.iterdir()] == ["corpus"]


def test_two_folders_of_one_recipe_are_equal(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()  # an empty folder may be there
        make_corpus(tmp_path / name, replace(recipe, sentences=4), audio)
    files = sorted(each.relative_to(tmp_path / "one") for each in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 7
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_folder_of_another_recipe_is_not_touched(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe
) -> None:
    folder = tmp_path / "corpus"
    make_corpus(folder, replace(recipe, sentences=2), audio)
    message = r"holds a corpus of another recipe \(sentences 2 not 3\); give another folder, or"
    with pytest.raises(CorpusError, match=message):
        make_corpus(folder, replace(recipe, sentences=3), audio)
    assert json.loads((folder / "recipe.json").read_text())["sentences"] == 2


def test_a_folder_that_is_not_ours_is_not_touched(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    message = r"is not empty and was not made by the corpus `espeak`; give another folder"
    for path in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(CorpusError, match=message):
            make_corpus(path, recipe, audio)
    (tmp_path / "recipe.json").write_text("[")
    with pytest.raises(CorpusError, match=message):
        make_corpus(tmp_path, recipe, audio)


def test_a_recipe_that_is_nested_without_end_is_not_ours(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe
) -> None:
    (tmp_path / "recipe.json").write_text("[" * 100_000)
    with pytest.raises(CorpusError, match="was not made by the corpus `espeak`"):
        make_corpus(tmp_path, recipe, audio)


@pytest.mark.parametrize("name", ["wavs", "metadata.csv", "durations.csv"])
def test_a_corpus_that_lost_a_part_is_not_taken_for_whole(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe, name: str
) -> None:
    small = replace(recipe, sentences=2)
    make_corpus(tmp_path / "c", small, audio)
    (tmp_path / "c" / name).rename(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match=rf"of this recipe without {name}; delete the folder"):
        make_corpus(tmp_path / "c", small, audio)


def test_the_working_folder_is_not_replaced(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path("."), tmp_path):
        with pytest.raises(CorpusError, match="is the folder that this command runs in"):
            make_corpus(path, replace(recipe, sentences=1), audio)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_the_system_refuses_is_named_and_not_a_temporary_one(
    tmp_path: Path, audio: AudioSettings, recipe: Recipe
) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "c", tmp_path / "file" / "deep" / "c"):
        with pytest.raises(CorpusError) as caught:
            make_corpus(path, replace(recipe, sentences=1), audio)
        why = "File exists" if path.parent.name == "file" else "Not a directory"
        assert str(caught.value) == f"`{path}` cannot be made: {why}; give a folder that can be."


def test_more_sentences_than_the_grammar_has_are_refused_at_once(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(corpus_command)
    result = CliRunner().invoke(app, [str(tmp_path / "c"), "--sentences", "20001"])
    assert result.exit_code == 2
    assert "20000" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("params", "audio_change", "message"),
    [
        ({"voice": "en-us+nobody"}, {}, r"cannot be made: .*nobody"),
        ({}, {"sample_rate": 24000}, r"cannot be made: `audio.sample_rate` must be 22050, .*24000"),
    ],
)
def test_what_cannot_be_made_leaves_nothing_behind(
    tmp_path: Path,
    frontend: EspeakFrontend,
    params: dict[str, Any],
    audio_change: dict[str, Any],
    message: str,
) -> None:
    corpus_params = EspeakCorpusParams(path=str(tmp_path / "corpus"), sentences=2, **params)
    with pytest.raises(CorpusError, match=message):
        corpus_params.build(audio=AudioSettings(**audio_change), frontend=frontend)
    assert not list(tmp_path.iterdir())


def test_a_grammar_that_runs_dry_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kokoro_plugins.speech.sentences._PATTERNS", ("{move}.",))
    assert len(make_sentences(9)) == 9
    with pytest.raises(
        ValueError, match=r"`sentences` must be smaller than 10; the grammar ran dry"
    ):
        make_sentences(10)


def test_the_params_make_and_read_the_corpus(
    tmp_path: Path, audio: AudioSettings, frontend: EspeakFrontend
) -> None:
    params = EspeakCorpusParams(path=str(tmp_path / "c"), sentences=3, seed=5, voice="en-us+f3")
    made = params.build(audio=audio, frontend=frontend)
    assert [each.text for each in made] == make_sentences(3, seed=5)


def test_the_command_makes_the_folder(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(corpus_command)
    arguments = [str(tmp_path / "c"), "--sentences", "2", "--voice", "en-gb"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "2 sentences made" in result.output
    assert len(list((tmp_path / "c" / "wavs").iterdir())) == 2
    assert "were there already" in CliRunner().invoke(app, arguments).output
