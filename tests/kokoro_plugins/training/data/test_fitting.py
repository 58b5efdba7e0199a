"""What a model cannot learn from is refused before anything of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kokoro_core import ModelSpec, load_spec
from kokoro_core.cli.app import main
from kokoro_core.errors import CorpusError
from kokoro_core.spec.text.document import Document, from_mapping
from kokoro_plugins.speech.params import EspeakCorpusParams, FolderCorpusParams
from kokoro_plugins.training.commands.spec_places import placed_in
from kokoro_plugins.training.data.fitting import refuse_corpus
from kokoro_plugins.training.data.unfit import UnfitCorpus

UNREAD = "/nowhere/at/all"
PITCH = {"type": "variance", "channels": 8, "num_layers": 1, "kernel_size": 3}
VOICE = {"type": "lookup", "feature": "speaker"}
SPEC = """\
name: mine
vocab_size: 63
hidden_dim: 16
speakers: [anna, ben]
encoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 16}
duration_predictor: {type: mlp}
conditioners:
  voice: {type: lookup, feature: speaker}
regulator: {type: repeat}
decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 16}
audio: {mean: -4.9, std: 2.4}
frontend: {type: espeak}
"""


def spec_with(**overrides: Any) -> ModelSpec:
    return load_spec("small", overrides={"aligner": {"type": "prior_search"}, **overrides})


def test_a_model_without_an_aligner_needs_durations() -> None:
    corpus = EspeakCorpusParams(path=UNREAD, durations=False)
    with pytest.raises(CorpusError, match="has no durations here, and `small` has no `aligner`"):
        refuse_corpus(load_spec("small"), corpus)
    refuse_corpus(spec_with(), corpus)
    refuse_corpus(load_spec("small"), EspeakCorpusParams(path=UNREAD))


def test_values_a_phoneme_of_frames_need_durations_without_a_regulator_too() -> None:
    changes = {
        "duration_predictor": None,
        "regulator": None,
        "features": {"pitch": {"per": "frame"}},
        "token_adaptors": {"pitch": PITCH},
        "decoder.add_memory": False,
        "decoder.place": None,
    }
    spec = load_spec("small", overrides=changes)
    refuse_corpus(spec, EspeakCorpusParams(path=UNREAD))
    with pytest.raises(UnfitCorpus) as caught:
        refuse_corpus(spec, EspeakCorpusParams(path=UNREAD, durations=False))
    [violation] = caught.value.violations
    assert violation.path == ("token_adaptors", "pitch")
    unneeding = load_spec("small", overrides={**changes, "token_adaptors": {}, "features": {}})
    refuse_corpus(unneeding, EspeakCorpusParams(path=UNREAD, durations=False))


def test_a_feature_that_the_corpus_lacks_is_named_with_the_one_that_was_meant() -> None:
    corpus = EspeakCorpusParams(path=UNREAD)
    refuse_corpus(spec_with(token_adaptors={"pitch": PITCH}), corpus)
    with pytest.raises(CorpusError, match=r"learns from the feature `pich`, .* did you mean `pitc"):
        refuse_corpus(spec_with(token_adaptors={"pich": PITCH}), corpus)


def test_all_that_is_missing_is_said_at_once_each_at_its_part() -> None:
    spec = load_spec(
        "small",
        overrides={
            "speakers": ["anna"],
            "conditioners": {"voice": VOICE},
            "token_adaptors": {"pich": PITCH},
        },
    )
    with pytest.raises(UnfitCorpus) as caught:
        refuse_corpus(spec, EspeakCorpusParams(path=UNREAD, durations=False))
    assert [(each.code, each.path) for each in caught.value.violations] == [
        ("corpus-without-durations", ("regulator",)),
        ("corpus-without-feature", ("conditioners", "voice")),
        ("corpus-without-feature", ("token_adaptors", "pich")),
    ]
    assert len(str(caught.value).splitlines()) == 3
    assert caught.value.spec is spec


def test_speakers_that_the_spec_does_not_list_are_found_in_their_file(tmp_path: Path) -> None:
    corpus = FolderCorpusParams(path=str(tmp_path))
    file = tmp_path / "speakers.csv"
    spec = spec_with(speakers=["anna"], conditioners={"voice": VOICE})
    file.write_text("one|anna\n", encoding="utf-8")
    refuse_corpus(spec, corpus)
    file.write_text("one|anna\n" + "".join(f"u{i}|v{i}\n" for i in range(7)), encoding="utf-8")
    said = r"lists anna, .* the speaker 'v0', 'v1', 'v2', 'v3', 'v4' and 2 more; add .* `speakers`"
    with pytest.raises(CorpusError, match=said):
        refuse_corpus(spec, corpus)


def test_a_model_of_one_voice_does_not_care_who_speaks(tmp_path: Path) -> None:
    (tmp_path / "speakers.csv").write_text("one|anna\n", encoding="utf-8")
    refuse_corpus(spec_with(), FolderCorpusParams(path=str(tmp_path)))


def test_a_file_of_names_that_cannot_be_read_is_left_to_the_reading(tmp_path: Path) -> None:
    (tmp_path / "speakers.csv").write_bytes(b"one|\xff\n")
    assert FolderCorpusParams(path=str(tmp_path)).gives_names == {}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "metadata.csv").write_text("one|Hello.\n", encoding="utf-8")
    (tmp_path / "data" / "durations.csv").touch()
    file = tmp_path / "mine.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in words])
    assert ended.value.code == 1
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", ["train", "compare"])
def test_commands_say_it_at_the_line_of_the_spec(
    command: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = model.parent / "data"
    call = (command, model, "--data", data, "--out", model.parent / "out", "--steps", 1)
    folder = ("--corpus", "folder")
    assert f"{model}:8:10: conditioners.voice: `mine` learns from the feature `speaker`, which" in (
        refused(capsys, *call, *folder)
    )
    (data / "speakers.csv").write_text("one|carol\n", encoding="utf-8")
    said = refused(capsys, *call, *folder)
    assert f"{model}:4:11: speakers: `mine` lists anna, ben, and the corpus `folder` also" in said
    assert "[unlisted-name]" in said


def test_what_an_option_changed_is_said_of_the_option(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = model.parent / "data"
    (data / "speakers.csv").write_text("one|ben\n", encoding="utf-8")
    call = ("train", model, "--data", data, "--corpus", "folder", "--out", model.parent / "out")
    said = refused(capsys, *call, "--set", "speakers=[anna]", "--steps", 1)
    assert "--set speakers=[anna]: speakers: `mine` lists anna" in said


def test_of_a_spec_without_a_text_the_message_stays_as_it_is() -> None:
    class Checkpoint:
        def spec_document(self) -> Document:
            return from_mapping({}, "<ModelSpec>")

    spec = load_spec("small")
    for asked in ([(Checkpoint(), spec)], []):
        with pytest.raises(UnfitCorpus), placed_in(asked):  # type: ignore[arg-type]
            refuse_corpus(spec, EspeakCorpusParams(path=UNREAD, durations=False))
