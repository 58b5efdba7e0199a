"""A shard that is missing, cut off or changed, and an index that is none: each a sentence."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from safetensors.numpy import save

from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.shards.checking import check
from kokoro_plugins.shards.corpus import ShardCorpus
from kokoro_plugins.shards.header import INDEX, MOST_BYTES, read_header
from kokoro_plugins.shards.params import ShardCorpusParams
from tests.kokoro_plugins.shards.conftest import AUDIO, SYMBOLS, Symbols, Write, open_shards

SHARD = "shard-00002.tar"


def flip(path: Path, place: int) -> None:
    """Change one bit of a file, and neither its size nor its time on purpose."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_missing_shard_is_named_as_the_corpus_is_opened(write: Write) -> None:
    path = write()
    (path / SHARD).unlink()
    with pytest.raises(
        CorpusError,
        match=rf"has 1 files that are not those of its(.|\n)*{SHARD}` cannot be read: No such file",
    ):
        open_shards(path)
    assert "cannot be read" in check(path)[0]


def test_a_shard_that_is_cut_off_or_longer_is_named_as_the_corpus_is_opened(write: Write) -> None:
    path = write()
    size = (path / SHARD).stat().st_size
    (path / SHARD).write_bytes((path / SHARD).read_bytes()[:-512])
    with pytest.raises(CorpusError, match=f"is cut off: it has {size - 512:,} bytes, not {size:,}"):
        open_shards(path)
    (path / SHARD).write_bytes(bytes(size + 1))
    with pytest.raises(CorpusError, match=f"was changed: it has {size + 1:,} bytes, not {size:,}"):
        open_shards(path)


def test_many_problems_are_counted(write: Write) -> None:
    path = write(per_shard=1)
    for each in path.glob("*.tar"):
        each.unlink()
    with pytest.raises(CorpusError, match=r"has 23 files (.|\n)*… and 13 more\."):
        open_shards(path)


def test_a_changed_bit_is_found_where_it_is_read_and_by_the_check(write: Write) -> None:
    path = write()
    assert check(path) == []
    shards = open_shards(path)
    row = 11
    columns = shards._index.columns
    number, offset = int(columns["shard"][row]), int(columns["offset"][row])
    file = path / f"shard-0000{number}.tar"
    flip(file, offset + 700)
    with pytest.raises(CorpusError, match=rf"`.*{file.name}` is not what was written at `u11`"):
        open_shards(path)[row]
    others = [row for row in range(23) if row != 11]
    assert [open_shards(path)[each].name for each in others] == [f"u{each}" for each in others]
    assert check(path) == [f"`{file.name}` is not what was written; damaged are `u11`."]


def test_a_changed_end_is_of_no_utterance(write: Write) -> None:
    path = write()
    flip(path / SHARD, -1)
    assert check(path) == [
        f"`{SHARD}` is not what was written; damaged are none of its utterances."
    ]


def test_a_shard_that_is_cut_off_while_it_is_read_is_said(write: Write) -> None:
    path = write()
    shards = open_shards(path)
    for each in path.glob("*.tar"):
        with each.open("r+b") as file:
            file.truncate(100)
    with pytest.raises(CorpusError, match="it was changed, cut off or damaged"):
        shards[3]


def test_a_shard_that_goes_while_it_is_read_is_said(write: Write) -> None:
    path = write()
    shards = open_shards(path)
    for each in path.glob("*.tar"):
        each.unlink()
    with pytest.raises(CorpusError, match="cannot be read at `u3`: No such file"):
        shards[3]


def test_a_changed_index_is_said_wherever_it_was_changed(write: Write) -> None:
    path = write()
    whole = (path / INDEX).read_bytes()
    for place in range(0, len(whole), 97):
        flip(path / INDEX, place)
        with pytest.raises(CorpusError, match=r"is damaged|is no index of shards, or is damaged"):
            open_shards(path)
        (path / INDEX).write_bytes(whole)
    assert len(open_shards(path)) == 23


def test_an_index_that_is_cut_off_is_said(write: Write) -> None:
    path = write()
    content = (path / INDEX).read_bytes()
    for size in (0, 7, 8, 100, len(content) - 1):
        (path / INDEX).write_bytes(content[:size])
        with pytest.raises(CorpusError, match="damaged"):
            open_shards(path)


def test_a_header_without_end_is_not_read(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(struct.pack("<Q", MOST_BYTES + 1) + b"{")
    with pytest.raises(CorpusError, match="a header of 67,108,865 bytes"):
        read_header(tmp_path / INDEX)


def test_an_index_of_another_version_is_said(write: Write) -> None:
    path = write()
    text = read_header(path / INDEX)[0].model_copy(update={"format": 9}).model_dump_json()
    sealed = f"{hashlib.sha256(text.encode()).hexdigest()} {text}"
    (path / INDEX).write_bytes(save({"frames": np.zeros(2)}, {"kokoro-shards": sealed}))
    with pytest.raises(CorpusError, match="is an index of format 9, and this version of kokoro-"):
        open_shards(path)


def test_a_folder_without_an_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no index.safetensors, so it holds no shards"):
        open_shards(tmp_path)


def test_mels_of_other_settings_are_refused_and_mean_and_std_do_not_count(write: Write) -> None:
    path = write()
    other = AUDIO.model_copy(update={"hop_length": 200, "mean": 0.0})
    with pytest.raises(CorpusError, match=r"other mels than these: hop_length: 256 against 200 \("):
        ShardCorpus(path=path, audio=other, symbols=SYMBOLS)
    same = AudioSettings(n_mels=20, mean=0.0, std=9.0)
    assert len(ShardCorpus(path=path, audio=same, symbols=SYMBOLS)) == 23


def test_params_say_what_there_is_without_reading_an_utterance(write: Write) -> None:
    path = write(keeps_recordings=True)
    for each in path.glob("*.tar"):
        each.unlink()
    params = ShardCorpusParams(path=str(path))
    assert params.has_durations
    assert params.gives_features == {"speaker", "level", "mark", "pitch", "wave"}
    assert params.gives_names == {"speaker": {"Ada", "Bo"}}


@pytest.mark.parametrize(("order", "at_once"), [("global", None), ("files", 3)])
def test_params_say_in_which_order_training_reads(
    write: Write, order: Literal["global", "files"], at_once: int | None
) -> None:
    params = ShardCorpusParams(path=str(write()), order=order, files_at_once=3)
    facts = params.build(audio=AUDIO, frontend=Symbols()).facts()
    assert facts is not None
    if at_once is None:
        assert facts.files is None
        return
    assert facts.files is not None
    assert facts.files_at_once == at_once
    assert [list(facts.files).count(number) for number in range(5)] == [5, 5, 5, 5, 3]


def test_params_of_a_folder_without_an_index_say_it_as_the_corpus_is_built(tmp_path: Path) -> None:
    params = ShardCorpusParams(path=str(tmp_path))
    assert params.has_durations
    assert params.gives_features == frozenset()
    assert params.gives_names == {}
    with pytest.raises(CorpusError, match="holds no shards"):
        params.build(audio=AUDIO, frontend=Symbols())
