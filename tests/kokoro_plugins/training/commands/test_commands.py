"""The commands `train` and `demo`, run as a user runs them."""

import csv
import json
import math
import os
import re
import shutil
import signal
import wave

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.data.collate import collate
from kokoro_plugins.training.evaluation import generate_batch, predict
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.resume.saver import Saver
from tests.kokoro_plugins.training.built_corpus import corpus_of

SMALL = [
    *("--set", "hidden_dim=32", "--set", "encoder.num_layers=1", "--set", "encoder.ff_dim=32"),
    *("--set", "decoder.num_layers=1", "--set", "decoder.ff_dim=32", "--set"),
    "vocoder.iterations=2",
]
QUICK = ["--precision", "32", "--device", "cpu", "--warmup", "2", *SMALL]


def same_weights(folder, other):
    """Whether the models of two folders are the same to the bit."""
    one, two = (load_file(each / "model.safetensors") for each in (folder, other))
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def run(*args):
    """Run the command line and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in args])
    return stop.value.code or 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of three seconds."""
    out = tmp_path_factory.mktemp("demo") / "out"
    options = ["--minutes", "0.05", "--sentences", "8", "--holdout", "3", "--seed", "4"]
    assert run("demo", "--out", out, *options, *QUICK) == 0
    return out


@pytest.fixture(scope="module")
def report(demo):
    return json.loads((demo / "report.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def speech(demo):
    """The model of the demo and its corpus, read anew."""
    model = KokoroModel.load(demo / "model.safetensors")
    return model, corpus_of(model.spec, "folder", demo / "corpus")


def test_the_demo_writes_every_file_that_it_names(demo, report):
    named = [file for said in report["sentences"] for file in said["files"]] + list(report["files"])
    for file in named:
        assert (demo / file).exists(), file
    written = {str(p.relative_to(demo)) for p in demo.rglob("*") if p.is_file()}
    assert {each for each in written if not each.startswith("corpus/")} == set(named) - {"corpus"}


def test_the_wavs_hold_the_frames_that_the_report_counts(demo, report):
    for said, folder in zip(
        report["sentences"], ("training-sentence", "held-out-sentence"), strict=True
    ):
        for name, frames in (("spoken", "frames"), ("vocoded", "true_frames")):
            with wave.open(str(demo / folder / f"{name}.wav")) as file:
                assert file.getframerate() == 22050
                assert file.getnframes() == said[frames] * 256
                samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            assert np.abs(samples).max() > 100


def test_the_pictures_are_pictures(demo):
    pictures = list(demo.rglob("*.png"))
    assert len(pictures) == 5
    for each in pictures:
        assert each.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_report_tells_what_was_trained(report, speech):
    model, corpus = speech
    assert report["spec"] == "quick"
    assert report["parameters"] == model.get_model_info()["total_parameters"]
    trained = [corpus[index] for index in range(5)]
    assert report["corpus"]["sentences"] == 5
    assert report["corpus"]["held_out"] == 3
    assert report["corpus"]["frames"] == sum(len(each.mel) for each in trained)
    assert report["corpus"]["mel_mean"] == pytest.approx(
        float(torch.cat([each.mel for each in trained]).mean()), rel=1e-4
    )
    assert [said["text"] for said in report["sentences"]] == [corpus[0].text, corpus[5].text]
    assert [said["held_out"] for said in report["sentences"]] == [False, True]


def test_the_errors_can_be_computed_again(report, speech):
    model, corpus = speech
    audio = model.spec.audio
    batch = collate([corpus[index] for index in (5, 6, 7)], audio, 0)
    figures = report["held_out"]
    for name, mel in (
        ("teacher_forced", predict(model, batch)),
        ("free_running", generate_batch(model, batch, durations=batch.durations).mel),
    ):
        padded = torch.zeros_like(batch.mel_specs)
        padded[:, : mel.shape[1]] = mel
        differences = np.abs((padded - batch.mel_specs).numpy().astype(np.float64))
        expected = differences.sum() / (int(batch.lengths.sum()) * 80)
        assert figures[name] == pytest.approx(expected, rel=1e-4)
    assert figures["ratio"] == pytest.approx(figures["free_running"] / figures["teacher_forced"])
    assert figures["utterances"] == 3


def test_floor_and_ceiling_can_be_computed_again(report, speech):
    model, corpus = speech
    audio = model.spec.audio
    mels = [((each.mel - audio.mean) / audio.std).double().numpy() for each in corpus]
    mean_frame = np.concatenate(mels[:5]).mean(0)
    wrong = np.concatenate(mels[5:]) - mean_frame
    assert report["mean_frame"] == pytest.approx(np.abs(wrong).mean(), rel=1e-4)
    steps = [np.diff(mel, axis=0, prepend=np.zeros((1, 80))) for mel in mels[5:]]
    assert report["copied_frames"] == pytest.approx(np.abs(np.concatenate(steps)).mean(), rel=1e-4)
    distortions = report["distortions"]
    assert 0 < distortions["vocoded"] < distortions["wrong_sentence"]
    assert all(math.isfinite(each) for each in distortions.values())


def test_the_losses_are_those_of_the_curve(demo, report):
    losses = json.loads((demo / "losses.json").read_text("utf-8"))
    values = [entry["losses"]["loss"] for entry in losses["training"]]
    training = report["training"]
    assert training["steps"] == len(values)
    assert training["loss_at_start"] == values[0]
    assert training["loss_at_end"] == pytest.approx(np.mean(values[-10:]))
    assert training["held_out_loss"] == losses["validation"][-1]["losses"]["loss"]
    assert training["frames_per_second"] == pytest.approx(losses["frames"] / losses["seconds"])


def test_the_report_for_people_has_the_same_figures(demo, report):
    text = (demo / "report.md").read_text("utf-8")
    figures = report["held_out"]
    assert f"| {figures['free_running']:.3f} |" in text
    assert f"| {figures['teacher_forced']:.3f} |" in text
    assert f"| {figures['ended_in_time']} of 3 |" in text
    assert f"{report['distortions']['wrong_sentence']:.2f} for a wrong sentence" in text
    for said in report["sentences"]:
        assert said["text"] in text


def test_the_demo_goes_again_into_its_own_folder_and_refuses_another_corpus(demo, capsys):
    again = ["--steps", "1", "--holdout", "3", "--seed", "4"]
    assert run("demo", "--out", demo, "--sentences", "9", *again, *QUICK) == 1
    assert "holds a corpus of another recipe (sentences 8 not 9)" in capsys.readouterr().err


def test_the_demo_gives_a_model_the_features_that_it_learns_from(tmp_path):
    pitch = ["--set", "token_adaptors={pitch: {type: variance, channels: 8}}"]
    pitch += ["--set", "features={pitch: {per: frame, mean: 4.6, std: 0.2}}"]
    options = ["--sentences", "4", "--holdout", "2", "--steps", "1", "--seed", "4"]
    assert run("demo", "--out", tmp_path / "out", *options, *QUICK, *pitch) == 0
    losses = json.loads((tmp_path / "out" / "losses.json").read_text("utf-8"))
    assert losses["training"][0]["losses"]["pitch.prediction"] > 0


def test_a_spec_that_cannot_be_heard_is_refused(tmp_path, capsys):
    options = ["--out", tmp_path / "out", "--set", "vocoder=null"]
    assert run("demo", *options) == 1
    assert "The spec `quick` has no `vocoder`; the demo turns text" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_training_on_a_folder_writes_a_model_that_loads(demo, tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--data", demo / "corpus", "--steps", "2", "--holdout", "2", "--out", out]
    assert run("train", "voice", *options, *QUICK) == 0
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "6 utterances (" in printed
    assert "2 held out; log mel of mean" in printed
    assert "step 2" in printed
    assert re.search(r"mel error 0\.\d+ with the true frames fed, 0\.\d+ with its own", printed)
    assert "of 2 ended by the stop token" in printed
    assert str(out / "model.safetensors") in printed.replace(" ", "")
    assert KokoroModel.load(out / "model.safetensors").spec.hidden_dim == 32
    assert len(json.loads((out / "losses.json").read_text("utf-8"))["training"]) == 2


def test_a_parallel_model_is_trained_and_measured_too(demo, tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--data", demo / "corpus", "--steps", "1", "--holdout", "2", "--out", out]
    settings = ["--set", "decoder.type=parallel_transformer", *QUICK]
    settings[settings.index("decoder.num_layers=1")] = "decoder.num_heads=4"
    assert run("train", "voice", *options, *settings) == 0
    printed = capsys.readouterr().out
    assert "the model has no stop token, so durations alone decide how long it speaks" in printed
    assert "ended by the stop token" not in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "`--minutes M`, `--steps N` or `--frames N`; none of them was given"),
        (["--steps", "1", "--minutes", "1"], "`--minutes` and `--steps` were given"),
        (["--frames", "1", "--steps", "1"], "`--steps` and `--frames` were given"),
        (["--minutes", "0"], "`minutes` must be a number above 0, not 0.0"),
        (["--steps", "1", "--device", "tpu"], "`--device tpu` is not on this machine"),
        (["--steps", "1", "--holdout", "8"], "`holdout` must be from 0 to 7, not 8"),
        (["--steps", "1", "--corpus", "nothing"], "nothing"),
        (["--steps", "1", "--logger", "csv,tensorbord"], "tensorbord"),
        (["--steps", "1", "--set", "frontend=null"], "has no `audio` or no `frontend`"),
        (["--steps", "1", "--data", "/nowhere"], "`/nowhere` is not a corpus that fits"),
    ],
)
def test_wrong_options_get_one_clear_line(demo, tmp_path, capsys, options, message):
    base = ["--data", demo / "corpus", "--out", tmp_path / "run"]
    assert run("train", "voice", *base, *options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_training_is_logged_where_it_is_asked_for_and_by_its_recipe_again(demo, tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--data", demo / "corpus", "--steps", "1", "--holdout", "2", "--out", out]
    assert run("train", "voice", *options, "--logger", "csv,csv", "--logger", "csv", *QUICK) == 0
    with (out / "logs" / "csv" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    losses = json.loads((out / "losses.json").read_text("utf-8"))
    assert float(row["held_out/loss"]) == losses["validation"][0]["losses"]["loss"]
    shutil.rmtree(out / "steps")
    (out / "model.safetensors").unlink()
    assert run("train", "--recipe", out / "recipe.yaml", "--out", out) == 1
    assert "holds a training already (`logs/csv`)" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(demo, tmp_path_factory):
    """A training of two steps by the command, and its options."""
    out = tmp_path_factory.mktemp("trained") / "run"
    options = ["train", "voice", "--data", demo / "corpus", "--holdout", "2", "--out", out]
    options += ["--steps", "2", "--save-every", "1", "--threads", "1", *QUICK]
    assert run(*options) == 0
    return out, options


def test_a_folder_that_holds_a_training_is_not_overwritten(trained, capsys):
    out, options = trained
    before = {each: each.read_bytes() for each in out.rglob("*") if each.is_file()}
    assert run(*options) == 1
    assert f"`{out}` holds a training already (`steps`)" in capsys.readouterr().err
    assert {each: each.read_bytes() for each in out.rglob("*") if each.is_file()} == before


def test_a_step_is_a_checkpoint_that_commands_read(trained):
    out, _ = trained
    step = out / "steps" / "step-000000002" / "model.safetensors"
    assert KokoroModel.load(step).spec.hidden_dim == 32


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_leaves_a_model_and_the_command_goes_on(
    name, status, trained, tmp_path, monkeypatch, capsys
):
    whole, options = trained
    out = tmp_path / "run"
    options = [out if each == whole else each for each in options]
    update = TrainingModule.optimizer_step

    def stopped_update(module, *arguments):
        update(module, *arguments)
        os.kill(os.getpid(), signal.Signals[name])

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "optimizer_step", stopped_update)
        assert run(*options) == status
    said = capsys.readouterr()
    assert f"{name} ended the training: step 1 is saved; the same command with" in said.err
    assert f"{out / 'model.safetensors'}: the model with its spec" in said.out
    assert same_weights(out, out / "steps" / "step-000000001")
    assert len(json.loads((out / "losses.json").read_text("utf-8"))["training"]) == 1
    assert run(*options, "--lr", "0.5", "--resume") == 1
    assert "`settings.lr` was 0.001 and is 0.5" in capsys.readouterr().err
    assert run(*options, "--resume") == 0
    assert "Training goes on from" in capsys.readouterr().out
    assert same_weights(whole, out)


def test_a_training_that_goes_on_has_no_model_of_before_when_it_crashes(
    trained, tmp_path, monkeypatch
):
    whole, options = trained
    out = tmp_path / "run"
    shutil.copytree(whole / "steps" / "step-000000001", out / "steps" / "step-000000001")
    shutil.copy(whole / "model.safetensors", out)
    options = [out if each == whole else each for each in options]
    with monkeypatch.context() as patch:
        patch.setattr(Saver, "_save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main([str(each) for each in [*options, "--resume"]])
    assert not (out / "model.safetensors").exists()
    with pytest.raises(CheckpointError, match=r"its newest step is .*step-000000001"):
        KokoroModel.load(out)


def test_resuming_where_nothing_is_starts_and_says_so(trained, tmp_path, capsys):
    whole, options = trained
    options = [tmp_path / "new" if each == whole else each for each in options]
    assert run(*options, "--resume") == 0
    printed = capsys.readouterr().out
    assert "yet: training starts from the beginning." in re.sub(r"\s+", " ", printed)


def test_a_policy_that_is_none_is_one_clear_line(trained, tmp_path, capsys):
    assert run(*trained[1], "--on-bad-step", "hope") == 1
    assert "`--on-bad-step` must be `stop` or `skip:N`" in capsys.readouterr().err
