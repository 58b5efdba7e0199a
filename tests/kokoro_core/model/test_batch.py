"""One record of a training batch: from collation, or from the public call, to the parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.model import TrainingBatch

SMALL = {"hidden_dim": 16, "encoder.num_layers": 1, "decoder.num_layers": 1}
DURATIONS = torch.tensor([[2, 1, 2], [1, 2, 0]])
BATCH = TrainingBatch(
    phoneme_indices=torch.tensor([[5, 6, 7], [8, 9, 0]]),
    padding_mask=torch.tensor([[False, False, False], [False, False, True]]),
    durations=DURATIONS,
    mel_specs=torch.linspace(-1, 1, 800).reshape(2, 5, 80),
    mel_padding_mask=torch.tensor([[False] * 5, [False] * 3 + [True] * 2]),
)


@pytest.fixture(scope="module")
def model() -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec("small", overrides=SMALL).eval()


@pytest.mark.parametrize("masks", [{}, {"padding_mask": BATCH.padding_mask}])
def test_the_public_call_fills_in_the_record_that_a_loader_makes(model, masks):
    made = model(BATCH.phoneme_indices, BATCH.mel_specs, BATCH.durations, **masks)
    whole = model(BATCH)
    for name in ("mel", "duration_pred", "stop_logits", "mel_padding_mask", "loss"):
        assert torch.equal(getattr(whole, name), getattr(made, name)), name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phoneme_indices": BATCH.phoneme_indices + 60}, "`phoneme_indices` must be from 0 to 62"),
        ({"durations": None}, "`phoneme_durations` is missing"),
        ({"durations": DURATIONS + 1}, "but row 0 has durations for 8 frames and a mel of 5"),
        ({"mel_specs": BATCH.mel_specs[:, :, :79]}, r"`mel_specs` must be of shape \(2, T, 80\)"),
        ({"mel_specs": BATCH.mel_specs.double()}, "`mel_specs` is torch.float64 and the model's"),
        ({"mel_padding_mask": BATCH.padding_mask}, r"`mel_padding_mask` must be bool of shape"),
        ({"stop_token_targets": torch.zeros(2, 4)}, r"`stop_token_targets` must be of shape"),
    ],
)
def test_a_record_that_does_not_fit_the_model_is_refused(model, changes, said):
    with pytest.raises(ValueError, match=said):
        model(replace(BATCH, **changes))


def test_a_record_takes_its_stop_targets_to_the_loss(model):
    given = torch.full((2, 5), 0.5)
    expected = model(
        BATCH.phoneme_indices, BATCH.mel_specs, BATCH.durations, stop_token_targets=given
    )
    found = model(replace(BATCH, stop_token_targets=given))
    assert torch.equal(found.losses["stop"], expected.losses["stop"])
    assert found.losses["stop"] != model(BATCH).losses["stop"]


def test_side_inputs_that_no_part_takes_are_refused_in_a_record_too(model):
    with pytest.raises(TypeError, match="`speaker` is not a side input of this model"):
        model(replace(BATCH, extras={"speaker": torch.zeros(2)}))


def test_what_a_record_holds_is_not_given_beside_it(model):
    with pytest.raises(TypeError, match="`mel_specs` cannot be given beside a `TrainingBatch`"):
        model(BATCH, BATCH.mel_specs)
    with pytest.raises(TypeError, match="`mel_specs` must be a tensor, not None"):
        model(BATCH.phoneme_indices)


def test_a_record_moves_with_all_that_it_holds():
    moved = replace(BATCH, of_step=torch.tensor([8, 5, 1])).to("meta")
    tensors = {name: each for name, each in vars(moved).items() if isinstance(each, torch.Tensor)}
    assert len(tensors) == 6
    assert all(each.is_meta for each in tensors.values())
    assert BATCH.to("cpu").lengths.tolist() == [5, 3]


def test_the_keywords_of_before_compute_the_same_and_are_deprecated(model):
    with pytest.warns(DeprecationWarning, match=r"`model\(batch\)` computes"):
        keywords = BATCH.model_inputs()
    assert torch.equal(model(**keywords).loss, model(BATCH).loss)


def test_the_flow_of_a_record_compiles_into_one_graph():
    changes = {**SMALL, "gradient_checkpointing": None}
    flow = KokoroModel.from_spec("small", overrides=changes).eval().acoustic
    compiled = torch.compile(flow, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(BATCH).mel, flow(BATCH).mel)
