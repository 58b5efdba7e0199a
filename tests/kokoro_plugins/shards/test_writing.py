"""Shards are whole or not there, and the same call goes on."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kokoro_core.contracts import Utterance
from kokoro_core.durable.disk import open_folder
from kokoro_core.durable.lock import WriterLock
from kokoro_core.errors import CorpusError
from kokoro_plugins.shards.header import INDEX, PARTS
from kokoro_plugins.shards.packing import Packed
from kokoro_plugins.shards.writing import WriteSettings, shards_of, write_shards
from tests.kokoro_plugins.shards.conftest import SETTINGS, ListCorpus, Write, open_shards


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the lock, which has the writer's number."""
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file() and each.name != ".lock"
    }


def test_a_shard_has_so_many_utterances_and_each_is_in_one() -> None:
    rows = shards_of(23, 5)
    assert [len(each) for each in rows] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(rows).tolist()) == list(range(23))
    # NumPy promises the numbers of RandomState; the files of two machines are the same
    assert rows[0].tolist() == np.random.RandomState(0).permutation(23)[:5].tolist()


def test_the_same_corpus_gives_the_same_bytes(write: Write) -> None:
    assert contents(write("a")) == contents(write("b"))


def test_workers_write_the_same_bytes(write: Write, corpus: ListCorpus, tmp_path: Path) -> None:
    alone = write("a")
    write_shards(corpus, tmp_path / "b", SETTINGS, workers=2)
    assert contents(alone) == contents(tmp_path / "b")


def test_nothing_is_written_twice(write: Write, corpus: ListCorpus) -> None:
    path = write()
    before = {each: each.stat().st_mtime_ns for each in path.iterdir()}
    corpus.read.clear()
    assert not write_shards(corpus, path, SETTINGS)
    assert not corpus.read
    assert before[path / INDEX] == (path / INDEX).stat().st_mtime_ns


class Interrupted(Exception):
    """Stands for a kill."""


def stopping_after(number: int):
    def watch(packed: Iterator[Packed], total: int) -> Iterator[Packed]:
        for count, each in enumerate(packed):
            if count == number:
                raise Interrupted
            yield each

    return watch


@pytest.mark.parametrize("number", [0, 3, 5, 12, 22])
def test_a_writing_that_was_interrupted_goes_on_after_the_last_whole_shard(
    write: Write, corpus: ListCorpus, tmp_path: Path, number: int
) -> None:
    whole = contents(write("whole"))
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        write_shards(corpus, out, SETTINGS, watch=stopping_after(number))
    with pytest.raises(CorpusError, match=r"`.*out` holds shards that were not written to the end"):
        open_shards(out)
    corpus.read.clear()
    assert write_shards(corpus, out, SETTINGS)
    assert len(corpus.read) == 23 - 5 * (number // 5)
    assert contents(out) == whole


def _write_until_killed(corpus: ListCorpus, out: Path) -> None:
    def watch(packed: Iterator[Packed], total: int) -> Iterator[Packed]:
        for count, each in enumerate(packed):
            if count == 13:
                os.kill(os.getpid(), signal.SIGKILL)
            yield each

    write_shards(corpus, out, SETTINGS, watch=watch)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_writer_that_was_killed_leaves_nothing_half_written(
    write: Write, corpus: ListCorpus, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = multiprocessing.get_context("fork").Process(
        target=_write_until_killed, args=(corpus, out)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    whole = contents(write("whole"))
    left = {name: content for name, content in contents(out).items() if "/.tmp-" not in f"/{name}"}
    assert len(left) == 4  # two shards and their parts
    assert all(whole[name] == content for name, content in left.items())
    assert write_shards(corpus, out, SETTINGS)
    assert contents(out) == whole  # what the dead process had begun is gone too


def test_a_shard_without_its_part_of_the_index_is_not_taken_for_whole(
    write: Write, corpus: ListCorpus
) -> None:
    path = write()
    whole = contents(path)
    (path / INDEX).unlink()
    (path / PARTS / "shard-00001.safetensors").unlink()
    (path / "shard-00001.tar").write_bytes(b"half")
    part = path / PARTS / "shard-00002.safetensors"
    part.write_bytes(part.read_bytes()[:-8])
    corpus.read.clear()
    write_shards(corpus, path, SETTINGS)
    assert len(corpus.read) == 10
    assert contents(path) == whole


def test_a_shard_that_was_lost_is_written_again_alone(write: Write, corpus: ListCorpus) -> None:
    path = write()
    whole = contents(path)
    (path / "shard-00003.tar").unlink()
    corpus.read.clear()
    write_shards(corpus, path, SETTINGS)
    assert len(corpus.read) == 5
    assert contents(path) == whole


def test_two_writers_are_refused(write: Write, corpus: ListCorpus) -> None:
    path = write()
    with (
        open_folder(path) as folder,
        WriterLock(path).held(folder),
        pytest.raises(CorpusError, match=r"is being written to by process .* one writer at a time"),
    ):
        write_shards(corpus, path, SETTINGS)


def test_a_folder_with_something_else_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match=r"`.*shards` is not empty and holds no shards"):
        write()
    assert [each.name for each in (tmp_path / "shards").iterdir()] == ["thesis.txt"]


def test_somebody_elses_tar_files_are_left_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "shards" / PARTS).mkdir(parents=True)
    (tmp_path / "shards" / "shard-00000.tar").write_bytes(b"mine")
    with pytest.raises(CorpusError, match="is not empty and holds no shards"):
        write()
    assert (tmp_path / "shards" / "shard-00000.tar").read_bytes() == b"mine"


def test_a_copy_without_the_lock_is_still_a_folder_of_shards(
    write: Write, corpus: ListCorpus
) -> None:
    path = write()
    (path / ".lock").unlink()
    (path / "README").write_text("of whoever copied it")
    assert not write_shards(corpus, path, SETTINGS)
    (path / "shard-00000.tar").unlink()
    assert write_shards(corpus, path, SETTINGS)
    assert len(open_shards(path)) == 23


@pytest.mark.parametrize("changed", [{"per_shard": 4}, {"made_of": "x"}, {"features": ("mark",)}])
def test_shards_of_something_else_are_refused_or_written_anew(
    write: Write, corpus: ListCorpus, changed: dict[str, object]
) -> None:
    path = write()
    other = replace(SETTINGS, **changed)  # type: ignore[arg-type]
    before = contents(path)
    with pytest.raises(CorpusError, match="holds shards of other data or of other settings"):
        write_shards(corpus, path, other)
    assert contents(path) == before
    assert write_shards(corpus, path, other, anew=True)
    assert contents(path) == contents(write("fresh", **changed))


def test_what_does_not_fit_is_named_and_leaves_no_shard(
    write: Write, utterances: list[Utterance], tmp_path: Path
) -> None:
    bad = [*utterances]
    bad[2] = replace(bad[2], durations=torch.ones(99, dtype=torch.int64))
    bad[9] = replace(bad[9], mel=bad[9].mel * float("nan"))
    with pytest.raises(CorpusError) as caught:
        write(source=ListCorpus(bad), per_shard=50)
    assert "`u2` has 5 phonemes but 99 durations." in str(caught.value)
    assert "`u9` has a mel with a NaN or an infinity." in str(caught.value)
    assert not list((tmp_path / "shards").glob("*.tar"))


def test_features_must_have_one_form(write: Write, utterances: list[Utterance]) -> None:
    bad = list(utterances)
    bad[8] = replace(bad[8], features={**bad[8].features, "pitch": torch.ones(2, 3)})
    with pytest.raises(CorpusError, match=r"`u\d+` has `pitch` of the form \(.*others have as"):
        write(source=ListCorpus(bad), per_shard=50)
    with pytest.raises(CorpusError, match=r"`shard-0000\d.tar` has `pitch` of the form"):
        write(source=ListCorpus(bad), per_shard=1)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"speaker": "Ada"}, "`u0` has no feature `pitch`, which is to be written"),
        ({"pitch": torch.tensor([float("nan")])}, "`u0` has `pitch` with a NaN or an infinity"),
    ],
    ids=["none", "nan"],
)
def test_features_must_be_there_and_finite(
    write: Write, utterances: list[Utterance], features: dict[str, object], message: str
) -> None:
    bad = [replace(utterances[0], features=features)]
    with pytest.raises(CorpusError, match=message):
        write(source=ListCorpus(bad), features=("pitch",))


def test_recordings_must_be_files(write: Write, utterances: list[Utterance]) -> None:
    bad = [replace(each, audio_path=None) for each in utterances]
    with pytest.raises(CorpusError, match=r"`u.*` has no file with a recording, so only its mel"):
        write(source=ListCorpus(bad), keeps_recordings=True)


def test_names_must_occur_once(write: Write, utterances: list[Utterance]) -> None:
    with pytest.raises(CorpusError, match=r"`u3` is the name of more than one utterance \(1 such"):
        write(source=ListCorpus([*utterances, utterances[3]]))


def test_a_symbol_must_stand_for_one_index(write: Write) -> None:
    twice = ("<pad>", "a", "a", "c", "d", "ˈ", " ", "|")
    with pytest.raises(CorpusError, match="whose symbol stands for two indices"):
        write(symbols=twice)


@pytest.mark.parametrize(("said", "holdout", "count"), [(None, None, 1), (None, 6, 6), (4, 6, 6)])
def test_what_is_held_out_by_the_hash_of_its_name_comes_last(
    write: Write, utterances: list[Utterance], said: int | None, holdout: int | None, count: int
) -> None:
    shards = open_shards(write(source=ListCorpus(utterances, said), holdout=holdout))
    assert shards.held_out == count
    names = [each.name for each in utterances]
    least = set(sorted(names, key=lambda each: hashlib.sha256(each.encode()).digest())[:count])
    trained = [each for each in names if each not in least]
    held_out = [each for each in names if each in least]
    assert [each.name for each in shards] == trained + held_out
    lengths = {each.name: len(each.mel) for each in utterances}
    assert list(shards.facts().frames) == [lengths[each] for each in trained + held_out]


def test_settings_that_write_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="`per_shard` must be 1 or more, not 0"):
        replace(SETTINGS, per_shard=0)
    with pytest.raises(ValueError, match="`keeps_mels` and `keeps_recordings` must not both be"):
        WriteSettings(audio=SETTINGS.audio, symbols=(), keeps_mels=False)


def test_the_lock_is_all_that_a_writer_leaves_beside_shards_and_index(write: Write) -> None:
    names = sorted(os.listdir(write()))
    assert names == [".lock", INDEX, PARTS, *(f"shard-0000{number}.tar" for number in range(5))]
