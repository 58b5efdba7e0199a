"""A corpus without durations trains a model that aligns, by the commands alone, to speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.contracts import Utterance
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.features import Feature
from kokoro_plugins.training.data.collate import collate, problems_of

AUDIO = AudioSettings(n_mels=4)


def utterance(phonemes: int, frames: int, **fields: Any) -> Utterance:
    return Utterance(
        name="u",
        text="",
        phoneme_indices=torch.arange(1, phonemes + 1),
        mel=torch.zeros(frames, 4),
        **{"durations": None, **fields},
    )


def test_utterances_that_nobody_aligned_make_a_batch_without_durations() -> None:
    batch = collate([utterance(3, 9), utterance(2, 5)], AUDIO, 0)
    assert batch.durations is None
    assert batch.lengths.tolist() == [9, 5]


def test_a_recording_with_fewer_frames_than_phonemes_is_named() -> None:
    [problem] = problems_of(utterance(5, 4), AUDIO, 0)
    assert problem.startswith("has 5 phonemes but only 4 frames, so that no alignment gives each")


def test_features_are_padded_along_what_they_are_per() -> None:
    rows = [
        utterance(
            phonemes,
            frames,
            features={
                "speaker": name,
                "loudness": loud,
                "pitch": torch.ones(frames),
                "stress": torch.ones(phonemes),
            },
        )
        for phonemes, frames, name, loud in ((3, 9, "anna", 0.5), (2, 5, "ben", 2.0))
    ]
    features = {
        "speaker": Feature(kind="index"),
        "loudness": Feature(),
        "pitch": Feature(per="frame"),
        "stress": Feature(per="phoneme"),
    }
    extras = collate(rows, AUDIO, 0, features=features).extras
    assert extras["speaker"] == ["anna", "ben"]
    assert extras["loudness"].tolist() == [0.5, 2.0]
    assert extras["pitch"].sum(1).tolist() == [9, 5]
    assert extras["pitch"].shape == (2, 9)
    assert extras["stress"].tolist() == [[1, 1, 1], [1, 1, 0]]


TINY = (
    *("--set", "hidden_dim=16", "--set", "encoder.ff_dim=16", "--set", "decoder.ff_dim=16"),
    *("--set", "encoder.num_layers=1", "--set", "decoder.num_layers=1"),
)


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    return int(left.value.code or 0)


@pytest.mark.parametrize("aligner", ["prior_search", "forward_sum"])
def test_train_and_synthesize_take_it_to_speech(
    aligner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ("train", "quick", *TINY, "--set", f"aligner.type={aligner}", "--corpus", "espeak")
    data = ("--data", str(tmp_path / "data"), "--corpus-set", "durations=false")
    short = ("--corpus-set", "sentences=6", "--holdout", "2", "--steps", "3", "--device", "cpu")
    assert status(*train, *data, *short, "--out", str(tmp_path / "out")) == 0
    assert f"aligner.{'prior' if aligner == 'prior_search' else 'binarise'}" in (
        capsys.readouterr().out
    )
    model = KokoroModel.load(tmp_path / "out" / "model.safetensors")
    assert model.acoustic.aligner is not None
    spoken = ("synthesize", str(tmp_path / "out" / "model.safetensors"), "Hello.")
    assert status(*spoken, "--out", str(tmp_path / "x.wav"), "--max-mel-len", "40") in (0, 1)
    assert (tmp_path / "x.wav").stat().st_size > 44
