import itertools
import warnings
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.training.data.collate import check_utterances, collate, denormalise, normalise
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.orders import EpochOrder
from kokoro_plugins.training.data.statistics import measure
from kokoro_plugins.training.loop.trainer import quieten
from tests.kokoro_plugins.training.conftest import ListCorpus

AUDIO = AudioSettings(mean=-4.0, std=2.0)


def test_a_batch_holds_each_utterance_and_padding(utterance):
    short, long = utterance("short", [2, 0, 1]), utterance("long", [1, 3, 2, 4], seed=1)
    batch = collate([short, long], AUDIO, pad_id=0)
    assert len(batch) == 2
    assert batch.lengths.tolist() == [3, 10]
    assert batch.phoneme_indices.tolist() == [
        [*short.phoneme_indices.tolist(), 0],
        long.phoneme_indices.tolist(),
    ]
    assert batch.durations is not None
    assert batch.durations.tolist() == [[2, 0, 1, 0], [1, 3, 2, 4]]
    assert batch.padding_mask.tolist() == [[False, False, False, True], [False] * 4]
    assert batch.mel_padding_mask.tolist() == [[False] * 3 + [True] * 7, [False] * 10]
    expected = (short.mel.double().numpy() + 4.0) / 2.0
    np.testing.assert_allclose(batch.mel_specs[0, :3].numpy(), expected, atol=1e-6)
    assert batch.mel_specs[0, 3:].abs().max() == 0


def test_the_padding_index_of_the_spec_fills_the_phonemes(utterance):
    rows = [utterance("a", [1]), utterance("b", [1, 1])]
    rows = [replace(u, phoneme_indices=torch.full_like(u.phoneme_indices, 5)) for u in rows]
    batch = collate(rows, AUDIO, pad_id=7)
    assert batch.phoneme_indices.tolist() == [[5, 7], [5, 5]]


def test_normalising_can_be_undone():
    mel = torch.randn(4, 80, dtype=torch.float64)
    torch.testing.assert_close(denormalise(normalise(mel, AUDIO), AUDIO), mel)


def test_a_batch_moves_whole(utterance):
    moved = collate([utterance("a", [2])], AUDIO, pad_id=0).to("meta")
    tensors = [each for each in vars(moved).values() if isinstance(each, torch.Tensor)]
    assert len(tensors) == 6
    assert {each.device.type for each in tensors} == {"meta"}


def broken(utterance, what):
    fine = utterance("odd", [2, 3])
    return {
        "sum": replace(fine, durations=torch.tensor([2, 4])),
        "count": replace(fine, phoneme_indices=torch.tensor([4, 5, 6])),
        "negative": replace(fine, durations=torch.tensor([-1, 6])),
        "padding": replace(fine, phoneme_indices=torch.tensor([4, 0])),
        "channels": replace(fine, mel=torch.zeros(5, 40)),
        "nan": replace(fine, mel=torch.full((5, 80), float("nan"))),
    }[what]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("sum", "`odd` has durations of 6 frames in sum, but its mel has 5"),
        ("count", "`odd` has 3 phonemes but 2 durations"),
        ("negative", "`odd` has a duration of -1; durations are 0 or more"),
        ("padding", "`odd` has the phoneme index 0, which means padding"),
        ("channels", r"`odd` has a mel of shape \(5, 40\), which must be \(T, 80\)"),
        ("nan", "`odd` has a mel with a NaN or an infinity"),
    ],
)
def test_an_utterance_that_does_not_fit_is_refused_by_name(utterance, what, message):
    with pytest.raises(CorpusError, match=message):
        collate([utterance("fine", [1]), broken(utterance, what)], AUDIO, pad_id=0)


def test_every_problem_is_in_one_message(utterance):
    rows = [broken(utterance, "sum"), replace(broken(utterance, "padding"), name="other")]
    with pytest.raises(CorpusError, match=r"`odd` has durations of.*\n`other` has the phoneme"):
        check_utterances(rows, AUDIO, pad_id=0)


def test_statistics_are_those_of_all_mels_joined(corpus):
    figures = measure(corpus)
    joined = np.concatenate([each.mel.double().numpy() for each in corpus])
    assert figures.lengths == tuple(len(each.mel) for each in corpus)
    assert figures.frames == len(joined)
    assert figures.mean == pytest.approx(joined.mean(), rel=1e-9)
    assert figures.std == pytest.approx(joined.std(), rel=1e-9)
    np.testing.assert_allclose(figures.mean_frame.numpy(), joined.mean(0), rtol=1e-5)


def test_statistics_of_nothing_are_refused():
    with pytest.raises(ValueError, match="`utterances` must hold at least one"):
        measure([])


def data_of(corpus, **options):
    return AlignedSpeech(corpus=corpus, audio=AUDIO, pad_id=0, **options)


def test_the_last_utterances_are_held_out(corpus):
    data = data_of(corpus, holdout=3)
    assert [each.name for each in data.training] == [f"u{i}" for i in range(9)]
    assert [each.name for each in data.held_out] == ["u9", "u10", "u11"]


def test_validation_sees_each_held_out_utterance_once(corpus):
    data = data_of(corpus, holdout=5, batch_frames=90)
    for _ in range(2):
        lengths = [length for batch in data.val_dataloader() for length in batch.lengths.tolist()]
        assert sorted(lengths) == [len(each.mel) for each in data.held_out]


def test_training_batches_keep_to_the_frames_and_see_everything(corpus):
    data = data_of(corpus, holdout=0, batch_frames=100)
    seen: list[int] = []
    for batch in data.train_dataloader():
        assert len(batch) * batch.mel_specs.shape[1] <= 100
        seen += batch.lengths.tolist()
        if len(seen) == len(corpus):
            break
    assert sorted(seen) == sorted(len(each.mel) for each in corpus)
    assert 0 <= data.padding_share < 0.5


@pytest.mark.parametrize("holdout", [-1, 12, 100])
def test_holding_everything_out_is_refused(corpus, holdout):
    with pytest.raises(ValueError, match=f"`holdout` must be from 0 to 11, not {holdout}"):
        data_of(corpus, holdout=holdout)


def test_a_corpus_is_checked_before_training(corpus, utterance):
    corpus.utterances[4] = broken(utterance, "sum")
    with pytest.raises(CorpusError, match="`odd` has durations of 6 frames"):
        data_of(corpus, holdout=2)


def test_a_batch_on_the_grid_is_the_same_batch_padded_further(utterance):
    rows = [utterance("short", [2, 3]), utterance("long", [9, 9])]
    plain = collate(rows, AUDIO, pad_id=0)
    grid = collate(rows, AUDIO, pad_id=0, grid_up_to=(100, 100))
    assert grid.durations is not None
    assert plain.durations is not None
    assert grid.mel_specs.shape[:2] == (2, 32)
    assert grid.phoneme_indices.shape == grid.durations.shape == (2, 8)
    assert torch.equal(grid.mel_specs[:, :18], plain.mel_specs)
    assert torch.equal(grid.durations[:, :2], plain.durations)
    assert bool(grid.mel_padding_mask[:, 18:].all())
    assert bool(grid.padding_mask[:, 2:].all())
    assert (grid.mel_specs[:, 18:] == 0).all()


def test_the_grid_ends_at_the_longest_utterance_so_that_whatever_fits_goes_on_to_fit(utterance):
    rows = [utterance("short", [2, 3]), utterance("long", [9, 9])]
    capped = collate(rows, AUDIO, pad_id=0, grid_up_to=(18, 2))
    assert capped.mel_specs.shape[:2] == (2, 18)
    assert capped.phoneme_indices.shape == (2, 2)
    data = AlignedSpeech(corpus=ListCorpus(rows), audio=AUDIO, pad_id=0, holdout=0)
    [batch] = itertools.islice(data.train_dataloader(), 1)
    assert batch.mel_specs.shape[:2] == (2, 18)


def test_workers_give_the_batches_that_one_process_gives(corpus):
    batches = []
    for workers in (0, 2):
        data = data_of(corpus, holdout=3, batch_frames=90, workers=workers)
        data.endless(accumulate=1)
        batches.append(list(itertools.islice(data.train_dataloader(), 7)))
    for one, two in zip(*batches, strict=True):
        for name, value in vars(one).items():
            other = getattr(two, name)
            same = torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other
            assert same, name


def test_workers_draw_nothing_from_torch(corpus):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    next(iter(data_of(corpus, holdout=3, workers=1).train_dataloader()))
    assert torch.equal(torch.rand(3), expected)


def test_training_goes_on_where_it_was(corpus):
    data = data_of(corpus, holdout=0, batch_frames=90)
    data.endless(accumulate=1)
    whole = list(itertools.islice(data.train_dataloader(), 12))
    data.move_on(3)
    data.move_on(4)
    other = data_of(corpus, holdout=0, batch_frames=90)
    other.load_state_dict(data.state_dict())
    other.endless(accumulate=1)
    for batch, expected in zip(other.train_dataloader(), whole[7:], strict=False):
        assert torch.equal(batch.mel_specs, expected.mel_specs)


@pytest.mark.parametrize("part", ["name", "phoneme_indices", "durations", "mel"])
def test_the_fingerprint_sees_every_part_of_an_utterance(corpus, part):
    before = data_of(corpus, holdout=2).fingerprint
    assert data_of(corpus, holdout=2).fingerprint == before
    odd = corpus.utterances[11]
    changes = {
        "name": "other",
        "phoneme_indices": odd.phoneme_indices.flip(0),
        "durations": odd.durations.flip(0),
        "mel": odd.mel.flip(0),
    }
    corpus.utterances[11] = replace(odd, **{part: changes[part]})
    assert data_of(corpus, holdout=2).fingerprint != before


class Counting(ListCorpus):
    """Counts how often each utterance is made."""

    def __init__(self, utterances):
        super().__init__(utterances)
        self.asked = [0] * len(self.utterances)

    def __getitem__(self, index):
        self.asked[index] += 1
        return super().__getitem__(index)


def test_every_utterance_is_made_once_before_the_first_batch(corpus):
    counting = Counting(corpus.utterances)
    data = data_of(counting, holdout=3)
    data.val_dataloader()
    iter(data.train_dataloader())
    assert data.fingerprint
    assert counting.asked == [1] * 12


def test_an_index_beyond_the_symbols_of_the_model_is_refused_by_name(corpus, utterance):
    odd = utterance("odd", [2, 3])
    corpus.utterances[11] = replace(odd, phoneme_indices=torch.tensor([1, 63]))
    with pytest.raises(CorpusError, match=r"`odd` has the phoneme index 63, but .* from 0 to 62; "):
        data_of(corpus, holdout=2, vocab_size=63)
    corpus.utterances[11] = replace(odd, phoneme_indices=torch.tensor([-1, 5]))
    with pytest.raises(CorpusError, match="`odd` has the phoneme index -1"):
        data_of(corpus, holdout=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mel": torch.zeros(5, 80).half()}, "`mel` of torch.float16, which must be torch.float32"),
        ({"durations": torch.tensor([2.0, 3.0])}, "`durations` of torch.float32, which must be"),
        ({"phoneme_indices": torch.zeros(0).long()}, "`phoneme_indices` of length 0"),
    ],
)
def test_tensors_of_a_type_that_no_model_takes_are_refused(utterance, changes, message):
    with pytest.raises(CorpusError, match=f"`odd` has {message}"):
        collate([replace(utterance("odd", [2, 3]), **changes)], AUDIO, pad_id=0)


def test_of_many_problems_the_first_are_listed_and_all_are_counted(utterance):
    rows = [replace(broken(utterance, "sum"), name=f"odd{i}") for i in range(50)]
    with pytest.raises(CorpusError, match="`odd19` has") as refused:
        data_of(ListCorpus(rows), holdout=1)
    lines = str(refused.value).splitlines()
    assert lines[-1] == "and 30 problems more, 50 in all."
    assert len(lines) == 21


def test_an_epoch_of_ones_own_trainer_ends_and_holds_everything_once(corpus):
    loader = data_of(corpus, holdout=0, batch_frames=90).train_dataloader()
    epochs = [list(loader) for _ in range(2)]
    orders = [[batch.lengths.tolist() for batch in epoch] for epoch in epochs]
    for order in orders:
        assert len(order) == len(loader)
        assert sorted(itertools.chain(*order)) == sorted(len(each.mel) for each in corpus)
    assert orders[0] != orders[1]
    loader.sampler.set_epoch(0)
    assert [batch.lengths.tolist() for batch in loader] == orders[0]


def test_processes_take_equally_many_batches_of_an_epoch():
    shares = [list(EpochOrder([[0], [1], [2]], 0, rank, 2)) for rank in range(2)]
    assert [len(each) for each in shares] == [2, 2]
    assert {each.indices[0] for share in shares for each in share} == {0, 1, 2}


def test_a_trainer_of_ones_own_ends_after_its_epochs(corpus, small_spec):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = KokoroModel.from_spec(small_spec)
            self.frames = 0

        def training_step(self, batch, index):
            self.frames += int(batch.lengths.sum())
            return self.model(batch).loss

        def validation_step(self, batch, index):
            self.model(batch)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-3)

    quieten()
    module, data = Module(), data_of(corpus, holdout=3, batch_frames=90)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*num_workers.*")
        trainer.fit(module, datamodule=data)
    assert trainer.current_epoch == 2
    assert module.frames == 2 * data.statistics.frames
