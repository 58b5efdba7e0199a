"""Durations by a model that speaks the same phonemes, and a mel that is known."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core import KokoroModel, ModelSpec, load_spec
from kokoro_core.cli.app import main
from kokoro_core.errors import CheckpointError, CorpusError
from kokoro_plugins.speech.durations_file import read_durations
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.prepared import Unfit
from kokoro_plugins.speech.preparing.settings import PrepareSettings
from kokoro_plugins.speech.preparing.voice_alignment import VoiceAligner, frames_between

SMALL = {
    "name": "small-voice",
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.ff_dim": 16,
    "decoder.num_layers": 1,
    "decoder.ff_dim": 16,
}


def small(**changes: Any) -> ModelSpec:
    return load_spec("quick", overrides={**SMALL, **changes})


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights; its sounds are none, and differ from frame to frame."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("voice") / "model.safetensors"
    KokoroModel.from_spec(small()).save(path)
    return path


def without_durations(spoken: Path, data: Path) -> Path:
    shutil.copytree(spoken, data, ignore=shutil.ignore_patterns("durations.csv"))
    return data


def spoken_by(voice: Path, symbols: list[str]) -> tuple[Tensor, list[int]]:
    """Return the natural logarithms that a model makes of phonemes, and the frames of each."""
    model = KokoroModel.load(voice)
    audio, frontend = model.spec.audio, model.spec.frontend
    assert audio is not None
    assert frontend is not None
    indices = torch.tensor([frontend.build(model.spec.sizes).indices(symbols)])
    made = model.generate(indices, stop_threshold=1.0, seed=0)
    assert made.durations is not None
    return made.mel[0] * audio.std + audio.mean, made.durations[0].tolist()


def test_what_the_model_itself_speaks_has_the_frames_that_it_planned(voice: Path) -> None:
    symbols = ["h", "ə", "l", "ˈ", "oʊ", ",", "w", "ˈ", "ɜː", "l", "d"]
    mel, frames = spoken_by(voice, symbols)
    audio, frontend = small().audio, small().frontend
    assert audio is not None
    assert frontend is not None
    aligner = VoiceAligner(voice, frontend.build(small().sizes), audio)
    found, distance = aligner.align(symbols, mel)
    assert found == tuple(frames)
    assert distance == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("name", "spoken_as"), [("ben", "ben"), ("carl", "anna"), (None, "anna")])
def test_a_recording_is_laid_onto_the_voice_of_its_own_speaker_where_the_model_has_it(
    name: str | None, spoken_as: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = {"type": "lookup", "dim": 4, "add": True}
    spec = small(**{"speakers": ["anna", "ben"], "conditioners.speaker": speaker})
    KokoroModel.from_spec(spec).save(tmp_path / "two.safetensors")
    assert spec.frontend is not None
    assert spec.audio is not None
    aligner = VoiceAligner(
        tmp_path / "two.safetensors", spec.frontend.build(spec.sizes), spec.audio
    )
    generate, heard = KokoroModel.generate, list[str]()

    def noted(self: KokoroModel, *given: Any, **named: Any) -> Any:
        heard.append(named["speaker"])
        return generate(self, *given, **named)

    monkeypatch.setattr(KokoroModel, "generate", noted)
    found, _ = aligner.align(["h", "ə", "l"], torch.zeros(9, 80), speaker=name)
    assert sum(found) == 9
    assert heard == [spoken_as]


def test_a_model_that_cannot_speak_a_text_says_why(voice: Path) -> None:
    spec = small()
    assert spec.frontend is not None
    assert spec.audio is not None
    aligner = VoiceAligner(voice, spec.frontend.build(spec.sizes), spec.audio)
    with pytest.raises(Unfit) as unfit:
        aligner.align([], torch.zeros(4, 80))
    assert unfit.value.problem.kind == "texts that the voice cannot speak"
    assert "cannot be aligned: " in unfit.value.problem.message


@given(data=st.data(), steps=st.lists(st.integers(0, 3), min_size=1, max_size=12))
@example(data=None, steps=[0, 0, 0])
@example(data=None, steps=[1, 2, 3])
def test_every_phoneme_gets_a_frame_and_what_has_one_stays(data: Any, steps: list[int]) -> None:
    least = max(sum(steps), len(steps))
    frames = least if data is None else data.draw(st.integers(least, least + 4))
    ends = np.cumsum(steps)
    found = frames_between(ends, frames)
    assert sum(found) == frames
    assert min(found) >= 1
    if min(steps) >= 1:
        assert found == [*steps[:-1], steps[-1] + frames - sum(steps)]


def test_a_corpus_is_aligned_by_the_checkpoint_that_training_begins_with(
    spoken: Path, tmp_path: Path, voice: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = without_durations(spoken, tmp_path / "data"), tmp_path / "out"
    arguments = ["prepare", data, out, "--from", voice, "--holdout", "2", "--workers", "0"]
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    assert left.value.code == 0
    assert f"train {out / 'spec.yaml'} --from {voice} --data {out}" in capsys.readouterr().out
    made, own = load_spec(out / "spec.yaml"), KokoroModel.load(voice).spec
    assert made.name == "small-voice"
    assert made.audio == own.audio
    lines = (out / "durations.csv").read_text("utf-8").split("\n")
    found = read_durations(lines)[0]
    assert len(found) == 8
    assert all(min(each.frames) >= 1 for each in found.values())


def test_the_command_that_is_shown_next_can_be_pasted_where_paths_have_blanks(
    spoken: Path, tmp_path: Path, voice: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = without_durations(spoken, tmp_path / "data"), tmp_path / "my voice"
    model = Path(shutil.copy(voice, tmp_path / "a model.safetensors"))
    arguments = ["prepare", data, out, "--from", model, "--workers", "0", "--shards"]
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    assert left.value.code == 0
    shown = shlex.split(capsys.readouterr().out.rstrip().rpartition("\n")[2])
    begun = ["kokoro-core", "train", str(out / "spec.yaml"), "--from", str(model)]
    read_from = ["--corpus", "shards", "--data", str(out / "shards")]
    assert shown == [*begun, *read_from, "--minutes", "30"]


@pytest.mark.parametrize("align", ["espeak", "table"])
def test_a_checkpoint_that_training_alone_begins_with_is_looked_at_before_the_work(
    align: Literal["espeak", "table"], spoken: Path, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.safetensors"
    settings = PrepareSettings(checkpoint=nothing, align=align)
    with pytest.raises(CheckpointError, match=r"nothing.safetensors` does not exist"):
        prepare(spoken, tmp_path / "out", "quick", settings)
    assert not (tmp_path / "out").exists()


def test_another_model_aligns_anew_and_the_same_one_does_not(
    spoken: Path, tmp_path: Path, voice: Path
) -> None:
    data, out = without_durations(spoken, tmp_path / "data"), tmp_path / "out"
    settings = PrepareSettings(checkpoint=voice, holdout=2)
    prepare(data, out, None, settings)
    journal = out / "prepared.jsonl"
    lines = len(journal.read_text("utf-8").split())
    prepare(data, out, None, settings)
    assert len(journal.read_text("utf-8").split()) == lines
    torch.manual_seed(1)
    other = tmp_path / "other.safetensors"
    KokoroModel.from_spec(small()).save(other)
    prepare(data, out, None, PrepareSettings(checkpoint=other, holdout=2))
    assert len(journal.read_text("utf-8").split()) > lines


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"audio.hop_length": 200}, "its section `audio` differs in more than mean and std"),
        ({"frontend.symbols": ["_", "a", "b"], "vocab_size": 3}, "its frontend has other symbols"),
    ],
    ids=["audio", "symbols"],
)
def test_a_voice_that_does_not_speak_as_the_spec_does_is_refused_before_the_work(
    spec: dict[str, Any], message: str, spoken: Path, tmp_path: Path, voice: Path
) -> None:
    data = without_durations(spoken, tmp_path / "data")
    with pytest.raises(CorpusError, match=f"`--align voice` lets .* but {message}; give the"):
        prepare(data, tmp_path / "out", small(**spec), PrepareSettings(checkpoint=voice))
    assert not (tmp_path / "out").exists()


def test_a_voice_that_plans_no_durations_is_refused(spoken: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    narrow = {"hidden_dim": 16, "encoder.num_layers": 1, "decoder.num_layers": 1}
    KokoroModel.from_spec(load_spec("speecht5-small", overrides=narrow)).save(path)
    data = without_durations(spoken, tmp_path / "data")
    with pytest.raises(CorpusError, match=r"but it plans no durations; give the checkpoint alone"):
        prepare(data, tmp_path / "out", "quick", PrepareSettings(checkpoint=path, align="voice"))


def test_another_spec_gets_the_statistics_of_the_model_that_training_begins_with(
    spoken: Path, tmp_path: Path, voice: Path
) -> None:
    own = KokoroModel.load(voice).spec.audio
    assert own is not None
    spec = small(**{"audio.mean": -3.0, "audio.std": 1.0, "loss.duration": 0.5})
    settings = PrepareSettings(checkpoint=voice, align="espeak", holdout=2)
    made = prepare(spoken, tmp_path / "out", spec, settings).spec
    assert made.audio is not None
    assert (made.audio.mean, made.audio.std) == (own.mean, own.std)
    assert made.loss.duration == 0.5


def test_voices_are_named_where_they_are_needed(spoken: Path, tmp_path: Path) -> None:
    data = without_durations(spoken, tmp_path / "data")
    with pytest.raises(CorpusError, match=r"`--align voice` needs a model .* with `--from`"):
        prepare(data, tmp_path / "out", "quick", PrepareSettings(align="voice"))
    with pytest.raises(ValueError, match=r"`prepare` needs a `spec`, or a `checkpoint`"):
        prepare(data, tmp_path / "out", None)
