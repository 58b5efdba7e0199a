"""Options of commands that speak: what they mean for the model, and what they refuse."""

from __future__ import annotations

import re
import wave
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from kokoro_core.cli.spoken_with import spoken_with
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.load import load_spec
from kokoro_core.speech import _placed
from tests.kokoro_core.model.test_version_2 import SPEAKING, spec

NOTHING: dict[str, Any] = {
    "speaker": None,
    "language": None,
    "features": (),
    "options": (),
    "reference": None,
}
AUDIO: dict[str, Any] = {"n_mels": 5, "mean": -4.0, "std": 2.0}


def meant(sections: dict[str, Any], **given: Any) -> dict[str, Any]:
    return spoken_with(spec(**sections), **{**NOTHING, **given})


def wav(path: Path, rate: int = 22050) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\x00\x10\x00\xf0" * 2000)
    return path


def test_without_options_nothing_is_meant() -> None:
    assert meant({}) == {}


def test_a_speaker_that_was_not_given_is_asked_for_with_the_names_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"`speaker` is missing, .*; `--speaker anna` gives it, .* anna, ben"
    ):
        meant(SPEAKING)


def test_an_index_without_names_is_a_whole_number_in_range() -> None:
    mood = {"conditioners": {"mood": {"type": "lookup", "feature": "mood", "num": 3, "dim": 3}}}
    found = meant(mood, features=["mood=2"])["mood"]
    assert (found.dtype, found.tolist()) == (torch.int64, [2])
    for wrong in ("3", "-1", "0.5"):
        with pytest.raises(
            ValueError, match=f"`--feature mood={wrong}` must be a whole number from 0"
        ):
            meant(mood, features=[f"mood={wrong}"])
    with pytest.raises(ValueError, match="`--feature mood=happy` must end in a number"):
        meant(mood, features=["mood=happy"])
    with pytest.raises(ValueError, match=r"`mood` is missing, .*`--feature mood=…` gives it"):
        meant(mood)


def test_one_value_is_not_taken_for_a_feature_of_each_phoneme() -> None:
    adaptors = {"token_adaptors": {"pitch": {"type": "curve"}}}
    with pytest.raises(
        ValueError, match="is one value, but the model takes `pitch` as a value for"
    ):
        meant(adaptors, features=["pitch=5.5"])


def test_a_vector_is_written_out_or_in_a_file(tmp_path: Path) -> None:
    vector = torch.linspace(-1, 1, 512)
    (tmp_path / "anna.json").write_text(str([vector.tolist()]), encoding="utf-8")
    save_file({"x": vector}, tmp_path / "anna.safetensors")
    texts = [str(vector.tolist()), *(str(tmp_path / f"anna.{kind}") for kind in KINDS)]
    for text in texts:
        given = {**NOTHING, "features": [f"speaker_embedding={text}"]}
        found = spoken_with(load_spec("speecht5"), **given)["speaker_embedding"]
        torch.testing.assert_close(found, vector[None], atol=0, rtol=0)


KINDS = ("json", "safetensors")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", r"has the shape \(2,\), but the model takes `speaker_embedding` as a vector of"),
        ("1,2", "must be a vector: numbers such as"),
        ("happy", "must be a vector: numbers such as"),
        ("gone.json", "cannot be read: No such file"),
        ("gone.safetensors", "cannot be read: No such file|cannot be read: .*gone"),
        ("two.safetensors", "must be a vector: numbers such as .* with one tensor"),
        ("text.json", "must be a vector: numbers such as"),
        (f"[{', '.join(['NaN'] * 512)}]", "has a NaN or an infinity"),
    ],
)
def test_what_is_no_vector_is_told_with_what_would_be(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"x": torch.ones(512), "y": torch.ones(512)}, "two.safetensors")
    Path("text.json").write_text('["a"]', encoding="utf-8")
    given = {**NOTHING, "features": [f"speaker_embedding={text}"]}
    with pytest.raises(ValueError, match=message):
        spoken_with(load_spec("speecht5"), **given)


def test_names_features_and_numbers_arrive_by_name() -> None:
    found = meant(
        {**SPEAKING, "token_adaptors": {"pitch": {"type": "curve"}}},
        speaker="anna",
        features=["pitch.control=1.25"],
        options=["decoder.temperature=0.6"],
    )
    options = {"pitch.control": 1.25, "decoder.temperature": 0.6}
    assert found == {"speaker": "anna", "options": options}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"options": ["pitch.control=2"], "pitch": 1.0},
            "`pitch.control` is given by `--pitch` and by `--option`; give it by one",
        ),
        (
            {"options": ["decoder.temperature=2"], "features": ["decoder.temperature=1"]},
            "`decoder.temperature` is given by `--option` and by `--feature`",
        ),
        (
            {"speaker": "anna", "features": ["speaker=ben"]},
            "`speaker` is given by `--speaker` and by `--feature`",
        ),
        ({"options": ["decoder.temperature"]}, "`--option decoder.temperature` must be NAME=VALUE"),
        ({"options": ["decoder.temperature=hot"]}, "must end in a number, not 'hot'"),
        ({"options": ["pitch=high"]}, "`--option pitch=high` must end in a number, not 'high'"),
        ({"features": ["=1"]}, "`--feature =1` must be NAME=VALUE"),
        ({"features": ["tilt=1"]}, "`tilt` is not a feature of this model, which takes `speaker`"),
        ({"features": ["speakr=anna"]}, "which takes `speaker`, did you mean `speaker`"),
        ({"language": "de"}, "`language` is not a feature of this model, which takes `speaker`"),
    ],
)
def test_what_is_written_wrongly_or_not_taken_is_refused(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        meant(SPEAKING, **given)


def test_a_recording_becomes_its_normalised_mel(tmp_path: Path) -> None:
    sections = {"conditioners": {"style": {"type": "mean", "add": True}}, "audio": AUDIO}
    found = meant(sections, reference=wav(tmp_path / "x.wav"))
    samples = torch.tensor([4096.0, -4096.0] * 2000) / 32768
    mel = MelSpectrogram(audio=AudioSettings(**AUDIO))(samples)
    torch.testing.assert_close(found["reference"], ((mel + 4) / 2).unsqueeze(0))
    assert not found["reference_padding_mask"].any()
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"text\.wav` must be a wav with 16-bit samples: file does"
    ):
        meant(sections, reference=tmp_path / "text.wav")
    with pytest.raises(ValueError, match="must be a wav of one channel, 16 bits and 22050 Hz, not"):
        meant(sections, reference=wav(tmp_path / "y.wav", 8000))


def test_a_recording_is_spoken_after_where_the_model_is_and_in_its_precision() -> None:
    model: Any = torch.nn.Linear(1, 1, device="meta", dtype=torch.float64)
    given = {"reference": torch.zeros(1, 2, 5), "mood": torch.tensor([2]), "speaker": "anna"}
    placed = _placed(given, model)
    assert placed["speaker"] == "anna"
    assert (placed["reference"].device.type, placed["reference"].dtype) == ("meta", torch.float64)
    assert (placed["mood"].device.type, placed["mood"].dtype) == ("meta", torch.int64)
