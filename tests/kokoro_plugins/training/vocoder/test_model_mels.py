"""A vocoder reads what an acoustic model makes of the recordings, frame by frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core import KokoroModel, load_spec
from kokoro_core.contracts import Utterance
from kokoro_core.errors import AudioMismatch
from kokoro_plugins.training.data.collate import collate, denormalise
from kokoro_plugins.training.evaluation import generate_batch
from kokoro_plugins.training.vocoder.model_mels import fingerprint_of, mels_of, refuse_other_mels
from tests.kokoro_plugins.training.conftest import ListCorpus
from tests.kokoro_plugins.training.vocoder.recordings import MELS, SPEC, corpus

SMALL: dict[str, Any] = {
    "mel_dim": MELS,
    "audio": SPEC.audio.model_dump() if SPEC.audio else None,
    "hidden_dim": 8,
    **{f"encoder.{name}": value for name, value in (("num_layers", 1), ("ff_dim", 8))},
    "encoder.num_heads": 2,
    "frontend": {"type": "espeak"},
}
FED = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8}
PARALLEL = {"type": "parallel_transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8}
FLOW = {"type": "flow_matching", "channels": [8], "num_heads": 2, "steps": 2}


def model(decoder: dict[str, Any], **others: Any) -> KokoroModel:
    torch.manual_seed(1)
    spec = load_spec("small", overrides={**SMALL, "decoder": decoder, **others})
    return KokoroModel.from_spec(spec).eval()


def aligned() -> ListCorpus:
    """Return recordings with durations."""

    def cut(each: Utterance) -> Utterance:
        frames = len(each.mel)
        return replace(each, durations=torch.tensor([frames // 3, frames - frames // 3]))

    return ListCorpus([cut(each) for each in corpus().utterances])


def lengths() -> list[int]:
    return [len(each.mel) for each in aligned().utterances]


@pytest.mark.parametrize("decoder", [FED, PARALLEL], ids=["fed with frames", "parallel"])
def test_a_model_is_fed_the_truth_and_each_mel_is_as_long_as_its_recording(
    decoder: dict[str, Any],
) -> None:
    tts = model(decoder)
    found = mels_of(tts, aligned(), lengths())
    assert {*found} == {each.name for each in aligned().utterances}
    assert tts.spec.audio is not None
    for each in aligned().utterances:
        batch = collate([each], tts.spec.audio, tts.spec.pad_id)
        with torch.no_grad():
            wanted: Tensor = denormalise(tts(batch).mel, tts.spec.audio)[0]
        torch.testing.assert_close(found[each.name], wanted, rtol=1e-4, atol=1e-4)


def test_a_decoder_that_samples_makes_its_mels_as_in_speaking_at_true_durations() -> None:
    tts = model(FLOW)
    assert tts.spec.audio is not None
    for each in aligned().utterances:
        found = mels_of(tts, ListCorpus([each]), [len(each.mel)])
        batch = collate([each], tts.spec.audio, tts.spec.pad_id)
        torch.manual_seed(0)
        spoken = generate_batch(tts, batch, durations=batch.durations)
        wanted = denormalise(spoken.mel, tts.spec.audio)[0]
        assert wanted.shape == each.mel.shape
        torch.testing.assert_close(found[each.name], wanted)
    whole = mels_of(tts, aligned(), lengths())
    assert {name: len(mel) for name, mel in whole.items()} == {
        each.name: len(each.mel) for each in aligned().utterances
    }


def test_it_is_the_same_each_time_and_draws_nothing() -> None:
    tts = model(FLOW)
    before = torch.get_rng_state()
    one, other = (fingerprint_of(mels_of(tts, aligned(), lengths())) for _ in range(2))
    assert one == other
    assert torch.equal(torch.get_rng_state(), before)
    assert fingerprint_of(mels_of(model(PARALLEL), aligned(), lengths())) != one


def test_models_of_other_mels_are_refused() -> None:
    assert SPEC.audio is not None
    other = load_spec("voice", overrides={"audio": {"hop_length": 200}})
    with pytest.raises(
        AudioMismatch,
        match=r"`voice` of `--mels-of` makes other mels than the .*"
        "`mine` says: .*hop_length: 32 against 200",
    ):
        refuse_other_mels(other, SPEC.audio, "mine")
    silent = load_spec("small", overrides={"audio": None, "frontend": None, "vocoder": None})
    with pytest.raises(ValueError, match="has no `audio` or no `frontend`, so it makes no mels"):
        refuse_other_mels(silent, SPEC.audio, "mine")
