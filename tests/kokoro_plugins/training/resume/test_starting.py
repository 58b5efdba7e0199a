"""What is found before the first step, and that a start which fails leaves nothing behind."""

import json
import os
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from kokoro_core import KokoroModel, load_spec
from kokoro_core.cli.app import main
from kokoro_core.contracts import Corpus
from kokoro_core.errors import CheckpointError, CorpusError
from kokoro_plugins.speech.params import FolderCorpusParams
from kokoro_plugins.training import train as train_module
from kokoro_plugins.training.data.corpus_advice import _statistics, corpus_advice
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.statistics import MELS
from kokoro_plugins.training.fit import fit
from kokoro_plugins.training.loop.length_trial import check_lengths
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.loop.sentences import as_sentences
from kokoro_plugins.training.settings import Saving, TrainingSettings
from tests.kokoro_plugins.training.built_corpus import corpus_of
from tests.kokoro_plugins.training.jobs import SPEC
from tests.kokoro_plugins.training.jobs import utterance as noise

SMALL = [
    *("--set", "hidden_dim=32", "--set", "encoder.num_layers=1", "--set", "encoder.ff_dim=32"),
    *("--set", "decoder.num_layers=1", "--set", "decoder.ff_dim=32"),
]
QUICK = ["--precision", "32", "--device", "cpu", "--warmup", "2", *SMALL]
CPU = TrainingSettings(device="cpu", precision="32", warmup_steps=2)


def run(*args):
    """Run the command line and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in args])
    return stop.value.code or 0


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A folder of six sentences."""
    path = tmp_path_factory.mktemp("speech") / "corpus"
    spec = load_spec("voice")
    corpus_of(spec, "espeak", path, sentences=6)
    return path


@pytest.fixture
def copy(speech, tmp_path):
    return shutil.copytree(speech, tmp_path / "copy")


@pytest.fixture
def start(tmp_path):
    """Start a training of one step on a folder, into `tmp_path / "runs" / "out"`."""

    def started(data, *options, steps=1, holdout=2):
        out = tmp_path / "runs" / "out"
        base = ["--data", data, "--out", out, "--steps", steps, "--holdout", holdout]
        return run("train", "voice", *base, *QUICK, *options)

    return started


def test_a_spec_with_side_inputs_is_refused_before_any_data_is_read(
    tmp_path, start, monkeypatch, capsys
):
    monkeypatch.setattr(
        "kokoro_plugins.training.resume.starting.refusal_of_side_inputs",
        lambda spec: f"`{spec.name}` needs the side input `speaker`",
    )
    monkeypatch.setattr(train_module, "read_corpus", None)
    assert start(tmp_path) == 1
    assert "`voice` needs the side input `speaker`" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_training_that_fails_before_its_first_step_leaves_nothing_and_can_be_started_again(
    speech, tmp_path, start, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main(
                [
                    "train",
                    "voice",
                    "--data",
                    str(speech),
                    "--out",
                    str(tmp_path / "runs" / "out"),
                    "--steps",
                    "1",
                    "--holdout",
                    "2",
                    *QUICK,
                ]
            )
    assert not (tmp_path / "runs").exists()
    assert start(speech) == 0


def test_a_folder_that_was_there_stays_when_a_start_fails(speech, tmp_path, start, monkeypatch):
    out = tmp_path / "runs" / "out"
    out.mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    monkeypatch.setattr(TrainingModule, "on_train_start", lambda *_: int("nothing"))
    assert start(speech) == 1
    assert [each.name for each in out.iterdir()] == ["notes.txt"]


def test_what_a_killed_start_leaves_does_not_block_the_next(speech, tmp_path, start):
    steps = tmp_path / "runs" / "out" / "steps"
    steps.mkdir(parents=True)
    (steps / ".lock").write_text("{}")
    assert start(speech) == 0


def test_utterances_that_are_too_long_are_all_named_before_the_first_step(
    speech, tmp_path, start, capsys
):
    long = ["--set", "decoder.positional_encoding.max_len=100"]
    assert start(speech, *long) == 1
    error = capsys.readouterr().err
    frames = {
        name: sum(map(int, durations))
        for name, durations in durations_of(speech).items()
        if sum(map(int, durations)) > 100
    }
    assert f"{len(frames)} of 6 utterances are too long for the model: " in error
    for name, count in frames.items():
        assert f"`{name}` ({count} frames, " in error
    assert "knows 100 positions" in error
    assert "`decoder.positional_encoding.max_len` 100 (`--set PATH=…`)" in error
    assert not (tmp_path / "runs").exists()


def durations_of(folder):
    """Return the durations of each utterance, read without the code under test."""
    lines = [line.split("|") for line in (folder / "durations.csv").read_text("utf-8").splitlines()]
    return {name: durations.split() for name, _, durations in lines}


def test_too_many_phonemes_are_found_in_what_is_held_out_too(small_spec, corpus, utterance):
    corpus.utterances[11] = utterance("many", [1] * 40, seed=3)
    spec = load_spec(small_spec, overrides={"encoder.positional_encoding.max_len": 39})
    model = KokoroModel.from_spec(spec)
    assert spec.audio is not None
    data = AlignedSpeech(corpus=corpus, audio=spec.audio, pad_id=0, holdout=2)
    with pytest.raises(
        CorpusError, match=r"1 of 12 utterances are too long .*`many` \(40 frames, 40"
    ):
        fit(model, data, StepBudget(1), CPU)


def test_looking_at_lengths_draws_no_random_number(small_spec, corpus):
    model = KokoroModel.from_spec(small_spec)
    data = AlignedSpeech(corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=2)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    check_lengths(model, data)
    assert torch.equal(torch.rand(3), expected)
    assert model.training


def test_a_model_that_cannot_be_saved_is_refused_before_the_first_step(
    small_spec, corpus, tmp_path
):
    model = KokoroModel.from_spec(small_spec)
    layer = model.acoustic.decoder
    layer.once = layer.twice = torch.nn.Linear(2, 2)
    data = AlignedSpeech(corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=2)
    with pytest.raises(
        CheckpointError,
        match="could not be loaded again, since the model is not what its spec describes",
    ):
        fit(model, data, StepBudget(1), CPU, saving=Saving(tmp_path / "run" / "steps"))
    assert os.listdir(tmp_path) == []


def test_a_disk_without_room_for_one_save_is_refused_before_the_first_step(
    speech, start, monkeypatch, capsys
):
    full = os.statvfs(speech)
    fields = list(full)
    fields[4] = 1
    monkeypatch.setattr("os.statvfs", lambda _: os.statvfs_result(fields))
    assert start(speech) == 1
    assert "bytes free, and one save takes about" in capsys.readouterr().err


def warnings_of(start, capsys, data, *options, **more):
    assert start(data, *options, **more) == 0
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]


def test_a_sound_corpus_has_no_warning(speech, start, capsys):
    assert warnings_of(start, capsys, speech) == []


def test_mels_far_from_the_spec_are_said_loudly(speech, start, capsys):
    [said] = warnings_of(start, capsys, speech, "--set", "audio.mean=-3.0")
    assert "far from the spec's -3.00 and 2.4" in said
    assert re.search(r"--set audio.mean=-[45]\.\d{3} --set audio.std=2\.\d{3}`", said)


@pytest.mark.parametrize(("std", "is_far"), [(1.4, False), (1.25, True), (2.9, False), (3.2, True)])
def test_how_far_a_standard_deviation_may_be(small_spec, corpus, std, is_far):
    """The corpus is normal noise of mean -5 and std 2, which is known without measuring."""
    spec = load_spec(small_spec, overrides={"audio.mean": -5.0, "audio.std": std})
    assert spec.audio is not None
    data = AlignedSpeech(corpus=corpus, audio=spec.audio, pad_id=0, holdout=0)
    assert bool(list(_statistics(data))) is is_far


def test_held_out_utterances_that_outnumber_the_others_are_said_loudly(speech, start, capsys):
    [said] = warnings_of(start, capsys, speech, holdout=4)
    assert "4 of 6 utterances are held out, and only 2 are trained on" in said


def rewrite_durations(folder, change):
    """Change the durations of each utterance with a function of their number and their sum."""
    path = folder / "durations.csv"
    lines = [line.split("|") for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        durations = [int(each) for each in line[2].split()]
        line[2] = " ".join(map(str, change(len(durations), sum(durations))))
    path.write_text("\n".join("|".join(line) for line in lines) + "\n", "utf-8")


def rest_in_the_last(count, total):
    return [total // count] * (count - 1) + [total - total // count * (count - 1)]


def rest_spread(count, total):
    return [total // count + (index < total % count) for index in range(count)]


@pytest.mark.parametrize("uniform", [rest_in_the_last, rest_spread])
def test_uniform_durations_are_said_loudly(copy, start, capsys, uniform):
    rewrite_durations(copy, uniform)
    [said] = warnings_of(start, capsys, copy)
    assert "6 of 6 utterances have the same duration for every phoneme" in said


def test_a_text_that_was_changed_beside_old_durations_is_said_loudly(copy, start, capsys):
    path = copy / "metadata.csv"
    first, *rest = path.read_text("utf-8").splitlines()
    name = first.split("|")[0]
    path.write_text("\n".join([f"{name}|Something else.|Something else.", *rest]) + "\n", "utf-8")
    [said] = warnings_of(start, capsys, copy)
    assert f"the text of `{name}` (1 of 6 that were looked at) has other phonemes" in said


def test_mels_that_are_not_kept_are_said_loudly_with_what_keeps_them(speech, start, capsys):
    [said] = warnings_of(start, capsys, speech, "--corpus-set", "cache_mib=0")
    assert "about 100% of the mels are not kept" in said
    [advice] = re.findall(r"`--corpus-set cache_mib=(\d+)`", said)
    shutil.rmtree(speech.parent / "out", ignore_errors=True)
    assert int(advice) >= 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("cache_mib", "must be NAME=VALUE, for example `cache_mib=2048`"),
        ("cache_mib=[", "--corpus-set cache_mib=[:1:2: while parsing"),
        ("path=/tmp", "is what `--data` says"),
        ("type=espeak", "is what `--corpus` says"),
        (
            "cache=3",
            "--corpus-set cache=3: data.corpus.cache: unknown field, did you mean 'cache_mib'",
        ),
        ("cache_mib=many", 'data.corpus.cache_mib: expected an integer, got "many"'),
    ],
)
def test_wrong_corpus_settings_are_one_clear_line(speech, start, capsys, option, message):
    assert start(speech, "--corpus-set", option) == 1
    assert message in capsys.readouterr().err


def test_a_checkpoint_where_a_spec_belongs_is_told_how_its_training_goes_on(
    speech, tmp_path, start, capsys
):
    assert start(speech) == 0
    out = tmp_path / "runs" / "out"
    step = out / "steps" / "step-000000001"
    for given in (out, out / "model.safetensors", out / "steps", step, step / "model.safetensors"):
        capsys.readouterr()
        assert run("train", given, "--data", speech, "--steps", "2") == 1
        [said] = capsys.readouterr().err.splitlines()
        assert f"`{given}` is a checkpoint; `train` takes the spec" in said
        assert f"`--out {out} --resume`" in said


@pytest.mark.parametrize("name", ["../x", "a/b", "/tmp/x", "..", ".", "a\\b", "c:x", "two\nlines"])
def test_a_spec_s_name_leads_to_no_other_folder(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    options = ["--data", "/nowhere", "--steps", "1", *QUICK]
    assert run("train", "voice", *options, "--set", f"name={json.dumps(name)}") == 1
    said = capsys.readouterr().err
    assert f"The spec's name {name!r} cannot be that of a folder in `runs`; give" in said
    assert not list(tmp_path.iterdir())


def test_a_model_whose_steps_are_gone_is_not_replaced(speech, tmp_path, start, capsys):
    out = tmp_path / "runs" / "out"
    out.mkdir(parents=True)
    (out / "model.safetensors").write_bytes(b"mine")
    assert start(speech, "--resume") == 1
    assert "is there, but no step that `--resume` could go on from" in capsys.readouterr().err
    assert [(each.name, each.read_bytes()) for each in out.iterdir()] == [
        ("model.safetensors", b"mine")
    ]


def test_an_output_that_is_a_file_is_refused_before_the_data_is_read(tmp_path, start, capsys):
    (tmp_path / "runs").write_text("a file")
    assert start("/nowhere") == 1
    assert f"must be a folder, but `{tmp_path / 'runs'}` is a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.safetensors", "losses.json", "losses.jsonl"])
def test_a_folder_where_a_file_will_be_written_is_refused_before_the_data_is_read(
    tmp_path, start, capsys, name
):
    (tmp_path / "runs" / "out" / name).mkdir(parents=True)
    assert start("/nowhere", "--resume") == 1
    assert f"{name}` is a folder, where training writes a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--seed", 2**32], 2, "4294967295"),
        (["--threads", "9" * 20], 2, "1024"),
        (["--workers", "99999"], 2, "256"),
        (["--device", "cpu:1"], 1, "`--device cpu:1` must be auto, cpu, cuda or mps; with"),
        (["--device", "cuda:1"], 1, "`CUDA_VISIBLE_DEVICES`"),
        (["--device", "meta"], 1, "`--device meta` is not on this machine"),
        (["--minutes", "nan"], 1, "--minutes nan: minutes: must be a finite number"),
        (["--lr", "nan"], 1, "--lr nan: lr: must be a finite number, got NaN"),
    ],
)
def test_numbers_that_torch_cannot_take_are_refused_at_the_door(
    tmp_path, start, capsys, options, status, message
):
    assert start(tmp_path, *options) == status
    assert message in capsys.readouterr().err


RAISED = {
    "options": (
        MisconfigurationException("You requested gpu: [0, 1]\n But your machine only has: [0]"),
        "Lightning refuses these options on this machine: You requested gpu: [0, 1] But your",
    ),
    "device memory": (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nmore"),
        "memory of the device is used up: CUDA out of memory. Tried to allocate 9 GiB. A smaller",
    ),
    "memory": (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        "`--batch-frames` with a larger `--accumulate` needs less for the same step",
    ),
    "python's memory": (MemoryError(), "used up: MemoryError A smaller `--batch-frames`"),
    "worker": (
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        "worker (pid 7) is killed by signal: Killed.  With `--workers 0` batches are made in",
    ),
    "in a worker": (
        CorpusError(
            "Caught CorpusError in DataLoader worker process 0.\nOriginal Traceback (most recent "
            'call last):\n  File "x.py", line 1, in y\n    raise CorpusError(z)\n'
            "kokoro_core.errors.CorpusError: `a` has no recording: it is gone.\n"
        ),
        "`a` has no recording: it is gone.",
    ),
}


@pytest.mark.parametrize("kind", RAISED)
def test_what_options_or_the_machine_cause_is_a_sentence(speech, start, monkeypatch, capsys, kind):
    error, message = RAISED[kind]

    def failing(*_):
        raise error

    monkeypatch.setattr(TrainingModule, "training_step", failing)
    assert start(speech) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_bug_keeps_its_traceback():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), as_sentences():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


class Recordings(Corpus):
    """Keeps no mel, as a corpus larger than its cache, and counts those that it makes."""

    def __init__(self, utterances):
        self.utterances = list(utterances)
        self.made = 0

    def __len__(self):
        return len(self.utterances)

    def __getitem__(self, index):
        self.made += 1
        utterance = self.utterances[index]
        return replace(utterance, mel=utterance.mel.clone())

    def durations_of(self, index):
        return self.utterances[index].durations


def test_until_the_first_step_a_mel_is_made_once_and_a_few_twice():
    recordings = Recordings(map(noise, range(40)))
    frontend: Any = SimpleNamespace(encode=lambda text: [])
    assert SPEC.audio is not None
    data = AlignedSpeech(corpus=recordings, audio=SPEC.audio, pad_id=0, holdout=3)
    [_, kept] = corpus_advice(data, frontend, FolderCorpusParams)
    check_lengths(KokoroModel.from_spec(SPEC), data)
    assert "about 100% of the mels are not kept by the corpus" in kept
    assert recordings.made == 40 + MELS
