"""Training on shards is training on the corpus that they were made from."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel, ModelSpec, load_spec
from kokoro_core.contracts import Corpus, Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.model import TrainingBatch
from kokoro_core.params.features import Feature
from kokoro_plugins.shards.tar_files import TarReader
from kokoro_plugins.training.data.batching import Position
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.length_trial import check_lengths
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.settings import TrainingSettings
from kokoro_plugins.training.vocoder.data import VocoderData
from tests.kokoro_plugins.shards.conftest import AUDIO, ListCorpus, Write, open_shards
from tests.kokoro_plugins.shards.tiled import tile
from tests.kokoro_plugins.training.conftest import SMALL

FEATURES = {"pitch": Feature(per="frame"), "mark": Feature(per="phoneme", kind="index", width=2)}


def small_spec(changed: dict[str, object]) -> ModelSpec:
    """Return a small model of the symbols and mels of these tests."""
    ours = {"vocab_size": 8, "mel_dim": 20, "frontend": None, "vocoder": None, "audio.n_mels": 20}
    return load_spec("voice", overrides={**SMALL, **ours, **changed})


def speech(corpus: Corpus, workers: int = 0, **settings: object) -> AlignedSpeech:
    chosen = {"batch_frames": 200, "features": FEATURES, "workers": workers, **settings}
    return AlignedSpeech(corpus=corpus, audio=AUDIO, pad_id=0, vocab_size=8, **chosen)  # type: ignore[arg-type]


def batches(data: AlignedSpeech) -> Iterator[TrainingBatch]:
    data.endless(accumulate=1)
    return iter(data.train_dataloader())


def assert_same(found: TrainingBatch, wanted: TrainingBatch) -> None:
    for name, value in vars(wanted).items():
        other = getattr(found, name)
        if isinstance(value, dict):
            assert all(torch.equal(other[key], value[key]) for key in value)
        elif value is not None:
            assert torch.equal(other, value), name


@pytest.mark.parametrize("keeps_mels", [True, False], ids=["kept", "made"])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_corpus_to_the_bit_over_epochs(
    corpus: ListCorpus, write: Write, keeps_mels: bool, workers: int
) -> None:
    path = write(keeps_mels=keeps_mels, keeps_recordings=not keeps_mels)
    of_corpus, of_shards = speech(corpus), speech(open_shards(path), workers)
    count = 3 * len(of_corpus.order.epoch(0))
    pairs = zip(batches(of_shards), batches(of_corpus), strict=False)
    for found, wanted in itertools.islice(pairs, count):
        assert_same(found, wanted)
    for found, wanted in zip(of_shards.val_dataloader(), of_corpus.val_dataloader(), strict=True):
        assert_same(found, wanted)


def test_a_model_trained_on_shards_is_the_one_trained_on_the_corpus(
    corpus: ListCorpus, write: Write
) -> None:
    spec = small_spec({})

    def train(source: Corpus) -> dict[str, torch.Tensor]:
        seed_everything(3)
        model = KokoroModel.from_spec(spec)
        fit(model, speech(source, features={}, seed=3), StepBudget(6), TrainingSettings())
        return model.state_dict()

    of_corpus, of_shards = train(corpus), train(open_shards(write()))
    assert all(torch.equal(of_corpus[name], of_shards[name]) for name in of_corpus)


@pytest.mark.parametrize("files_at_once", [None, 2], ids=["global", "files"])
@pytest.mark.parametrize("done", [1, 4, 11])
def test_it_goes_on_at_the_very_sample_in_another_process_too(
    write: Write, files_at_once: int | None, done: int
) -> None:
    path = write()
    whole = list(
        itertools.islice(batches(speech(open_shards(path, files_at_once=files_at_once))), 15)
    )
    stopped = speech(open_shards(path, files_at_once=files_at_once))
    stopped.move_on(done)
    again = speech(open_shards(path, files_at_once=files_at_once), workers=1)
    again.load_state_dict(stopped.state_dict())
    assert again.position != Position()
    for found, wanted in zip(batches(again), whole[done:], strict=False):
        assert_same(found, wanted)


def test_a_vocoder_trains_on_the_same_crops(corpus: ListCorpus, write: Write) -> None:
    shards = open_shards(write(keeps_recordings=True))
    chosen = {"audio": AUDIO, "rows": 3, "crop_frames": 8}
    of_corpus, of_shards = (VocoderData(corpus=each, **chosen) for each in (corpus, shards))  # type: ignore[arg-type]
    for each in (of_corpus, of_shards):
        each.endless(accumulate=1)
    pairs = zip(of_shards.train_dataloader(), of_corpus.train_dataloader(), strict=False)
    for found, wanted in itertools.islice(pairs, 8):
        assert torch.equal(found.mel_specs, wanted.mel_specs)
        assert torch.equal(found.wave, wanted.wave)


def test_utterances_that_are_too_long_for_the_model_are_named_and_few_are_read(
    write: Write, reads: list[int], utterances: list[Utterance]
) -> None:
    limit = sorted(len(each.mel) for each in utterances)[-4]
    longest = [each for each in utterances if len(each.mel) > limit]
    assert 1 <= len(longest) <= 3
    model = KokoroModel.from_spec(small_spec({"decoder.positional_encoding.max_len": limit}))
    data = speech(open_shards(write()), features={})
    reads.clear()
    message = f"{len(longest)} of 23 utterances are too long for the model: "
    with pytest.raises(CorpusError, match=message) as said:
        check_lengths(model, data)
    assert all(f"`{each.name}` ({len(each.mel)} frames" in str(said.value) for each in longest)
    assert len(reads) < 12


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each read of a shard."""
    sizes: list[int] = []
    read = TarReader.read

    def counted(self: TarReader, shard: int, offset: int, size: int, crc: int, name: str) -> bytes:
        sizes.append(size)
        return read(self, shard, offset, size, crc, name)

    monkeypatch.setattr(TarReader, "read", counted)
    return sizes


def test_before_the_first_batch_sixteen_utterances_are_read_and_each_once_an_epoch(
    write: Write, reads: list[int]
) -> None:
    data = speech(open_shards(write()))
    assert len(reads) == 16
    made = batches(data)
    reads.clear()
    for _ in data.order.epoch(0):
        next(made)
    assert len(reads) == 19


def test_memory_stays_flat_over_an_epoch(write: Write, tmp_path: Path) -> None:
    tile(write(), tmp_path / "large", 2000, held_out=0)
    data = speech(open_shards(tmp_path / "large"), batch_frames=500)
    made = batches(data)
    next(made)
    mels = 0
    tracemalloc.start()  # it sees what Python and NumPy hold, as which all mels are read
    try:
        for _ in data.order.epoch(0)[1:]:
            mels += next(made).mel_specs.nbytes
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mels > 3e6
    assert peak < mels / 10


def resident() -> dict[str, int]:
    """Return bytes of this process's memory: its own, and those of files that are mapped."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return {
        line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["small", "million"]
)
def test_an_index_of_a_million_utterances_is_mapped_and_next_to_nothing_is_read(
    write: Write, tmp_path: Path, reads: list[int], count: int
) -> None:
    tile(write(), tmp_path / "large", count, held_out=100)
    before = resident()
    shards = open_shards(tmp_path / "large")
    opened = resident()
    own = opened["RssAnon"] - before["RssAnon"]
    assert own < 8 * 2**20
    assert own + opened["RssFile"] - before["RssFile"] < 200e6
    assert len(shards) == count
    assert not reads
    data = speech(shards, batch_frames=2000)
    assert len(reads) == 16
    assert resident()["RssAnon"] - before["RssAnon"] < 32 * 2**20
    batch = next(batches(data))
    assert len(reads) == 16 + len(batch)
    assert sum(map(len, data.order.epoch(0))) == count - 100
    # the order of an epoch: an int and a pointer for each utterance, and what sorting needs
    assert resident()["RssAnon"] - before["RssAnon"] < 32 * 2**20 + 150 * count
