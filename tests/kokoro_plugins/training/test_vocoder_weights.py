"""A model whose vocoder has weights is trained as one without, and keeps them on every way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from kokoro_core import KokoroModel, load_spec
from kokoro_core.checkpoints.vocoder_file import SavedVocoder
from kokoro_plugins.training.beginning import begin_from
from kokoro_plugins.training.demo.demo import surroundings
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.schedule import StepBudget
from kokoro_plugins.training.resume.conditions import ResumeRefused
from kokoro_plugins.training.settings import Saving, TrainingSettings
from kokoro_plugins.training.watching.samples import Sampler
from tests.kokoro_core.checkpoints.vocoder_toy import plugins, toy_vocoder
from tests.kokoro_plugins.training.jobs import SPEC, tiny_data

NAMED = load_spec(SPEC, overrides={"vocoder": {"type": "two_layers"}}, plugins=plugins())
HOW = TrainingSettings(device="cpu", precision="32", validate_every=2, average=0.9)


def own_vocoder(seed: int = 3) -> SavedVocoder:
    assert NAMED.audio is not None
    return toy_vocoder(seed, audio=NAMED.audio)


def train(out: Path, vocoder: SavedVocoder | None, *, resume: bool = False) -> KokoroModel:
    seed_everything(0)
    model = KokoroModel.from_spec(NAMED, plugins=plugins())
    if vocoder is not None:
        model.attach_vocoder(vocoder)
    saving = Saving(out, every=1, keep_last=20, resume=resume)
    fit(model, tiny_data(), StepBudget(3), HOW, saving=saving)
    return model


def of_vocoder(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: each for name, each in tensors.items() if name.startswith("vocoder.")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KokoroModel]:
    out = tmp_path_factory.mktemp("trained") / "steps"
    return out, train(out, own_vocoder())


def test_its_acoustic_model_learns_what_it_learns_without(
    trained: tuple[Path, KokoroModel], tmp_path: Path
) -> None:
    out, model = trained
    plain = train(tmp_path / "steps", None)
    for name, each in plain.acoustic.state_dict().items():
        assert torch.equal(model.acoustic.state_dict()[name], each)
    last = "step-000000003"
    with_it, without = (
        load_file(f / last / "model.safetensors") for f in (out, tmp_path / "steps")
    )
    assert with_it.keys() - without.keys() == of_vocoder(with_it).keys() != set()
    state, other = ((f / last / "training.safetensors") for f in (out, tmp_path / "steps"))
    assert load_file(state).keys() == load_file(other).keys()  # no averages of a vocoder
    assert plain.vocoder is None


def test_its_vocoder_is_not_moved(trained: tuple[Path, KokoroModel]) -> None:
    assert trained[1].vocoder is not None
    for name, each in own_vocoder().vocoder.state_dict().items():
        assert torch.equal(trained[1].vocoder.state_dict()[name], each)


def test_a_training_goes_on_with_the_vocoder_of_its_steps(
    trained: tuple[Path, KokoroModel], tmp_path: Path
) -> None:
    begun = shutil.copytree(trained[0], tmp_path / "steps")
    shutil.rmtree(begun / "step-000000003")
    model = train(begun, None, resume=True)
    whole = (each / "step-000000003" / "model.safetensors" for each in (trained[0], begun))
    first, second = (each.read_bytes() for each in whole)
    assert first == second
    assert model.vocoder is not None


def test_steps_of_a_model_without_one_do_not_go_on_with_one(tmp_path: Path) -> None:
    train(tmp_path / "steps", None)
    with pytest.raises(ResumeRefused, match=r"`vocoder.first.weight` is missing"):
        train(tmp_path / "steps", own_vocoder(), resume=True)


def test_what_begins_with_a_checkpoint_keeps_its_vocoder(
    trained: tuple[Path, KokoroModel], tmp_path: Path
) -> None:
    path, said = tmp_path / "model.safetensors", list[str]()
    trained[1].save(path)
    kept = begin_from(path, NAMED, (), plugins(), said.append)
    assert kept.vocoder is not None
    begin_from(path, SPEC, (), plugins(), said.append)
    assert [each.count("the spec has another vocoder, `griffin_lim`") for each in said] == [0, 4]


def test_what_watches_it_hears_it_where_its_vocoder_has_weights() -> None:
    heard = []
    for vocoder in (None, own_vocoder()):
        model = KokoroModel.from_spec(NAMED, plugins=plugins())
        if vocoder is not None:
            model.attach_vocoder(vocoder)
        [sample] = Sampler(model.eval(), tiny_data()).samples(with_recordings=True)
        heard.append(sorted(sample.sounds))
    assert heard == [[], ["recording", "spoken"]]


def test_the_demo_wants_one_that_has_weights() -> None:
    with pytest.raises(ValueError, match=r"The vocoder `two_layers` of `voice` has no weights yet"):
        surroundings(NAMED)
