"""What is logged of a training: equal to what it came to, once a step, and moving nothing."""

import csv
import math
import warnings
import wave
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_plugins.adversarial.params import AdversarialParams, PatchParams
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.settings import LoggerName, Saving, TrainingSettings
from kokoro_plugins.training.watching.samples import Sampler
from kokoro_plugins.training.watching.sinks import (
    AnyLogger,
    CsvFile,
    make_sinks,
    refuse_missing,
)
from kokoro_plugins.training.watching.training_log import TrainingLog
from tests.kokoro_plugins.training.jobs import TINY, tiny_data

SPEC = load_spec("voice", overrides={**TINY, "vocoder.iterations": 1})
CPU = TrainingSettings(device="cpu", precision="32", warmup_steps=2, validate_every=2)
HEARD = ["u9"]
"""The first of the three utterances that are held out."""


class Recorder:
    """Keeps what it is given."""

    def __init__(self):
        self.rows: dict[int, dict[str, float]] = {}
        self.sounds: dict[tuple[int, str], torch.Tensor] = {}
        self.pictures: dict[tuple[int, str], Any] = {}
        self.closed = False

    def figures(self, values, step):
        assert step not in self.rows
        self.rows[step] = dict(values)

    def sound(self, name, samples, sample_rate, step):
        assert sample_rate == 22050
        self.sounds[step, name] = samples

    def picture(self, name, picture, step):
        self.pictures[step, name] = picture

    def close(self):
        self.closed = True


def train(sinks, *, spec=SPEC, steps=4, settings=CPU, saving=None, data=None):
    """Train, with what makes sinks for the steps done before."""
    seed_everything(0)
    model, data, history = KokoroModel.from_spec(spec), data or tiny_data(), History()
    observers = [] if sinks is None else [TrainingLog(Sampler(model, data), history, sinks)]
    budget = StepBudget(steps)
    fit(model, data, budget, settings, saving=saving, observers=observers, history=history)
    return model, history


@pytest.fixture(scope="module")
def logged():
    recorder = Recorder()
    model, history = train(lambda done: [recorder] if done == 0 else [])
    return recorder, model, history


def test_each_step_has_its_losses_and_the_rate_of_the_next(logged):
    recorder, _, history = logged
    assert list(recorder.rows) == [1, 2, 3, 4]
    for entry in history.training:
        row = recorder.rows[entry.step]
        assert {n: row[f"training/{n}"] for n in entry.losses} == entry.losses
    assert recorder.rows[1]["rate"] > recorder.rows[3]["rate"] > 0


def test_gradient_norms_of_the_parts_add_up_to_that_of_all_before_clipping(logged):
    recorder, _, _ = logged
    for row in recorder.rows.values():
        parts = [each for name, each in row.items() if name.startswith("gradient_norm/")]
        assert len(parts) == 3
        assert math.hypot(*parts) == pytest.approx(row["gradient_norm"], rel=1e-5)
    assert max(row["gradient_norm"] for row in recorder.rows.values()) > 1  # clipped to 1


def test_each_validation_has_its_losses_sounds_and_pictures(logged):
    recorder, _, history = logged
    assert [each.step for each in history.validation] == [2, 4]
    for entry in history.validation:
        row = recorder.rows[entry.step]
        assert {n: row[f"held_out/{n}"] for n in entry.losses} == entry.losses
    assert not any(name.startswith("held_out") for name in (*recorder.rows[1], *recorder.rows[3]))
    kinds = ["mel", "alignment"]
    assert list(recorder.pictures) == [
        (step, f"{kind}/{name}") for step in (2, 4) for name in HEARD for kind in kinds
    ]
    spoken = [key for key in recorder.sounds if key[1].startswith("spoken")]
    assert spoken == [(step, f"spoken/{name}") for step in (2, 4) for name in HEARD]
    recordings = {key: len(each) for key, each in recorder.sounds.items() if key not in spoken}
    frames = {name: len(tiny_data().held_out[i].mel) for i, name in enumerate(HEARD)}
    assert recordings == {(2, f"recording/{name}"): 256 * frames[name] for name in HEARD}
    assert recorder.closed


def test_a_training_that_is_logged_is_that_of_one_that_is_not_to_the_bit(logged):
    _, model, history = logged
    plain, of_plain = train(None)
    assert all(map(torch.equal, model.parameters(), plain.parameters()))
    assert [e.losses for e in history.training] == [e.losses for e in of_plain.training]


def test_an_aligner_shows_its_probabilities_and_stages_their_rates():
    spec = load_spec(
        "voice", overrides={**TINY, "vocoder": None, "aligner": {"type": "forward_sum"}}
    )
    judge = AdversarialParams(discriminators=(PatchParams(channels=4, num_layers=2),), start=0)
    recorder = Recorder()
    settings = TrainingSettings(device="cpu", precision="32", objective=judge, validate_every=2)
    train(lambda done: [recorder], spec=spec, steps=2, settings=settings)
    assert recorder.sounds == {}
    [axes] = recorder.pictures[2, "alignment/u9"].axes
    frames = len(tiny_data().held_out[0].mel)
    assert axes.images[0].get_array().shape == (4, frames)
    assert {"rate/generator", "rate/discriminator", "gradient_norm/objective"} <= {
        *recorder.rows[1]
    }


def crash_at(step, patch):
    """Let a training fail in the batch after so many steps."""
    compute = TrainingModule.training_step
    patch.setattr(
        TrainingModule,
        "training_step",
        lambda module, *rest: 1 / 0 if module.step == step else compute(module, *rest),
    )


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """The logs of a training that failed in its fourth step and went on from its second."""
    folder = tmp_path_factory.mktemp("crashed")
    saving = {"folder": folder / "steps", "every": 2}
    names: tuple[LoggerName, ...] = ("csv", "tensorboard")

    def sinks(done):
        assert done in (0, 2)
        return make_sinks(names, folder / "logs", done)

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        crash_at(3, patch)
        with pytest.raises(ZeroDivisionError):
            train(sinks, saving=Saving(**saving))
    train(sinks, saving=Saving(**saving, resume=True))
    return folder / "logs"


def test_a_csv_file_has_each_step_once_also_where_a_training_went_on(crashed, logged):
    with (crashed / "csv" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = logged[0].rows
    for kind, steps in (("training/loss", [1, 2, 3, 4]), ("held_out/loss", [2, 4])):
        found = {int(row["step"]): float(row[kind]) for row in rows if row[kind]}
        assert sorted(int(row["step"]) for row in rows if row[kind]) == steps
        assert found == {step: expected[step][kind] for step in steps}


def test_sounds_and_pictures_lie_beside_the_csv_file(crashed):
    folders = [each.name for each in sorted((crashed / "csv").iterdir()) if each.is_dir()]
    assert folders == ["step-000000002", "step-000000004"]
    with wave.open(str(crashed / "csv" / folders[0] / "recording-u9.wav")) as file:
        assert file.getnframes() == 256 * len(tiny_data().held_out[0].mel)
    assert (crashed / "csv" / folders[1] / "alignment-u9.png").read_bytes()[1:4] == b"PNG"


def test_tensorboard_reads_each_step_once(crashed, logged):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(crashed / "tensorboard")).Reload()
    losses = events.Scalars("training/loss")
    assert [each.step for each in losses] == [1, 2, 3, 4]
    assert [each.value for each in losses] == pytest.approx(
        [row["training/loss"] for row in logged[0].rows.values()], rel=1e-6
    )
    tags = events.Tags()
    assert {*tags["images"]} == {"mel/u9", "alignment/u9"}
    assert {*tags["audio"]} == {"spoken/u9", "recording/u9"}


def test_a_name_that_would_lead_elsewhere_stays_in_the_folder(tmp_path):
    sink = CsvFile(tmp_path / "csv", 0)
    sink.sound("spoken/../../../a b", torch.zeros(10), 22050, 3)
    [file] = (tmp_path / "csv").rglob("*.wav")
    assert file.name == "spoken-..-..-..-a-b.wav"
    assert file.parent.name == "step-000000003"


def test_any_logger_of_lightning_gets_the_figures():
    class Own:
        def __init__(self):
            self.given = []

        def log_metrics(self, metrics, step):
            self.given.append((metrics, step))

        def finalize(self, status):
            self.given.append(status)

    own: Any = Own()
    train(lambda done: [AnyLogger(own)], steps=1)
    assert [each if each == "success" else each[1] for each in own.given] == [1, "success"]
    assert own.given[0][0]["training/loss"] > 0


def test_a_logger_whose_package_is_missing_is_refused_before_data_is_read(monkeypatch):
    monkeypatch.setattr("kokoro_plugins.training.watching.sinks.find_spec", lambda name: None)
    refuse_missing(["csv"])
    with pytest.raises(ValueError, match=r"pip install 'kokoro-core\[tensorboard\]'"):
        refuse_missing(["csv", "tensorboard"])


def test_the_data_of_a_training_without_anything_held_out_is_logged_too():
    recorder = Recorder()
    data = tiny_data(holdout=0)
    assert isinstance(data, AlignedSpeech)
    train(lambda done: [recorder], steps=1, data=data)
    assert list(recorder.rows) == [1]
    assert not recorder.pictures
