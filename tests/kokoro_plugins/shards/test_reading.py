"""What is read from shards is what was written, whoever reads it."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kokoro_core.contracts import Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.shards.corpus import ShardCorpus
from kokoro_plugins.shards.tar_files import MOST_OPEN, TarReader
from tests.kokoro_plugins.shards.conftest import (
    AUDIO,
    SYMBOLS,
    ListCorpus,
    Symbols,
    Write,
    assert_equal,
    open_shards,
)

FEATURES = ("level", "mark", "pitch")


@pytest.mark.parametrize("keeps_mels", [True, False])
@pytest.mark.parametrize("keeps_recordings", [True, False])
def test_utterances_come_back_to_the_bit_in_their_order(
    utterances: list[Utterance], write: Write, keeps_mels: bool, keeps_recordings: bool
) -> None:
    if not (keeps_mels or keeps_recordings):
        return
    shards = open_shards(write(keeps_mels=keeps_mels, keeps_recordings=keeps_recordings))
    assert len(shards) == 23
    assert shards.held_out == 4
    features = (*FEATURES, "wave") if keeps_recordings else FEATURES
    for found, wanted in zip(shards, utterances, strict=True):
        assert_equal(found, wanted, features)
        assert found.features["speaker"] == wanted.features["speaker"]
        assert set(found.features) == {*features, "speaker"}
        assert len(found.features) == len(features) + 1


def test_indices_count_from_the_end_too_and_none_is_beyond(write: Write) -> None:
    shards = open_shards(write())
    assert shards[-1].name == shards[22].name == "u22"
    for index in (23, -24):
        with pytest.raises(IndexError, match=f"`index` must be below 23, not {index}"):
            shards[index]


def test_a_feature_that_was_not_written_is_a_key_error(write: Write) -> None:
    with pytest.raises(KeyError, match="'energy'"):
        open_shards(write())[0].features["energy"]
    with pytest.raises(KeyError, match="'wave'"):
        open_shards(write())[0].features["wave"]


def test_mels_that_are_kept_are_never_made(
    write: Write, monkeypatch: pytest.MonkeyPatch, utterances: list[Utterance]
) -> None:
    made: list[int] = []
    forward = MelSpectrogram.forward

    def counted(self: MelSpectrogram, samples: torch.Tensor) -> torch.Tensor:
        made.append(len(samples))
        return forward(self, samples)

    monkeypatch.setattr(MelSpectrogram, "forward", counted)
    kept = open_shards(write("kept"))
    made_anew = open_shards(write("made", keeps_mels=False, keeps_recordings=True))
    for _ in kept, kept.facts():
        list(kept)
    assert not made
    made_anew.facts()
    list(made_anew)
    assert made == [len(each.mel) * AUDIO.hop_length for each in utterances]


def test_utterances_without_durations_stay_without(
    write: Write, utterances: list[Utterance]
) -> None:
    bare = [Utterance(u.name, u.text, u.phoneme_indices, None, u.mel) for u in utterances]
    shards = open_shards(write(source=ListCorpus(bare), features=()))
    assert all(each.durations is None for each in shards)
    assert shards.durations_of(0) is None
    assert shards.facts().aligned == 0


def test_durations_are_read_alone(write: Write, utterances: list[Utterance]) -> None:
    found = open_shards(write()).durations_of(7)
    assert found is not None
    assert found.tolist() == utterances[7].durations.tolist()  # type: ignore[union-attr]


def test_a_frontend_with_the_symbols_in_another_order_gets_its_own_indices(
    write: Write, utterances: list[Utterance]
) -> None:
    other = ("?", *reversed(SYMBOLS))
    shards = open_shards(write(), other)
    for found, wanted in zip(shards, utterances, strict=True):
        spoken = [SYMBOLS[index] for index in wanted.phoneme_indices.tolist()]
        assert [other[index] for index in found.phoneme_indices.tolist()] == spoken
    used = {index for each in shards for index in each.phoneme_indices.tolist()}
    assert shards.facts().phoneme_indices == used


def test_symbols_that_the_frontend_lacks_are_named(write: Write) -> None:
    with pytest.raises(CorpusError, match=r"has the symbols 'd', '\|', which the frontend of"):
        open_shards(write(), SYMBOLS[:4] + SYMBOLS[5:7])


def test_any_tar_tool_reads_them(write: Write, utterances: list[Utterance]) -> None:
    path = write(keeps_recordings=True)
    seen = set()
    for file in sorted(path.glob("*.tar")):
        with tarfile.open(file) as tar:
            names = tar.getnames()
            contents = {name: tar.extractfile(name).read() for name in names}  # type: ignore[union-attr]
        for name in [each for each in names if each.endswith(".json")]:
            key = name.removesuffix(".json")
            wanted = utterances[int(key)]
            said = json.loads(contents[name])
            assert said["name"] == wanted.name
            assert [SYMBOLS.index(each) for each in said["symbols"]] == (
                wanted.phoneme_indices.tolist()
            )
            assert wanted.audio_path is not None
            assert contents[f"{key}.wav"] == wanted.audio_path.read_bytes()
            seen.add(int(key))
    assert seen == set(range(23))


def test_the_facts_are_what_reading_shows(write: Write, utterances: list[Utterance]) -> None:
    facts = open_shards(write()).facts()
    mels = torch.cat([each.mel for each in utterances]).double().numpy()
    assert list(facts.frames) == [len(each.mel) for each in utterances]
    assert list(facts.phonemes) == [len(each.phoneme_indices) for each in utterances]
    assert facts.aligned == 23
    assert facts.mel_mean == pytest.approx(mels.mean(), rel=1e-9)
    assert facts.mel_std == pytest.approx(mels.std(), rel=1e-9)
    np.testing.assert_allclose(facts.mean_frame.numpy(), mels.mean(0), rtol=1e-5)
    assert facts.names == {"speaker": {"Ada", "Bo"}}
    pitch = torch.cat([each.features["pitch"] for each in utterances]).double()
    found = facts.features["pitch"]
    assert (found.count, found.least, found.most) == (
        len(pitch),
        float(pitch.min()),
        float(pitch.max()),
    )
    assert found.total == pytest.approx(float(pitch.sum()), rel=1e-9)
    assert found.squares == pytest.approx(float(pitch.square().sum()), rel=1e-9)
    assert facts.features["level"].most == 22
    assert facts.keeps_mels
    assert facts.files is None


def test_the_fingerprint_differs_if_one_number_of_one_mel_does(
    write: Write, utterances: list[Utterance]
) -> None:
    before = open_shards(write("a")).facts().fingerprint
    assert before == open_shards(write("b")).facts().fingerprint
    changed = list(utterances)
    mel = changed[3].mel.clone()
    mel[0, 0] += 1e-3
    changed[3] = Utterance(**{**vars(changed[3]), "mel": mel})
    other = open_shards(write("c", ListCorpus(changed, held_out=4)))
    assert other.facts().fingerprint != before


def test_a_process_that_is_sent_the_corpus_opens_it_itself(write: Write) -> None:
    shards = open_shards(write())
    shards[0]
    sent = pickle.dumps(shards)
    assert len(sent) < 2000  # where it is, not what it holds
    again = pickle.loads(sent)
    assert torch.equal(again[5].mel, shards[5].mel)


def _read_all(path: Path, answers: multiprocessing.Queue[float]) -> None:
    answers.put(float(sum(each.mel.double().sum() for each in OPENED[path])))


OPENED: dict[Path, ShardCorpus] = {}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_read_the_same_open_file_at_the_same_time(write: Write) -> None:
    path = write()
    OPENED[path] = shards = open_shards(path)
    wanted = float(sum(each.mel.double().sum() for each in shards))  # every file is open now
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [context.Process(target=_read_all, args=(path, answers)) for _ in range(3)]
    for each in processes:
        each.start()
    found = [answers.get(timeout=60) for _ in processes]
    for each in processes:
        each.join()
    assert found == [wanted] * 3


def test_no_more_files_are_kept_open_than_allowed(
    write: Write, monkeypatch: pytest.MonkeyPatch, utterances: list[Utterance]
) -> None:
    assert MOST_OPEN == 128
    monkeypatch.setattr("kokoro_plugins.shards.tar_files.MOST_OPEN", 2)
    shards = open_shards(write())
    names = [each.name for each in shards]
    assert names == [each.name for each in utterances]
    reader = shards._tar
    assert len(reader._open) == 2
    reader.close()
    assert isinstance(reader, TarReader)
    assert shards[4].name == "u4"


def test_the_frontend_of_the_tests_is_one() -> None:
    assert Symbols().encode("ab") == [1, 2]
