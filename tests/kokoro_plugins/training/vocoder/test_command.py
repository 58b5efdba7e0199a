"""The command `train-vocoder`, run as a user runs it, on a folder of tones."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from safetensors.torch import load_file
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.cli.output import write_yaml
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.recipe.loss_schedule import Ramp
from kokoro_plugins.training.settings import Saving
from kokoro_plugins.training.vocoder import train as training
from kokoro_plugins.training.vocoder.beginning import build_vocoder
from kokoro_plugins.training.vocoder.measures import measure_vocoder
from kokoro_plugins.training.vocoder.refusals import refuse_longer_crops
from kokoro_plugins.training.vocoder.settings import VocoderOptions, usual_settings
from tests.kokoro_plugins.training.vocoder.recordings import CROP, HOP, SPEC, data, recording

STEPS = ("--steps", "3", "--device", "cpu", "--precision", "32", "--threads", "1", "--seed", "3")
AGAINST = (
    "{type: adversarial, start: 1, discriminators: "
    "[{type: multi_period, periods: [2], channels: [2, 2]}]}"
)
CROPS = ("--crop-frames", str(CROP), "--rows", "2", "--holdout", "2")


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in args])
    code = stop.value.code or 0
    assert isinstance(code, int)
    return code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a corpus and a spec whose vocoder is tiny."""
    out = tmp_path_factory.mktemp("tones")
    (out / "corpus" / "wavs").mkdir(parents=True)
    texts, durations = "", ""
    for number in range(5):
        frames = CROP + 10 * number
        wave = recording(number, frames).features["wave"].flatten()
        soundfile.write(out / "corpus" / "wavs" / f"t{number}.wav", wave.numpy(), 2000, "FLOAT")
        texts += f"t{number}|tone|tone\n"
        durations += f"t{number}|a b|{frames // 2} {frames - frames // 2}\n"
    (out / "corpus" / "metadata.csv").write_text(texts, encoding="utf-8")
    (out / "corpus" / "durations.csv").write_text(durations, encoding="utf-8")
    spec = {**json.loads(SPEC.model_dump_json()), "name": "tones"}
    with (out / "tones.yaml").open("w", encoding="utf-8") as file:
        write_yaml({"format": 1, **spec}, file)
    return out


Train = Callable[..., int]


@pytest.fixture
def train(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    monkeypatch.chdir(tmp_path)
    data = ("--data", folder / "corpus")
    return lambda *more: run("train-vocoder", folder / "tones.yaml", *data, *CROPS, *more)


def test_it_writes_a_vocoder_its_losses_and_its_recipe_and_says_how_it_does(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*STEPS) == 0
    out = tmp_path / "runs" / "tones-vocoder"
    said = capsys.readouterr().out
    assert re.search(r"3 recordings \(222 frames, 0\.1 minutes\), 2 held out; 1,\d+ param", said)
    assert f"{out.relative_to(tmp_path) / 'vocoder.safetensors'}: the vocoder" in said
    error = float(re.search(r"waves are ([\d.]+) off those of 2 recordings", said)[1])  # type: ignore[index]
    assert 0 < error < 10
    losses = json.loads((out / "losses.json").read_text("utf-8"))
    assert [each["step"] for each in losses["training"]] == [1, 2, 3]
    assert [each["step"] for each in losses["validation"]] == [3]
    assert (
        (out / "recipe.yaml")
        .read_text("utf-8")
        .startswith(
            "# What this training was made by; `kokoro-core train-vocoder --recipe` makes another"
        )
    )


def test_a_recipe_and_the_options_that_it_stands_for_come_to_the_same_vocoder(
    train: Train, folder: Path, tmp_path: Path
) -> None:
    assert train(*STEPS, "--out", tmp_path / "first") == 0
    recipe = tmp_path / "first" / "recipe.yaml"
    assert run("train-vocoder", "--recipe", recipe, "--out", tmp_path / "second") == 0
    one, other = (
        load_file(tmp_path / each / "vocoder.safetensors") for each in ("first", "second")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_it_writes_says_what_it_was_made_for(train: Train, tmp_path: Path) -> None:
    assert train(*STEPS, "--out", tmp_path / "out") == 0
    found = load_file(tmp_path / "out" / "vocoder.safetensors")
    vocoder = build_vocoder(SPEC)
    assert {*found} == {f"vocoder.{name}" for name in vocoder.state_dict()}
    assert found["vocoder.mean"].std() > 0  # taken from the recordings, channel by channel
    header = (tmp_path / "out" / "vocoder.safetensors").read_bytes()
    assert b"content_sha256" in header
    assert rb"\"hop_length\":32" in header or b'"hop_length":32' in header


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--set", "vocoder.type=griffin_lim"), "has the vocoder `griffin_lim`, which has no wei"),
        (("--set", "vocoder=null"), "has no `vocoder`, which has no weights to train"),
        (("--crop-frames", "63"), "`--crop-frames` must be 64 or more, not 63: the losses look at"),
        (("--objective", "adversarial"), "objective `adversarial` needs `mel`, and a vocoder giv"),
        (
            ("--optimizer", "{generator: {type: adamw}}"),
            "no such stage; without an objective there is one",
        ),
        (("--lr", "-1"), "`lr` must be a number above 0"),
        (("--schedule", "linear"), "no schedule is named 'linear'"),
        (("--freeze", "hed"), "`--freeze hed` is no part of the model, did you mean `head`"),
        (("--rate", "encoder=2"), "`--rate encoder` is no part of the model"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_read(
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setattr(training, "read_recordings", None)
    assert train(*STEPS, "--out", tmp_path / "out", *more) != 0
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_crops_that_are_longer_than_every_recording_are_refused(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*STEPS, "--out", tmp_path / "out", "--crop-frames", "100000") == 1
    longest = CROP + 40
    assert f"`--crop-frames` must be {longest} or less, not 100000: the longest recording has " in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
    lengths = [CROP // 2]
    refuse_longer_crops(SPEC, CROP, lengths)  # what is shorter than a crop may be is padded
    with pytest.raises(ValueError, match=f"must be {CROP} or less, not {CROP + 1}: .* {CROP // 2}"):
        refuse_longer_crops(SPEC, CROP + 1, lengths)


def options(folder: Path, out: Path, **more: Any) -> VocoderOptions:
    given: dict[str, Any] = {"rows": 2, "crop_frames": CROP, "holdout": 2, **more}
    return VocoderOptions(data=folder / "corpus", out=out, saving=Saving(out / "steps"), **given)


def test_with_nothing_held_out_nothing_is_measured(folder: Path, tmp_path: Path) -> None:
    asked = options(folder, tmp_path / "out", holdout=0, settings=usual_settings(device="cpu"))
    trained = training.run_vocoder_training(SPEC, asked, StepBudget(1))
    assert trained.figures is None
    assert trained.path.exists()


def test_a_schedule_of_losses_that_there_are_not_is_refused_before_anything_is_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "read_recordings", None)
    asked = options(folder, tmp_path, settings=usual_settings(loss_schedule={"mels": Ramp()}))
    with pytest.raises(ValueError, match="`loss_schedule` names `mels`, but a vocoder's losses"):
        training.run_vocoder_training(SPEC, asked, StepBudget(1))


def test_only_the_first_process_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    vocoder = build_vocoder(SPEC)
    assert training.measure(vocoder, data(), said.append) is not None
    monkeypatch.setattr(training, "is_first_process", lambda: False)
    assert training.measure(vocoder, data(), said.append) is None
    assert len(said) == 1


def test_a_folder_that_holds_a_vocoder_is_not_written_again(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "vocoder.safetensors").touch()
    assert train(*STEPS, "--out", tmp_path / "out") == 1
    assert "holds a training already (`vocoder.safetensors`)" in capsys.readouterr().err


def test_the_error_is_that_of_the_waves_mels() -> None:
    vocoder = build_vocoder(SPEC)
    utterances = [recording(number, CROP) for number in (0, 1)]
    to_mel = MelSpectrogram(audio=vocoder.audio)
    waves = [vocoder.decode(each.mel[None], torch.tensor([CROP]))[0] for each in utterances]
    errors = [(to_mel(wave) - each.mel).abs() for wave, each in zip(waves, utterances, strict=True)]
    figures = measure_vocoder(vocoder, [(each.mel, each) for each in utterances])
    assert figures.mel_error == pytest.approx(float(torch.cat(errors).mean()), rel=1e-5)
    assert figures.utterances == 2
    assert figures.real_time_factor > 0
    assert len(waves[0]) == CROP * HOP
    with pytest.raises(ValueError, match="`pairs` must hold at least one recording"):
        measure_vocoder(vocoder, [])


def test_a_training_begins_with_the_weights_of_another(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(*STEPS, "--out", first) == 0
    little = ("--lr", "1e-9", "--ema", "0", "--objective", AGAINST)
    assert train(*STEPS, "--out", second, "--from", first, *little) == 0
    one, other = (load_file(each / "vocoder.safetensors") for each in (first, second))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=1e-5, atol=1e-6)
    capsys.readouterr()
    wider = ("--set", "vocoder.channels=9", "--set", "audio.fmax=900.0")
    assert (
        train(*STEPS, "--out", tmp_path / "third", "--from", first / "vocoder.safetensors", *wider)
        == 1
    )
    said = capsys.readouterr().err
    assert "has another vocoder than the spec `tones`:\n- channels: 8 against 9 (file aga" in said
    assert "- audio.fmax: 1000.0 against 900.0 (file against spec)" in said


def test_it_reads_the_mels_of_a_model_and_refuses_those_of_others(
    train: Train, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = KokoroModel.from_spec(SPEC)
    model.save(tmp_path / "model.safetensors")
    model.half().save(tmp_path / "half.safetensors")
    for checkpoint, out in (("half", "half"), ("model", "out")):
        options = ("--mels-of", tmp_path / f"{checkpoint}.safetensors")
        assert train(*STEPS, "--out", tmp_path / out, *options) == 0
    capsys.readouterr()
    other = ("--set", "audio.hop_length=16", "--set", "vocoder.n_fft=64", "--crop-frames", "128")
    assert train(*STEPS, "--out", tmp_path / "other", *options, *other) == 1
    assert "makes other mels than the spec `tones` says: hop_length: 16 against 32" in (
        capsys.readouterr().err
    )


def test_a_signal_leaves_a_vocoder_and_the_training_goes_on_to_the_same_bits(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(*STEPS, "--out", tmp_path / "whole") == 0
    stopped, step = tmp_path / "stopped", TrainingModule.training_step
    with monkeypatch.context() as patched:

        def signalled(module: TrainingModule, batch: Any, index: int) -> Tensor:
            if module.step == 1:
                signal.raise_signal(signal.SIGTERM)
            return step(module, batch, index)

        patched.setattr(TrainingModule, "training_step", signalled)
        assert train(*STEPS, "--out", stopped) == 128 + signal.SIGTERM
    assert (stopped / "vocoder.safetensors").exists()
    assert [each.name for each in (stopped / "steps").glob("step-*")] == ["step-000000002"]
    assert train(*STEPS, "--out", stopped, "--resume") == 0
    one, other = (
        load_file(tmp_path / each / "vocoder.safetensors") for each in ("whole", "stopped")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_held_out_is_heard_in_the_log_of_each_validation(
    train: Train, tmp_path: Path
) -> None:
    assert train(*STEPS, "--out", tmp_path / "out", "--logger", "csv") == 0
    logs = tmp_path / "out" / "logs" / "csv"
    assert "held_out/mel" in (logs / "metrics.csv").read_text("utf-8")
    sounds = {each.stem: soundfile.info(each) for each in logs.rglob("*.wav")}
    assert sorted(sounds) == ["recording-t3", "vocoder-t3"]
    for each in sounds.values():
        assert (each.frames, each.samplerate) == ((CROP + 30) * HOP, 2000)
    assert [*logs.rglob("*.png")]
