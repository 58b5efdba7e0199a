"""The commands that write shards and read them through."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokoro_core import AudioSettings, load_spec
from kokoro_core.cli.app import main
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.slots import CorpusParams
from kokoro_plugins.shards.commands import state_of
from kokoro_plugins.shards.header import INDEX, Header, read_header
from kokoro_plugins.shards.params import ShardCorpusParams
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.params import FolderCorpusParams
from kokoro_plugins.speech.sentences import make_sentences
from tests.kokoro_plugins.shards.conftest import AUDIO, ListCorpus, Symbols, assert_equal
from tests.kokoro_plugins.training.built_corpus import corpus_of


def status(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    return int(left.value.code or 0)


def header_of(folder: Path) -> Header:
    return read_header(folder / INDEX)[0]


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sentences by espeak-ng, of which two are held out."""
    folder = tmp_path_factory.mktemp("shards") / "spoken"
    espeak, mel = Espeak("en-us"), MelSpectrogram(audio=AudioSettings())
    write_folder(folder, make_sentences(8, 0), espeak, mel)
    (folder / "held_out.txt").write_text("espeak-0002\nespeak-0005\n", encoding="utf-8")
    return folder


def test_a_folder_becomes_shards_that_give_the_same_utterances(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a folder"
    spec = load_spec("fastspeech2-small")
    command = ("shards", spoken, out, "--spec", "fastspeech2-small", "--per-shard", 3)
    assert status(*command, "--feature", "mark", "--feature", "wave") == 0
    said = capsys.readouterr().out
    assert f"{out}: shards written" in said
    assert f"kokoro-core train fastspeech2-small --corpus shards --data '{out}'" in said
    assert [each.utterances for each in header_of(out).shards] == [3, 3, 2]
    folder = corpus_of(spec, "folder", spoken)
    shards = corpus_of(spec, "shards", out)
    assert shards.held_out == folder.held_out == 2
    features = ("energy", "mark", "pitch", "wave")
    assert ShardCorpusParams(path=str(out)).gives_features == set(features)
    for found, wanted in zip(shards, folder, strict=True):
        assert_equal(found, wanted, features)
    assert status(*command, "--feature", "mark", "--feature", "wave") == 0
    assert "shards were there already" in capsys.readouterr().out
    assert status(*command) == 1
    assert "holds shards of other data or of other settings" in capsys.readouterr().err
    assert status("check-shards", out) == 0
    assert f"{out}: all is what was written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("store", "mels", "recordings"),
    [("mels", True, False), ("recordings", False, True), ("both", True, True), (None, True, False)],
)
def test_what_is_stored_is_chosen(
    spoken: Path, tmp_path: Path, store: str | None, mels: bool, recordings: bool
) -> None:
    chosen = ("--store", store) if store else ()
    assert status("shards", spoken, tmp_path / "out", *chosen, "--holdout", 3) == 0
    header = header_of(tmp_path / "out")
    assert (header.keeps_mels, header.keeps_recordings) == (mels, recordings)
    assert header.held_out == 3


def test_a_damaged_shard_is_an_exit_status(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert status("shards", spoken, out) == 0
    file = out / "shard-00000.tar"
    content = bytearray(file.read_bytes())
    content[600] ^= 1
    file.write_bytes(content)
    assert status("check-shards", out) == 1
    assert "`shard-00000.tar` is not what was written; damaged are" in capsys.readouterr().err


def test_prepare_writes_shards_beside_the_folder_and_again_after_a_change(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ("prepare", spoken, out, "--spec", "quick", "--workers", 0, "--shards")
    assert status(*command, "--holdout", 2) == 0
    said = capsys.readouterr().out
    assert f"train {out / 'spec.yaml'} --corpus shards --data {out / 'shards'} --minutes" in said
    spec = load_spec(out / "spec.yaml")
    folder, shards = (
        corpus_of(spec, kind, path) for kind, path in (("folder", out), ("shards", out / "shards"))
    )
    assert (len(shards), shards.held_out) == (8, 2)
    for found, wanted in zip(shards, folder, strict=True):
        assert_equal(found, wanted, ())
    first = header_of(out / "shards")
    assert status(*command, "--holdout", 2) == 0
    assert header_of(out / "shards") == first
    assert status(*command, "--holdout", 3) == 0
    assert header_of(out / "shards").held_out == 3


def test_a_corpus_that_is_only_read_says_so() -> None:
    params: CorpusParams = FolderCorpusParams(path="x")
    with pytest.raises(NotImplementedError, match="The corpus `folder` is only read"):
        params.write(ListCorpus([]), audio=AUDIO, frontend=Symbols())


def test_a_spec_without_a_frontend_is_refused(
    spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("shards", spoken, tmp_path / "out", "--set", "frontend=null") == 1
    assert "must have `audio` and `frontend`, by which a corpus is" in capsys.readouterr().err


def test_the_state_of_a_corpus_changes_with_any_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "wavs").mkdir()
    (tmp_path / "wavs" / "a.wav").write_bytes(b"12")
    before = state_of(tmp_path)
    assert [each[1] for each in before] == [2]
    (tmp_path / "wavs" / "b.wav").write_bytes(b"3")
    assert state_of(tmp_path) != before
    assert state_of(tmp_path / "wavs" / "a.wav")[0][1] == 2
    assert state_of(tmp_path / "nothing") == []
