"""The command `compare`: contenders, one budget, one table."""

import json
import re
import shlex

import pytest

from kokoro_core import SpecError
from kokoro_core.cli.app import main
from kokoro_plugins.speech.params import EspeakCorpusParams, FolderCorpusParams
from kokoro_plugins.training.commands.compare import ContenderReader
from kokoro_plugins.training.comparison import compare as comparing
from kokoro_plugins.training.comparison.contender import read_contenders
from kokoro_plugins.training.comparison.table import Comparison, Look, Run
from kokoro_plugins.training.settings import CompareOptions, TrainingSettings
from registry import installed_plugins
from tests.kokoro_plugins.training.conftest import SMALL

SETS = " ".join(f"--set {name}={value}" for name, value in SMALL.items())
QUICK = ["--holdout", "3", "--sentences", "8", "--precision", "32", "--device", "cpu"]


def read(*texts):
    reader = ContenderReader(installed_plugins())
    return read_contenders(texts, TrainingSettings(lr=5e-4), 700, reader)


def run(*args):
    """Run the command line and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in args])
    return stop.value.code or 0


def test_a_contender_has_what_stands_within_its_quotes_and_else_what_all_have():
    plain, other = read(
        "voice",
        "parallel --set hidden_dim=64 --lr 2e-3 --warmup 7 --batch-frames 300 --accumulate 2 "
        "--optimizer muon --average 0.99",
    )
    assert plain.spec.name == "voice"
    assert plain.recipe() == {
        "lr": 5e-4,
        "warmup_steps": 100,
        "precision": "auto",
        "device": "auto",
        "accumulate": 1,
        "optimizer": "adamw",
        "average": 0.0,
        "batch_frames": 700,
    }
    assert (other.spec.name, other.spec.hidden_dim) == ("parallel", 64)
    assert other.recipe() == {
        "lr": 2e-3,
        "warmup_steps": 7,
        "precision": "auto",
        "device": "auto",
        "accumulate": 2,
        "optimizer": "muon",
        "average": 0.99,
        "batch_frames": 300,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voice --lr fast", "argument --lr: invalid float value: 'fast'"),
        ("voice --lr -1", "`lr` must be a number above 0, not -1.0"),
        ("voice --speed 3", "unrecognized arguments: --speed 3"),
        ("--lr 1e-3", "the following arguments are required: SPEC"),
        ("voice 'open", "No closing quotation"),
        ("", "the following arguments are required: SPEC"),
    ],
)
def test_a_text_that_is_no_contender_is_refused_with_an_example(text, message):
    with pytest.raises(ValueError, match=f"^`{text}` is not a contender: {message}") as refused:
        read(text)
    assert "within the same quotes" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voice --batch-frames 0", "--batch-frames 0: data.batch_frames: must be at least 1"),
        (
            "voice --optimizer adam",
            "--optimizer adam: optimizer.type: no optimizer is named 'adam'",
        ),
        ("voice --objective '{type: adversarial, strat: 3}'", "did you mean 'start'"),
    ],
)
def test_a_problem_of_what_a_contender_is_trained_with_names_its_option(text, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        read(text)


def test_a_contender_may_have_a_recipe_and_an_objective_and_what_stands_beside_wins(tmp_path):
    file = tmp_path / "gan.yaml"
    file.write_text(
        "spec: voice\nlr: 0.004\nsteps: 9\ndevice: cuda\nfreeze: [encoder]\n"
        "objective: {type: adversarial, start: 5}\nloss_schedule: {stop: {over_steps: 2}}\n"
        "optimizer: {discriminator: {type: adamw, betas: [0.5, 0.9]}}\n"
        "data: {batch_frames: 400}\n"
    )
    recipe, beside, option = read(
        f"--recipe {file}",
        f"voice --recipe {file} --lr 0.1 --objective null --optimizer muon --batch-frames 50",
        "voice --objective '{type: adversarial, start: 7}'",
    )
    said = recipe.recipe()
    assert said["objective"]["start"] == 5
    assert said["loss_schedule"] == {"stop": {"from_step": 0, "over_steps": 2}}
    assert said["optimizers"]["discriminator"]["betas"] == [0.5, 0.9]
    assert (said["lr"], said["freeze"], said["batch_frames"]) == (0.004, ["encoder"], 400)
    assert (recipe.spec.name, said["device"]) == ("voice", "auto")
    said = beside.recipe()
    assert (said["lr"], said["optimizer"], said["batch_frames"]) == (0.1, "muon", 50)
    assert "objective" not in said
    assert option.recipe()["objective"]["start"] == 7


def test_a_contender_with_an_objective_that_does_not_fit_is_refused(tmp_path, capsys):
    waves = "voice --objective '{type: adversarial, discriminators: [{type: multi_period}]}'"
    assert run("compare", waves, "--steps", "1", "--out", tmp_path / "out", *QUICK) == 1
    assert "needs `wave`, which the decoder of `voice` does not give" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_contenders_that_are_the_same_are_refused():
    with pytest.raises(ValueError, match="`voice` stands twice; each contender must differ"):
        read("voice", "parallel", "voice")


def test_contenders_with_other_mels_are_refused(tmp_path, capsys):
    other = "voice --set audio.std=2.0"
    assert run("compare", "voice", other, "--steps", "1", "--out", tmp_path / "out", *QUICK) == 1
    assert (
        "`voice --set audio.std=2.0` and `voice` have different `audio`" in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_contender_that_cannot_be_trained_is_refused(tmp_path, capsys):
    other = "voice --set frontend=null"
    assert run("compare", other, "--steps", "1", "--out", tmp_path / "out", *QUICK) == 1
    assert "`voice --set frontend=null` has no `audio` or no `frontend`" in capsys.readouterr().err


def test_a_corpus_without_what_a_contender_learns_from_is_refused_unread(tmp_path, capsys):
    (tmp_path / "metadata.csv").write_text("one|Hello.\n", encoding="utf-8")
    given = ("--data", tmp_path, "--corpus", "folder", "--out", tmp_path / "out", "--steps", 1)
    assert run("compare", "small", *given) == 1
    assert "has no durations here, and `small` has no `aligner`" in capsys.readouterr().err


def test_a_comparison_needs_one_budget(tmp_path, capsys):
    assert run("compare", "voice", "--out", tmp_path / "out", *QUICK) == 1
    assert "`--minutes M`, `--steps N` or `--frames N`; none of them" in capsys.readouterr().err
    both = ["--steps", "1", "--frames", "9"]
    assert run("compare", "voice", *both, "--out", tmp_path / "out", *QUICK) == 1
    assert "`--steps` and `--frames` were given" in capsys.readouterr().err


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two contenders and two seeds on the corpus of the demo, eight sentences of it."""
    out = tmp_path_factory.mktemp("compared") / "out"
    contenders = [f"voice {SETS}", f"parallel {SETS} --lr 2e-3"]
    options = ["--frames", "1500", "--seeds", "2", "--looks", "2", "--out", out, *QUICK]
    assert run("compare", *contenders, *options) == 0
    return out, contenders, options


def test_every_contender_is_trained_with_every_seed_on_the_same_budget(compared):
    out, contenders, _ = compared
    runs = json.loads((out / "comparison.json").read_text("utf-8"))["runs"]
    assert [(each["label"], each["seed"]) for each in runs] == [
        (label, seed) for label in contenders for seed in (0, 1)
    ]
    for each in runs:
        assert [look["share"] for look in each["looks"]] == [0.5, 1.0]
        half, end = each["looks"]
        assert 750 <= half["frames"] < end["frames"]
        assert 1500 <= end["frames"] < 1500 + 800
        assert each["utterances"] == 3
    ended = [each["looks"][-1]["ended_in_time"] is not None for each in runs]
    assert ended == [True, True, False, False]


def test_what_is_written_for_people_is_the_table_of_the_runs(compared):
    out, contenders, _ = compared
    text = (out / "comparison.md").read_text("utf-8")
    runs = json.loads((out / "comparison.json").read_text("utf-8"))["runs"]
    ends = [each["looks"][-1]["free_running"] for each in runs[:2]]
    half_range = abs(ends[0] - ends[1]) / 2
    assert f"| {sum(ends) / 2:.3f} ± {half_range:.3f} |" in text
    assert f"| `{contenders[1]}` |" in text
    assert "1,500 frames each, 2 seeds; mel errors on 3 utterances held out" in text


def test_the_same_command_goes_on_with_what_is_done(compared, monkeypatch):
    out, contenders, options = compared
    before = (out / "comparison.json").read_text("utf-8")
    with (out / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"identity": {"spec": "broken off')
    monkeypatch.setattr(comparing, "train_one", lambda *_: pytest.fail("was trained again"))
    assert run("compare", *contenders, *options) == 0
    assert (out / "comparison.json").read_text("utf-8") == before


def test_another_setting_is_another_run(compared, monkeypatch):
    _, contenders, options = compared
    monkeypatch.setattr(comparing, "train_one", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "compare", *contenders, *map(str, options), "--lr", "0.002"])


def test_the_training_of_a_contender_is_that_of_train(compared, tmp_path, capsys):
    """An equal budget, corpus and seed give the error that `train` says."""
    out, contenders, _ = compared
    runs = json.loads((out / "comparison.json").read_text("utf-8"))["runs"]
    options = ["--data", out / "corpus", "--frames", "1500", "--holdout", "3", "--seed", "1"]
    options += ["--batch-frames", "800", "--out", tmp_path / "run", *QUICK[-4:]]
    assert run("train", *shlex.split(contenders[0]), *options) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{runs[1]['looks'][-1]['free_running']:.3f} with its own" in said


def test_without_a_number_it_holds_out_what_the_corpus_sets_aside(tmp_path):
    [contender] = read("voice --batch-frames 300")
    frontend = contender.spec.frontend.build(contender.spec.sizes)
    audio = contender.spec.audio
    EspeakCorpusParams(path=str(tmp_path / "c"), sentences=6).build(audio=audio, frontend=frontend)
    (tmp_path / "c" / "held_out.txt").write_text("espeak-0001\nespeak-0004\n", encoding="utf-8")
    corpus = FolderCorpusParams(path=str(tmp_path / "c")).build(audio=audio, frontend=frontend)
    trial = comparing.Trial(contender, 0)
    data = comparing._data(trial, corpus, CompareOptions())
    assert [each.name for each in data.held_out] == ["espeak-0001", "espeak-0004"]
    assert len(comparing._data(trial, corpus, CompareOptions(holdout=3)).held_out) == 3


def made(label, seed, errors, *, has_stop_token=True):
    looks = tuple(
        Look(share, 10 * number, 1000 * number, error / 2, error, 9 if has_stop_token else None)
        for number, (share, error) in enumerate(zip((0.5, 1.0), errors, strict=True), start=1)
    )
    return Run(label, seed, 5000, 4.0, 1.25, 15, looks)


def test_a_table_has_means_and_half_ranges_and_no_stop_where_there_is_none():
    runs = [
        made("a", 0, (0.4, 0.2)),
        made("a", 1, (0.5, 0.26)),
        made("b", 0, (0.3, 0.1), has_stop_token=False),
    ]
    table = Comparison("9 steps", "a machine", runs)
    assert table.columns() == [
        "contender",
        "parameters",
        "steps",
        "frames/s",
        "own frames, at 50%",
        "own frames, end",
        "true frames",
        "ended by stop token",
        "distortion, dB",
    ]
    first, second = table.rows()
    assert first == [
        *("`a`", "5,000", "20 ± 0", "500 ± 0", "0.450 ± 0.050", "0.230 ± 0.030"),
        *("0.115 ± 0.015", "9/15 9/15", "1.25 ± 0.00"),
    ]
    assert second[-2:] == ["has none", "1.25"]
