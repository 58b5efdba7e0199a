"""T2: NaN and infinity are caught, named, never saved, and passed over if that is wanted."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel
from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.commands.options import read_bad_step
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.bad_steps import BadStep, first_bad_tensor
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.settings import Saving, TrainingSettings
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data
from tests.kokoro_plugins.training.resume.saved import steps_in

STEPS = 5


def train(out, **options):
    seed_everything(0)
    model = KokoroModel.from_spec(SPEC)
    settings = TrainingSettings(
        **{"device": "cpu", "precision": "32", "validate_every": 2, "accumulate": 2, **options}
    )
    saving = Saving(out, every=1, keep_last=20) if out is not None else None
    history = fit(model, tiny_data(), StepBudget(STEPS), settings, saving=saving)
    return model, history


def inject(monkeypatch, where, value, steps):
    """Put a value into a tensor in the second batch of some steps."""
    forward = TrainingModule.training_step
    backward = TrainingModule.on_after_backward

    def now(module, batches):
        return module.step + 1 in steps and len(module._collector.batches) == batches

    def training_step(module, batch, index):
        hit = now(module, 1)
        if hit and where == "input":
            batch.mel_specs[0, 3, 1] = value
        if hit and where == "weight":
            with torch.no_grad():
                module.model.acoustic.decoder.stop_out.bias[0] = value
        loss = forward(module, batch, index)
        if hit and where == "loss":
            module._collector.batches[-1][1]["duration"].fill_(value)
            loss = loss * value
        return loss

    def on_after_backward(module):
        backward(module)
        if now(module, 2) and where == "gradient":
            next(module.model.acoustic.encoder.parameters()).grad.view(-1)[0] = value

    monkeypatch.setattr(TrainingModule, "training_step", training_step)
    monkeypatch.setattr(TrainingModule, "on_after_backward", on_after_backward)


NAMED = {
    "weight": r"weight `acoustic\.decoder\.stop_out\.bias`",
    "loss": "loss term `duration`",
    "gradient": r"gradient of `acoustic\.encoder\.embedding\.weight`",
}
VALUES = {"nan": float("nan"), "inf": float("inf")}
STEPS_HIT = {"first": 1, "middle": 3, "last": STEPS}


@pytest.mark.parametrize("when", STEPS_HIT)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("where", NAMED)
def test_a_bad_tensor_ends_training_by_its_name_and_is_never_saved(
    where, value, when, tmp_path, monkeypatch
):
    step = STEPS_HIT[when]
    inject(monkeypatch, where, VALUES[value], {step})
    with pytest.raises(
        BadStep, match=rf"at step {step}; the first bad tensor is the {NAMED[where]}"
    ):
        train(tmp_path)
    check_saved(tmp_path, step - 1)


@pytest.mark.parametrize("when", STEPS_HIT)
@pytest.mark.parametrize("value", VALUES)
def test_a_bad_input_is_refused_by_the_model_on_a_cpu(value, when, tmp_path, monkeypatch):
    inject(monkeypatch, "input", VALUES[value], {STEPS_HIT[when]})
    with pytest.raises(ValueError, match="`mel_specs` must be finite, but frame 3 of row 0 is not"):
        train(tmp_path, skip_bad_steps=2)
    check_saved(tmp_path, STEPS_HIT[when] - 1)


def check_saved(out, last):
    saved = steps_in(out)
    assert list(saved) == list(range(1, last + 1))
    for folder in saved.values():
        for name, tensor in load_file(folder / "model.safetensors").items():
            assert tensor.isfinite().all(), name


def record(monkeypatch):
    """Keep the weights and the averages of their gradients as they are after each step."""
    seen, end = {}, TrainingModule.on_train_batch_end

    def on_train_batch_end(module, *arguments):
        end(module, *arguments)
        averages = [each["exp_avg"] for each in module.optimizers().optimizer.state.values()]
        seen[module.step] = [each.detach().clone() for each in (*module.parameters(), *averages)]

    monkeypatch.setattr(TrainingModule, "on_train_batch_end", on_train_batch_end)
    return seen


@pytest.mark.parametrize(("where", "value"), list(itertools.product(["loss", "gradient"], VALUES)))
def test_bad_steps_that_may_be_passed_over_leave_the_weights_as_they_are(
    where, value, tmp_path, monkeypatch
):
    inject(monkeypatch, where, VALUES[value], {2, 3, 5})
    seen = record(monkeypatch)
    _, history = train(tmp_path, skip_bad_steps=2)
    assert [entry.step for entry in history.training] == [1, 4]
    assert [each.partition(";")[0].split()[-1] for each in history.skipped] == ["2", "3", "5"]
    assert list(steps_in(tmp_path)) == [1, 4, 5]  # the last is saved whatever it is
    for before, after, moved in ((1, 2, False), (2, 3, False), (3, 4, True), (4, 5, False)):
        pairs = list(zip(seen[before], seen[after], strict=True))
        assert all(torch.equal(*pair) for pair in pairs) is not moved
    assert json.loads(json.dumps(history.as_dict(), allow_nan=False))["skipped"] == history.skipped


@pytest.mark.parametrize("value", VALUES)
def test_too_many_bad_steps_in_a_row_end_training(value, tmp_path, monkeypatch):
    inject(monkeypatch, "gradient", VALUES[value], {2, 3, 4})
    with pytest.raises(BadStep, match=r"at step 4; .* it is bad step 3 in a row"):
        train(tmp_path, skip_bad_steps=2)
    assert list(steps_in(tmp_path)) == [1]  # not those that were passed over


def test_a_weight_that_breaks_in_the_last_step_is_found_where_nothing_is_saved(monkeypatch):
    breaks_after(monkeypatch, STEPS)
    with pytest.raises(BadStep, match=r"held out is nan after step 5; the first bad .* weight `ac"):
        train(None)


def test_a_weight_that_breaks_between_two_steps_is_not_saved(monkeypatch, tmp_path):
    breaks_after(monkeypatch, 3)
    with pytest.raises(
        CheckpointError, match=r"Step 3 is not saved, since `model\.acoustic\..*NaN"
    ):
        train(tmp_path)
    assert list(steps_in(tmp_path)) == [1, 2]


def breaks_after(monkeypatch, step):
    """Break a weight after a step, as an update that overflows does."""
    update = TrainingModule.optimizer_step

    def optimizer_step(module, *arguments):
        update(module, *arguments)
        if module.step == step:
            with torch.no_grad():
                module.model.acoustic.decoder.stop_out.bias[0] = torch.nan

    monkeypatch.setattr(TrainingModule, "optimizer_step", optimizer_step)


@pytest.mark.parametrize(("policy", "number"), [("stop", 0), ("skip:1", 1), ("skip:12", 12)])
def test_a_policy_is_a_number_of_steps(policy, number):
    assert read_bad_step(policy) == number


@pytest.mark.parametrize("policy", ["", "skip", "skip:0", "skip:-1", "skip:x", "stop:2", "go"])
def test_a_policy_that_is_none_is_refused(policy):
    with pytest.raises(ValueError, match="`--on-bad-step` must be `stop` or `skip:N`"):
        read_bad_step(policy)


def test_the_first_of_several_bad_tensors_is_what_the_others_follow_from():
    model = KokoroModel.from_spec(SPEC)
    batch = next(iter(tiny_data().train_dataloader()))
    nan = torch.tensor(torch.nan)
    losses = {"loss": nan, "mel_l1": torch.tensor(1.0), "stop": nan}
    assert first_bad_tensor(model, [(batch, {"loss": torch.tensor(1.0)})]) is None
    for each in model.acoustic.decoder.parameters():
        each.grad = torch.full_like(each, torch.nan)
    last = [name for name, _ in model.named_parameters() if ".decoder." in name][-1]
    assert first_bad_tensor(model, []) == f"gradient of `{last}`"
    assert first_bad_tensor(model, [(batch, losses)]) == "loss term `stop`"
    assert first_bad_tensor(model, [(batch, {"loss": nan})]) == "loss term `loss`"
    with torch.no_grad():
        model.get_parameter("acoustic.encoder.embedding.weight")[3, 0] = torch.inf
    weight = "weight `acoustic.encoder.embedding.weight`"
    assert first_bad_tensor(model, [(batch, losses)]) == weight
    bad = replace(batch, mel_specs=batch.mel_specs.clone())
    bad.mel_specs[1, 2, 3] = torch.nan
    assert first_bad_tensor(model, [(batch, losses), (bad, losses)]) == (
        "input `mel_specs` in row 1 of 2"
    )
