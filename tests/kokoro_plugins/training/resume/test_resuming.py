"""What a training goes on from, what it refuses, and several processes."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel, load_spec
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from kokoro_core.spec.views.resolve import resolve
from kokoro_plugins.training.data.collate import collate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop import module
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.schedule import StepBudget, TimeBudget
from kokoro_plugins.training.resume.conditions import ResumeRefused, _of_end, differences
from kokoro_plugins.training.settings import Saving, TrainingSettings
from registry import installed_plugins
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data
from tests.kokoro_plugins.training.resume import saved
from tests.kokoro_plugins.training.resume.saved import steps_in

SETTINGS: dict[str, Any] = {"device": "cpu", "precision": "32", "validate_every": 3}


class Lines:
    """A console that keeps what it prints."""

    def __init__(self):
        self.lines = []

    def print(self, line, **_):
        self.lines.append(line)


def train(out, *, budget=None, spec=SPEC, data=None, console=None, saving=None, **settings):
    seed_everything(0)
    model = KokoroModel.from_spec(spec)
    where = Saving(out, **{"every": 1, "keep_last": 20, **(saving or {})})
    how = TrainingSettings(**{**SETTINGS, **settings})
    budget = budget or StepBudget(3)
    return model, fit(model, data or tiny_data(), budget, how, saving=where, console=console)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A training of three steps, of which two are left."""
    out = tmp_path_factory.mktemp("begun") / "steps"
    train(out)
    shutil.rmtree(out / "step-000000003")
    return out


@pytest.fixture
def copy(begun, tmp_path):
    return shutil.copytree(begun, tmp_path / "steps")


def changed_data():
    corpus = list(tiny_data().corpus)
    corpus[1].mel[2, 1] += 0.5
    return tiny_data(corpus=corpus)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "lr": ({"lr": 0.002}, r"`settings\.lr` was 0\.001 and is 0\.002"),
    "optimizer": ({"optimizer": "muon"}, r"`settings\.optimizer` was adamw and is muon"),
    "warmup": ({"warmup_steps": 7}, r"`settings\.warmup` was 100 and is 7"),
    "accumulate": ({"accumulate": 2}, r"`settings\.accumulate` was 1 and is 2"),
    "validation": ({"validate_every": 2}, r"`settings\.validate_every` was 3 and is 2"),
    "precision": ({"precision": "bf16"}, r"`settings\.precision` was 32-true and is bf16-mixed"),
    "end": ({"budget": StepBudget(4)}, r"`settings\.ends after` was 3 steps and is 4 steps"),
    "time": ({"budget": TimeBudget(2)}, r"`settings\.ends after` was 3 steps and is 2 minutes"),
    "batches": ({"data": tiny_data(batch_frames=48)}, r"`settings\.batch_frames` was 32 and is 48"),
    "order": ({"data": tiny_data(seed=5)}, r"`settings\.seed` was 0 and is 5"),
    "holdout": ({"data": tiny_data(holdout=2)}, r"`settings\.holdout` was 3 and is 2"),
    "data": ({"data": changed_data()}, r"`data\.fingerprint` was [0-9a-f]{64} and is [0-9a-f]{64}"),
    "spec": (
        {"spec": load_spec(SPEC, overrides={"loss.stop": 2.0})},
        r"`spec\.loss\.stop` was 1\.0 and is 2\.0",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_conditions_are_refused_and_named(change, copy):
    options, message = CHANGES[change]
    with pytest.raises(ResumeRefused, match=rf"would not go on\nto the bit|{message}"):
        train(copy, **options, saving={"resume": True})
    with pytest.raises(ResumeRefused, match=message):
        train(copy, **options, saving={"resume": True})
    assert list(steps_in(copy)) == [1, 2]


def test_other_versions_and_threads_are_refused(copy, monkeypatch):
    monkeypatch.setattr(
        "kokoro_plugins.training.resume.conditions.version", lambda name: f"9.9 of {name}"
    )
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    with pytest.raises(ResumeRefused) as refused:
        train(copy, saving={"resume": True})
    assert "`versions.torch` was " in str(refused.value)
    assert "and is 9.9 of torch" in str(refused.value)
    assert "`machine.threads` was 1 and is 3" in str(refused.value)
    assert "go on with `--inexact`" in str(refused.value)


def test_inexact_goes_on_under_other_conditions(copy):
    _, history = train(copy, lr=0.002, saving={"resume": True, "allow_inexact": True})
    assert [entry.step for entry in history.training] == [1, 2, 3]


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "width": ({"hidden_dim": 16}, r"`spec\.hidden_dim` was 8 and is 16"),
    "architecture": (
        {"decoder.type": "parallel_transformer", "decoder.num_heads": 2},
        r"`spec\.decoder\.type` was .* and is .*parallel_transformer",
    ),
    "layers": ({"encoder.num_layers": 2}, r"`spec\.encoder\.num_layers` was 1 and is 2"),
    "symbols": (
        {"vocab_size": 70, "frontend": None},
        r"`encoder\.embedding\.weight` is \(63, 8\), not \(70, 8\)",
    ),
}


@pytest.mark.parametrize("allow_inexact", [False, True])
@pytest.mark.parametrize("change", OTHERS)
def test_another_model_is_refused_with_a_list_of_what_differs(change, allow_inexact, copy):
    overrides, message = OTHERS[change]
    spec = load_spec(SPEC, overrides=overrides)
    before = {each: each.read_bytes() for each in copy.rglob("*") if each.is_file()}
    with pytest.raises(ResumeRefused, match=message if allow_inexact else "conditions") as refused:
        train(copy, spec=spec, saving={"resume": True, "allow_inexact": allow_inexact})
    if allow_inexact:
        assert "is of another model" in str(refused.value)
        assert str(refused.value).endswith("or begin a new training with another `--out`.")
    assert {each: each.read_bytes() for each in before} == before


@pytest.mark.parametrize("allow_inexact", [False, True])
def test_another_optimizer_is_refused(copy, allow_inexact):
    said = r"`settings\.optimizer` was adamw and is muon"
    with pytest.raises(ResumeRefused, match=said) as refused:
        train(copy, optimizer="muon", saving={"resume": True, "allow_inexact": allow_inexact})
    assert ("averages of another optimizer" in str(refused.value)) is allow_inexact


def test_a_step_from_before_there_was_a_choice_of_optimizers_goes_on(copy):
    def older(metadata):
        del metadata["conditions"]["settings"]["optimizer"]
        return metadata

    rewrite(copy, "training.safetensors", metadata=older)
    _, history = train(copy, saving={"resume": True})
    assert [entry.step for entry in history.training] == [1, 2, 3]


@pytest.mark.parametrize(("optimizer", "matters"), [("adamw", True), ("schedule-free", False)])
def test_the_end_is_a_condition_where_the_learning_rate_falls_towards_it(optimizer, matters):
    settings = TrainingSettings(**SETTINGS, optimizer=optimizer)
    assert _of_end(StepBudget(3), settings) == ({"ends after": "3 steps"} if matters else {})


def test_weights_in_another_type_are_refused(copy):
    rewrite(copy, "model.safetensors", tensor=lambda each: each.half())
    with pytest.raises(ResumeRefused, match="the weights are in float16, and the model is in fl"):
        train(copy, saving={"resume": True, "allow_inexact": True})


def without(metadata, key):
    return {name: each for name, each in metadata.items() if name != key}


def in_state(metadata, **changes):
    return {**metadata, "state": {**metadata["state"], **changes}}


STATES = {
    "newer": (
        lambda it: {**it, "format_version": 2},
        "has training format 2; this version reads 1",
    ),
    "none": (lambda it: without(it, "format_version"), "has training format None"),
    "other tool": (lambda it: without(it, "conditions"), "has no `conditions`, so `train` did not"),
    "no state": (lambda it: without(it, "state"), "has no `state`, so `train` did not write it"),
    "list": (lambda it: {**it, "conditions": [1]}, "has no `conditions`"),
    "part": (
        lambda it: {**it, "state": without(it["state"], "callbacks")},
        "has no `callbacks` in its state",
    ),
    "optimizer": (
        lambda it: in_state(
            it, optimizer_states=[{"state": {}, "param_groups": [{"params": [0]}]}]
        ),
        r"has an optimizer of 1 parameters, and the model has \d+",
    ),
}


@pytest.mark.parametrize("change", STATES)
def test_a_state_that_this_trainer_did_not_write_is_refused_in_one_sentence(change, copy):
    changed, message = STATES[change]
    rewrite(copy, "training.safetensors", metadata=changed)
    with pytest.raises(CheckpointError, match=message):
        train(copy, saving={"resume": True, "allow_inexact": True})


def test_a_folder_of_steps_of_another_tool_is_refused(tmp_path):
    def write(path: Path) -> None:
        (path / "state.bin").write_bytes(b"mine")

    StepFolder(tmp_path / "steps").save(3, write, facts={"kind": "other"})
    with pytest.raises(CheckpointError, match=r"training\.safetensors"):
        train(tmp_path / "steps", saving={"resume": True, "allow_inexact": True})


def rewrite(steps, name, *, tensor=lambda each: each, metadata=lambda values: values):
    """Write a file of the newest step anew, with a manifest that fits it."""
    newest = max(steps_in(steps))
    folder = steps_in(steps)[newest]
    checkpointer = checkpointer_for(folder / name, installed_plugins())
    tensors = {key: tensor(each) for key, each in checkpointer.load(folder / name).items()}
    values = metadata(checkpointer.read_metadata(folder / name))
    kept = {each.name: each.read_bytes() for each in folder.glob("*.safetensors")}
    facts = json.loads((folder / "manifest.json").read_bytes())["facts"]
    shutil.rmtree(folder)

    def write(path):
        for other, content in kept.items():
            (path / other).write_bytes(content)
        (path / name).unlink()
        checkpointer.save(path / name, tensors, values)

    StepFolder(steps, keep_last=20).save(newest, write, facts=facts)


@pytest.mark.parametrize(("change", "explained"), [("end", True), ("lr", False)])
def test_longer_training_is_told_why_it_needs_inexact_and_what_to_type(change, explained, copy):
    options, _ = CHANGES[change]
    with pytest.raises(ResumeRefused) as refused:
        train(copy, **options, saving={"resume": True})
    said = "The learning rate falls along a cosine down to the end" in str(refused.value)
    assert said is explained
    assert ("add `--resume --inexact`" in str(refused.value)) is explained


def test_differences_are_by_path():
    before = {"a": {"b": 1, "c": [1]}, "d": "x"}
    assert differences(before, before) == []
    assert differences(before, {"a": {"b": 2, "c": [1]}, "e": {}}) == [
        "`a.b` was 1 and is 2",
        "`d` was x and is not set",
        "`e` was not set and is {}",
    ]


def test_a_damaged_newest_step_is_passed_over_loudly(copy, capsys):
    path = copy / "step-000000002" / "training.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    from rich.console import Console

    seed_everything(0)
    model = KokoroModel.from_spec(SPEC)
    saving = Saving(copy, every=1, keep_last=20, resume=True)
    settings = TrainingSettings(**SETTINGS)
    console = Console(width=400)
    history = fit(model, tiny_data(), StepBudget(3), settings, saving=saving, console=console)
    said = capsys.readouterr().out
    assert "step-000000002` is not intact" in said
    assert "Training goes on from" in said
    assert "step-000000001`." in said
    assert [entry.step for entry in history.training] == [1, 2, 3]


def test_nothing_is_said_to_go_on_that_is_refused(copy, capsys):
    from rich.console import Console

    with pytest.raises(ResumeRefused):
        train(copy, lr=0.002, saving={"resume": True}, console=Console(width=400))
    assert "goes on" not in capsys.readouterr().out


def test_a_training_that_was_finished_ends_at_once(begun, tmp_path):
    out = tmp_path / "steps"
    first, before = train(out)
    files = {each: each.stat().st_mtime_ns for each in out.rglob("*.safetensors")}
    second, after = train(out, saving={"resume": True})
    assert {each: each.stat().st_mtime_ns for each in out.rglob("*.safetensors")} == files
    assert after.training == before.training
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_manifest_says_spec_plugins_versions_and_progress(begun):
    files = {number: path / "manifest.json" for number, path in steps_in(begun).items()}
    facts = {number: json.loads(file.read_bytes())["facts"] for number, file in files.items()}
    batches = len(list(tiny_data()._order.epoch(0)))
    for number, each in facts.items():
        place = {"epoch": number // batches, "batch": number % batches}
        assert each["progress"] == {"step": number, **place}
        assert load_spec(each["spec"]) == load_spec(resolve(SPEC)["spec"])
        assert {part["path"]: part["version"] for part in each["components"]} == {
            part["path"]: version("kokoro-core") for part in resolve(SPEC)["components"]
        }
        assert {part["plugin"] for part in each["components"]} >= {"transformer"}
        assert each["versions"]["torch"] == version("torch")
        assert each["versions"]["lightning"] == version("lightning")


def test_the_model_of_a_step_can_be_loaded_alone(begun):
    model = KokoroModel.load(begun / "step-000000002" / "model.safetensors")
    assert model.spec == SPEC


def test_last_and_best_steps_are_kept(tmp_path):
    out = tmp_path / "steps"
    _, history = train(out, budget=StepBudget(6), saving={"keep_last": 1, "keep_best": 1})
    best = min(history.validation, key=lambda entry: entry.losses["loss"]).step
    assert list(steps_in(out)) == sorted({best, 6})


def test_no_pickle_is_in_a_step(begun):
    for path in begun.rglob("*"):
        if path.is_file():
            assert path.suffix in (".safetensors", ".json") or path.name.startswith(".lock")


def test_a_time_budget_goes_on_with_the_time_that_is_left(tmp_path):
    ticks = iter(range(1000))
    out = tmp_path / "steps"
    train(out, budget=TimeBudget(1, clock=lambda: float(next(ticks))))
    used = max(steps_in(out))
    for step, folder in steps_in(out).items():
        if step > used // 2:
            shutil.rmtree(folder)
    again = iter(range(1000))
    budget = TimeBudget(1, clock=lambda: float(next(again)))
    _, history = train(out, budget=budget, saving={"resume": True})
    assert abs(len(history.training) - used) <= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "`every` must be 1 or more, not 0"),
        ({"keep_last": 0}, "`keep_last` must be 1 or more, not 0"),
        ({"keep_best": -1}, "`keep_best` must be 0 or more, not -1"),
    ],
)
def test_saving_needs_sizes_that_make_sense(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Saving(tmp_path, **options)


@pytest.mark.parametrize("name", ["accumulate", "devices"])
def test_training_needs_at_least_one(name):
    with pytest.raises(ValueError, match=f"`{name}` must be 1 or more, not 0"):
        TrainingSettings(**cast("Any", {name: 0}))


def test_a_history_comes_back_from_its_columns():
    history = History(frames=7, seconds=0.1 + 0.2, skipped=["that"])
    train_entries = [(1, {"loss": 1 / 3, "stop": 1e-40}), (2, {"loss": 2.5})]
    for step, losses in train_entries:
        history.note_validation(step, losses)
    other = History()
    other.load_state_dict(history.state_dict())
    assert other.as_dict() == history.as_dict()


def test_accumulated_batches_give_the_gradient_of_one_large_batch(monkeypatch):
    """Two batches of unequal sizes a step, against one backward pass with the rows of both."""
    seen = []
    norm = torch.nn.utils.get_total_norm

    def note(gradients):
        seen.append([each.clone() for each in gradients])
        return norm(gradients)

    monkeypatch.setattr(module, "get_total_norm", note)
    spec = load_spec(SPEC, overrides={"decoder.teacher_mask": 0.0, "encoder.dropout": 0.0})
    seed_everything(0)
    model = KokoroModel.from_spec(spec)
    seed_everything(0)
    twin = KokoroModel.from_spec(spec).train()
    data = tiny_data(seed=1)
    fit(model, data, StepBudget(1), TrainingSettings(**SETTINGS, accumulate=2))
    first, second = data._order.epoch(0)[:2]
    frames = [sum(data.sizes[index][0] for index in each) for each in (first, second)]
    assert frames[0] != frames[1]
    assert SPEC.audio is not None
    whole = collate([data.corpus[index] for index in first + second], SPEC.audio, 0)
    output = twin(
        whole.phoneme_indices,
        whole.mel_specs,
        whole.durations,
        padding_mask=whole.padding_mask,
        mel_padding_mask=whole.mel_padding_mask,
    )
    output.loss.backward()
    for mine, each in zip(seen[0], twin.parameters(), strict=True):
        torch.testing.assert_close(mine, each.grad, rtol=1e-4, atol=1e-6)


def test_a_full_disk_ends_training_and_leaves_what_was_saved(fork_server, uninterrupted, tmp_path):
    out = tmp_path / "steps"
    event = {"where": "save", "step": 4, "what": "full disk"}
    ended = fork_server.run("train", out=str(out), every=1, event=event)
    assert ended.status == 1
    assert "could not be saved" in ended.said
    assert "File too large" in ended.said
    assert list(steps_in(out)) == [1, 2, 3]
    assert not [each for each in out.iterdir() if each.name.startswith(".tmp")]
    assert fork_server.run("train", out=str(out), every=1, resume=True).status == 0
    expected = steps_in(uninterrupted("32"))
    for step, folder in steps_in(out).items():
        assert saved.differences(folder, expected[step]) == [], step


def test_two_processes_save_once_and_go_on_to_the_bit(fork_server, tmp_path):
    whole, broken = tmp_path / "whole" / "steps", tmp_path / "broken" / "steps"

    def together(name, out, **options):
        meeting = str(tmp_path / name)
        common = {"processes": 2, "meeting": meeting, "out": str(out), "accumulate": 1, **options}
        return fork_server.run_together(
            *(("train_together", {**common, "rank": r}) for r in (0, 1))
        )

    ended = together("first", whole, every=1)
    assert [each.status for each in ended] == [0, 0], ended
    event = {"where": "batch", "step": 3, "what": "SIGTERM", "rank": 1}
    ended = together("second", broken, every=5, event=event)
    assert [each.status for each in ended] == [143, 143], ended
    assert "A signal to another of its processes ended the training: step" in ended[0].said
    assert len(steps_in(broken)) == 1
    refused = fork_server.run("train", out=str(broken), resume=True, accumulate=1)
    assert refused.status == 1
    assert "`machine.processes` was 2 and is 1" in refused.said
    alone = shutil.copytree(broken, tmp_path / "alone" / "steps")
    ended = together("third", broken, every=5, resume=True)
    assert [each.status for each in ended] == [0, 0], ended
    for step, folder in steps_in(broken).items():
        assert saved.differences(folder, steps_in(whole)[step]) == [], step
    ended = fork_server.run("train", out=str(alone), resume=True, accumulate=1, allow_inexact=True)
    assert ended.status == 0, ended
    log = json.loads((tmp_path / "alone" / "losses.json").read_text("utf-8"))
    assert [entry["step"] for entry in log["training"]] == list(range(1, 9))


def test_two_processes_take_the_batches_that_one_takes_in_two(fork_server, tmp_path, uninterrupted):
    """The same utterances in each step: frames and losses agree but for the random numbers."""
    log = load_file(steps_in(uninterrupted("32"))[8] / "training.safetensors")
    out = tmp_path / "steps"
    common = {"processes": 2, "meeting": str(tmp_path / "m"), "out": str(out), "accumulate": 1}
    ended = fork_server.run_together(*(("train_together", {**common, "rank": r}) for r in (0, 1)))
    assert [each.status for each in ended] == [0, 0], ended
    both = load_file(steps_in(out)[8] / "training.safetensors")
    name = "state.callbacks.History.training.losses.duration"
    torch.testing.assert_close(both[name], log[name], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("optimizer", ["muon", "soap", "schedule-free"])
def test_a_training_with_another_optimizer_goes_on_to_the_bit(optimizer, tmp_path):
    whole, _ = train(tmp_path / "whole", optimizer=optimizer)
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    for step in (2, 3):
        shutil.rmtree(tmp_path / "broken" / f"step-{step:09d}")
    again, _ = train(tmp_path / "broken", optimizer=optimizer, saving={"resume": True})
    for name, value in whole.state_dict().items():
        assert again.state_dict()[name].equal(value), name
