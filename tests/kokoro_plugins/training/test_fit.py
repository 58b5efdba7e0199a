import io
import json
import os
import subprocess
import sys

import pytest
import torch
from rich.console import Console
from torch.optim.optimizer import register_optimizer_step_post_hook

from kokoro_core import KokoroModel, load_spec
from kokoro_core.kernels import cpu
from kokoro_core.kernels.cpu import Processor
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.schedule import StepBudget, TimeBudget
from kokoro_plugins.training.loop.trainer import use_bf16
from kokoro_plugins.training.settings import TrainingSettings

CPU = TrainingSettings(device="cpu", precision="32", warmup_steps=2, validate_every=3)


def train(spec, corpus, *, budget=None, settings=CPU, holdout=3, seed=0, console=None):
    seed_everything(seed)
    model = KokoroModel.from_spec(spec)
    data = AlignedSpeech(
        corpus=corpus, audio=spec.audio, pad_id=0, batch_frames=150, holdout=holdout, seed=seed
    )
    return model, fit(model, data, budget or StepBudget(7), settings, console=console)


def test_a_training_has_as_many_steps_as_it_may_and_validates_between_and_at_its_end(
    small_spec, corpus, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    model, history = train(small_spec, corpus)
    assert [entry.step for entry in history.training] == [1, 2, 3, 4, 5, 6, 7]
    assert [entry.step for entry in history.validation] == [3, 6, 7]
    assert set(history.training[0].losses) == {"loss", "mel_l1", "duration", "stop"}
    assert set(history.validation[0].losses) == {"loss", "mel_l1", "duration", "stop"}
    assert history.frames_per_second == pytest.approx(history.frames / history.seconds)
    assert not model.training
    assert os.listdir(tmp_path) == []
    assert capfd.readouterr() == ("", "")


def test_gradients_are_clipped_to_a_norm_of_1(small_spec, corpus):
    loud = load_spec(small_spec, overrides={"loss.mel_l1": 1e4})
    norms = []

    def note(optimizer, *_):
        gradients = [each.grad for group in optimizer.param_groups for each in group["params"]]
        norms.append(torch.cat([each.flatten() for each in gradients]).norm().item())

    hook = register_optimizer_step_post_hook(note)
    train(loud, corpus, budget=StepBudget(2))
    hook.remove()
    assert norms == pytest.approx([1.0, 1.0], rel=1e-3)


def test_a_training_makes_the_loss_smaller(small_spec, corpus):
    settings = TrainingSettings(device="cpu", precision="32", lr=3e-3, warmup_steps=2)
    _, history = train(small_spec, corpus, budget=StepBudget(40), settings=settings)
    losses = [entry.losses["loss"] for entry in history.training]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_same_seed_gives_the_same_training(small_spec, corpus):
    runs = [train(small_spec, corpus, seed=seed) for seed in (5, 5, 6)]
    losses = [[entry.losses["loss"] for entry in history.training] for _, history in runs]
    assert losses[0] == losses[1] != losses[2]
    weights = [torch.cat([p.flatten() for p in model.parameters()]) for model, _ in runs]
    assert torch.equal(weights[0], weights[1])


def test_time_ends_a_training(small_spec, corpus):
    ticks = iter(range(10_000))
    budget = TimeBudget(0.5, clock=lambda: float(next(ticks)))
    _, history = train(small_spec, corpus, budget=budget)
    assert 2 <= len(history.training) <= 30


def test_the_frames_of_padding_are_not_counted(small_spec, corpus):
    _, history = train(small_spec, corpus, holdout=0, budget=StepBudget(1))
    data = AlignedSpeech(
        corpus=corpus, audio=small_spec.audio, pad_id=0, batch_frames=150, holdout=0
    )
    first = next(iter(data.train_dataloader()))
    assert history.frames == int((~first.mel_padding_mask).sum())
    assert history.validation == []


def test_bfloat16_trains_and_leaves_float32(small_spec, corpus):
    settings = TrainingSettings(device="cpu", precision="bf16", warmup_steps=2)
    model, history = train(small_spec, corpus, budget=StepBudget(2), settings=settings)
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    assert history.training[-1].losses["loss"] > 0


def test_a_model_that_was_in_evaluation_mode_trains_with_its_dropout(small_spec, corpus):
    seed_everything(0)
    model = KokoroModel.from_spec(small_spec).eval()
    modes: list[bool] = []
    model.acoustic.decoder.register_forward_hook(lambda module, *_: modes.append(module.training))
    data = AlignedSpeech(corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=3)
    fit(model, data, StepBudget(3), CPU)
    tried = modes.index(True)  # the longest utterances are tried first, without dropout
    assert modes[tried : tried + 3] == [True] * 3
    assert modes[-1] is False


def test_the_line_says_step_losses_and_speed(small_spec, corpus):
    file = io.StringIO()
    train(small_spec, corpus, console=Console(file=file, width=80))
    lines = file.getvalue().strip().splitlines()
    assert len(lines) == 1
    for words in ("100 %", "step 7", "loss ", "held out ", "frames/s"):
        assert words in lines[0]
    assert "…" not in lines[0]


def test_the_history_is_values_that_json_has(small_spec, corpus):
    _, history = train(small_spec, corpus)
    read = json.loads(json.dumps(history.as_dict(), allow_nan=False))
    assert [entry["step"] for entry in read["training"]] == [1, 2, 3, 4, 5, 6, 7]
    assert read["frames"] == history.frames


def test_a_loss_that_is_no_number_ends_training(small_spec, corpus):
    settings = TrainingSettings(device="cpu", precision="32", lr=1e30, warmup_steps=0)
    with pytest.raises(ValueError, match=r"The loss is (nan|inf) at step [2-9]; .*lower `--lr`"):
        train(small_spec, corpus, settings=settings, budget=StepBudget(9))


@pytest.mark.parametrize("wanted", [True, False])
def test_bfloat16_is_chosen_where_the_processor_has_it(monkeypatch, wanted):
    pretend(monkeypatch, bfloat16_instructions=wanted)
    assert use_bf16("auto", "cpu") is wanted
    assert use_bf16("32", "cpu") is False
    assert use_bf16("bf16", "cpu") is True


def test_bfloat16_is_warned_of_before_the_first_step_where_it_is_slow(
    monkeypatch, small_spec, corpus
):
    file = io.StringIO()
    console = Console(file=file, width=200)
    settings = TrainingSettings(device="cpu", precision="bf16", warmup_steps=1)
    for fast in (True, False):
        pretend(monkeypatch, bfloat16_instructions=fast)
        train(small_spec, corpus, budget=StepBudget(1), settings=settings, console=console)
        said = file.getvalue()
        assert ("may take ten times as long as one with `--precision 32`" in said) is not fast
    assert said.index("no instructions for bfloat16") < said.rindex("step 1")


def pretend(monkeypatch, **facts):
    """Train on a processor of which this is known."""
    monkeypatch.setattr(cpu, "processor", lambda: Processor("avx512", **facts))


def test_the_hooks_import_no_torch():
    code = (
        "import sys, kokoro_plugins.training.plugin as p; names = [c.name for c in "
        "p.kokoro_commands()]; "
        "assert names == ['train', 'train-vocoder', 'compare', 'demo'], names; "
        "assert not {'torch', 'lightning', 'numpy', 'librosa', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_filter_of_warnings_is_left_behind(small_spec, corpus):
    import warnings

    before = list(warnings.filters)
    train(small_spec, corpus, budget=StepBudget(1))
    assert warnings.filters == before


@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_none_is_refused(lr):
    with pytest.raises(ValueError, match="`lr` must be a number above 0"):
        TrainingSettings(lr=lr)
