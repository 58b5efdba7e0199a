"""The corpus `hibari`: made whole or not at all, with the voice's own durations and pitch."""

from __future__ import annotations

import json
import math
import re
import shutil
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from kokoro_core import load_spec
from kokoro_core.contracts import Corpus
from kokoro_core.errors import CorpusError
from kokoro_plugins.hibari.commands import hibari_corpus
from kokoro_plugins.hibari.corpus import TrueFeatures, log_pitch, read_pitch
from kokoro_plugins.hibari.frontend import HibariFrontend
from kokoro_plugins.hibari.making import make_corpus
from kokoro_plugins.hibari.params import HibariCorpusParams
from kokoro_plugins.hibari.recipe import Recipe
from kokoro_plugins.hibari.voice import HibariVoice


@pytest.fixture(scope="module")
def corpus(made_folder: Path, recipe: Recipe, frontend: HibariFrontend) -> Corpus:
    params = HibariCorpusParams(path=str(made_folder), sentences=3, held_out=2, seed=recipe.seed)
    audio = load_spec("heart").audio
    assert audio is not None
    return params.build(audio=audio, frontend=frontend)


def test_every_utterance_is_what_the_frontend_makes_of_its_text(
    corpus: Corpus, frontend: HibariFrontend
) -> None:
    assert (len(corpus), corpus.held_out) == (5, 2)
    for each in corpus:
        assert each.phoneme_indices.tolist() == frontend.encode(each.text)


def test_durations_are_even_and_sum_to_the_mel(corpus: Corpus) -> None:
    for index, each in enumerate(corpus):
        assert each.durations is not None
        assert (each.durations % 2 == 0).all()
        assert (each.durations > 0).all()
        assert int(each.durations.sum()) == len(each.mel)
        assert torch.equal(each.durations, corpus.durations_of(index))  # type: ignore[arg-type]


def test_the_silences_at_the_ends_are_quieter_than_speech(corpus: Corpus) -> None:
    for each in corpus:
        assert each.durations is not None
        first = int(each.durations[0])
        assert each.mel[: first // 2].mean() < each.mel.mean() - 2


def test_a_loud_consonant_hisses_where_its_durations_say(
    corpus: Corpus, frontend: HibariFrontend
) -> None:
    """An alignment that is shifted by a phoneme has no more energy above 5 kHz in ``s``."""
    index = frontend.symbols.index("s")
    hiss, rest = [], []
    for each in corpus:
        assert each.durations is not None
        of_frame = each.phoneme_indices.repeat_interleave(each.durations)
        high = each.mel[:, 60:].mean(1)
        hiss += high[of_frame == index].tolist()
        rest += high[of_frame != index].tolist()
    assert np.mean(hiss) > np.mean(rest) + 1.5


def test_the_pitch_is_the_voice_s_own_and_agrees_with_what_is_measured(
    corpus: Corpus, made_folder: Path
) -> None:
    each = corpus[0]
    pitch, voiced = each.features["pitch"], each.features["voiced"]
    assert pitch.dtype == voiced.dtype == torch.float32
    assert pitch.shape == voiced.shape == (len(each.mel),)
    assert isinstance(each.features, TrueFeatures)
    measured = each.features._others
    hertz = load_file(made_folder / "pitch.safetensors")[each.name]
    told = torch.from_numpy(hertz > 80)
    assert torch.equal(voiced > 0, told)
    torch.testing.assert_close(pitch[told], torch.from_numpy(hertz).log()[told])
    assert not torch.equal(pitch, measured["pitch"])
    both = (voiced > 0) & (measured["voiced"] > 0)
    assert both.float().mean() > 0.3
    assert (pitch - measured["pitch"])[both].abs().median() < 0.02  # a third of a semitone
    assert each.features["wave"].shape == (len(each.mel), 300)
    assert set(each.features) == HibariCorpusParams(path="nowhere").gives_features
    assert len(each.features) == 5


def test_pitch_is_interpolated_where_nobody_speaks_and_goes_on_at_the_ends() -> None:
    hertz = np.array([0, 100, 0, 30, 200, -1], np.float32)
    pitch, voiced = log_pitch(hertz)
    low, high = math.log(100), math.log(200)
    third = (high - low) / 3
    expected = [low, low, low + third, low + 2 * third, high, high]
    np.testing.assert_allclose(pitch, expected, rtol=1e-6)
    assert voiced.tolist() == [0, 1, 0, 0, 1, 0]


def test_the_same_seed_gives_the_same_samples_and_another_one_other_noise(
    frontend: HibariFrontend, voice: HibariVoice
) -> None:
    symbols = frontend.phonemize("Hello there, my friend.")
    one, same, other = (voice.speak(symbols, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.samples, same.samples)
    assert not np.array_equal(one.samples, other.samples)
    assert one.frames == other.frames
    assert sum(one.frames) * 300 == len(one.samples)
    assert np.abs(one.samples).max() < 1


def test_the_voice_says_what_the_package_says(frontend: HibariFrontend, voice: HibariVoice) -> None:
    from hibari import Hibari

    text = "The quick brown fox jumps over the lazy dog."
    ours = voice.speak(frontend.phonemize(text), seed=5)
    theirs = Hibari()(text, seed=5)
    np.testing.assert_allclose(ours.samples, theirs, atol=1e-4)


def test_a_folder_is_a_corpus_as_anybody_s(made_folder: Path) -> None:
    names = (made_folder / "metadata.csv").read_text("utf-8").splitlines()
    assert [line.partition("|")[0] for line in names] == [f"hibari-0000{n}" for n in range(1, 6)]
    assert (made_folder / "held_out.txt").read_text("utf-8") == "hibari-00004\nhibari-00005\n"
    for line in (made_folder / "durations.csv").read_text("utf-8").splitlines():
        name, symbols, frames = line.split("|")
        assert len(symbols.split(" ")) == len(frames.split())
        with wave.open(str(made_folder / "wavs" / f"{name}.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
            assert file.getnframes() == 300 * sum(map(int, frames.split()))


def test_a_folder_of_the_recipe_is_left_as_it_is(made_folder: Path, recipe: Recipe) -> None:
    assert not make_corpus(made_folder, recipe)
    written = json.loads((made_folder / "recipe.json").read_text("utf-8"))
    assert written.pop("voices") == "heart"
    (made_folder / "recipe.json").write_text(json.dumps(written), "utf-8")
    assert not make_corpus(made_folder, recipe)  # one of the time when there was one voice
    other = replace(recipe, seed=9)
    with pytest.raises(CorpusError, match=r"of another recipe \(seed 3 not 9\); say the same"):
        make_corpus(made_folder, other)


def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    from dataclasses import asdict

    (tmp_path / "recipe.json").write_text(json.dumps(asdict(recipe)), "utf-8")
    message = r"without wavs and metadata.csv and durations.csv and held_out.txt and pitch.safe"
    with pytest.raises(CorpusError, match=message):
        make_corpus(tmp_path, recipe)


def test_a_folder_of_two_voices_without_its_speakers_is_refused(
    made_folder: Path, tmp_path: Path, recipe: Recipe
) -> None:
    folder, two = tmp_path / "two", replace(recipe, voices="heart+joe")
    shutil.copytree(made_folder, folder)
    written = json.loads((folder / "recipe.json").read_text("utf-8"))
    (folder / "recipe.json").write_text(json.dumps({**written, "voices": "heart+joe"}), "utf-8")
    with pytest.raises(CorpusError, match=r"of this recipe without speakers\.csv; delete"):
        make_corpus(folder, two)
    (folder / "speakers.csv").touch()
    assert not make_corpus(folder, two)


def test_a_file_of_pitch_that_was_cut_off_or_lacks_an_utterance_is_refused(
    made_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pitch.safetensors"
    whole = (made_folder / "pitch.safetensors").read_bytes()
    for content in (whole[: len(whole) // 2], b"", whole[:4]):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=r"pitch\.safetensors` cannot be read: .*made anew"):
            read_pitch(path, ())
    path.write_bytes(whole)
    assert len(read_pitch(path, ["hibari-00001", "hibari-00005"])) == 5
    with pytest.raises(
        CorpusError, match="lacks the pitch of 2 of 3 utterances, such as `hibari-00006"
    ):
        read_pitch(path, ["hibari-00001", "hibari-00006", "hibari-00007"])
    with pytest.raises(CorpusError, match=r"cannot be read: No such file"):
        read_pitch(tmp_path / "nothing", ())


def test_every_utterance_of_the_voice_must_have_its_pitch(
    made_folder: Path, tmp_path: Path, recipe: Recipe, frontend: HibariFrontend
) -> None:
    shutil.copytree(made_folder, tmp_path / "corpus")
    path = tmp_path / "corpus" / "pitch.safetensors"
    save_file({n: each for n, each in load_file(path).items() if n != "hibari-00003"}, path)
    audio = load_spec("heart").audio
    assert audio is not None
    settings: dict[str, Any] = {"path": str(tmp_path / "corpus"), "sentences": 3, "held_out": 2}
    with pytest.raises(
        CorpusError, match="lacks the pitch of 1 of 5 utterances, such as `hibari-00003"
    ):
        HibariCorpusParams(**settings, seed=recipe.seed).build(audio=audio, frontend=frontend)


def test_two_voices_speak_in_turn() -> None:
    recipe = Recipe(3, 1, seed=0, part="training", hibari_tts="1", voices="heart+joe")
    assert recipe.spoken_by() == {
        "hibari-00001": "heart",
        "hibari-00002": "joe",
        "hibari-00003": "heart",
    }


def test_a_folder_of_somebody_else_s_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(CorpusError, match="was not made by the corpus `hibari`; give another"):
        make_corpus(tmp_path, recipe)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_of_a_corpus_that_was_not_finished(tmp_path: Path, recipe: Recipe) -> None:
    def stop(named: Any) -> Any:
        yield next(iter(named))
        raise ValueError("enough.")

    with pytest.raises(CorpusError, match="cannot be made: enough"):
        make_corpus(tmp_path / "corpus", recipe, stop)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_the_command_is_refused(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match="is the folder that this command runs in"):
        make_corpus(Path(), recipe)


def test_frames_of_another_length_are_refused(tmp_path: Path, frontend: HibariFrontend) -> None:
    audio = load_spec("small").audio
    assert audio is not None
    message = (
        "`audio.sample_rate` must be 24000, not 22050 and `audio.hop_length` must be 300, not 256"
    )
    with pytest.raises(CorpusError, match=re.escape(message)):
        HibariCorpusParams(path=str(tmp_path)).build(audio=audio, frontend=frontend)


def command(*args: str) -> Any:
    app = typer.Typer()
    app.command()(hibari_corpus)
    return CliRunner().invoke(app, list(args))


def test_the_command_says_what_it_made(tmp_path: Path, voice: HibariVoice) -> None:
    folder = tmp_path / "speech"
    args = (str(folder), "--sentences", "1", "--held-out", "1", "--part", "reporting")
    assert command(*args).output == f"{folder}: 1 sentences and 1 held out made\n"
    assert command(*args).output == f"{folder}: 1 sentences and 1 held out were there already\n"


def test_the_command_refuses_another_part(tmp_path: Path) -> None:
    result = command(str(tmp_path / "speech"), "--part", "all")
    assert isinstance(result.exception, ValueError)
    assert "The corpus `hibari` refuses `part`: Input should be 'training' or 'reporting'" in str(
        result.exception
    )
