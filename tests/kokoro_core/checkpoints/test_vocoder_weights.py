"""A vocoder's weights in the checkpoint of a model: all of them or none, and never trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from kokoro_core import Adapt, AudioSettings, KokoroModel, SpecError
from kokoro_core.checkpoints.layout import CheckpointMismatch
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.errors import AudioMismatch, CheckpointError
from kokoro_core.model.vocoder import assemble_vocoder
from kokoro_core.speech import speak
from tests.kokoro_core.checkpoints.vocoder_toy import (
    AUDIO,
    HOP,
    UnbuiltParams,
    plugins,
    speaking,
    toy_vocoder,
    untrained,
)
from tests.kokoro_core.test_api import DURATIONS, INDICES

OWN = ["vocoder.first.bias", "vocoder.first.weight", "vocoder.second.bias", "vocoder.second.weight"]
MEL = torch.linspace(-8, 2, 5 * 80).reshape(1, 5, 80)
LENGTHS = torch.tensor([5])
PATH = "model.safetensors"
QUIET = Adapt(say=lambda _: None)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(path: str = PATH, **options: Any) -> KokoroModel:
    return KokoroModel.load(path, plugins=plugins(), **options)


def wave_of(model: KokoroModel) -> Tensor:
    assert model.vocoder is not None
    return model.vocoder.decode(MEL, LENGTHS)


def rewritten(change: Callable[[dict[str, Tensor]], object]) -> None:
    """Write the file of a model with a vocoder again, its tensors changed."""
    speaking().save(PATH)
    checkpointer = checkpointer_for(Path(PATH), plugins())
    metadata, tensors = checkpointer.read_metadata(Path(PATH)), checkpointer.load(Path(PATH))
    change(tensors)
    checkpointer.save(Path(PATH), tensors, metadata)


def test_they_travel_in_the_models_file_under_their_own_names() -> None:
    model = speaking()
    model.save(PATH)
    found = load_file(PATH)
    assert sorted(set(found) - set(model.acoustic.state_dict())) == OWN
    again = loaded()
    assert again.spec == model.spec
    assert torch.equal(wave_of(again), wave_of(model))
    assert wave_of(again).shape == (1, 5 * HOP)
    again.save("again.safetensors")
    assert Path("again.safetensors").read_bytes() == Path(PATH).read_bytes()


def test_a_model_without_them_has_no_key_of_them_and_says_what_brings_them() -> None:
    model = untrained()
    model(INDICES, torch.randn(2, 5, 80), DURATIONS).loss.backward()
    model.save(PATH)
    with safe_open(PATH, framework="pt") as file:
        assert not [each for each in file.keys() if each.startswith("vocoder")]  # noqa: SIM118
    again = loaded()
    assert again.vocoder is None
    assert "vocoder" not in again.get_model_info()["slots"]
    with pytest.raises(
        ValueError,
        match=r"The vocoder `two_layers` of `small` has no weights yet; `kokoro-core train-vocoder`"
        r" trains one, `kokoro-core checkpoint attach` puts .*`--set 'vocoder={type: griffin_lim",
    ):
        speak(again, "Hello.")


def test_they_are_no_part_of_what_trains() -> None:
    model = speaking()
    before = {name: each.clone() for name, each in model.state_dict().items() if "vocoder" in name}
    assert sorted(before) == OWN
    own = sum(each.numel() for each in before.values())
    info = model.get_model_info()
    acoustic = sum(each.numel() for each in model.acoustic.parameters())
    assert (info["total_parameters"], info["trainable_parameters"]) == (acoustic + own, acoustic)
    assert info["slots"]["vocoder"] == {"parameters": own, "bytes": 4 * own}
    wave = wave_of(model.train())  # dropout would be heard
    assert torch.equal(wave, wave_of(model.eval()))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model.train()(INDICES, torch.randn(2, 5, 80), DURATIONS).loss.backward()
    optimizer.step()
    assert all(torch.equal(model.state_dict()[name], each) for name, each in before.items())


def test_it_speaks_through_them_what_they_make_of_its_mel() -> None:
    model = speaking()
    spoken = speak(model, "a b a", durations=torch.tensor([[2, 3, 1]]))
    made = model.generate(torch.tensor([[1, 2, 1]]), durations=torch.tensor([[2, 3, 1]]))
    assert model.vocoder is not None
    mel = made.mel * AUDIO.std + AUDIO.mean
    torch.testing.assert_close(spoken.samples, model.vocoder.decode(mel, made.lengths)[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.pop("vocoder.first.bias"), "`vocoder.first.bias` is missing"),
        (
            lambda it: it.update({"vocoder.third": torch.zeros(1)}),
            "`vocoder.third` is not in the model",
        ),
        (
            lambda it: it.update({"vocoder.first.bias": torch.zeros(4)}),
            r"`vocoder.first.bias` is \(4,\), not \(3,\)",
        ),
        (
            lambda it: it.update({"vocoder.first.bias": torch.zeros(3).half()}),
            "`vocoder.first.bias` is float16 and others are float32",
        ),
    ],
)
def test_every_tensor_of_theirs_is_placed(change: Any, said: str) -> None:
    rewritten(change)
    for load_it in (loaded, lambda: untrained().load_weights(PATH), lambda: loaded(adapt=QUIET)):
        with pytest.raises(CheckpointMismatch, match=said):
            load_it()


def test_one_that_is_not_finite_is_refused_by_name() -> None:
    rewritten(lambda tensors: tensors["vocoder.second.weight"].fill_(torch.inf))
    for load_it in (loaded, lambda: untrained().load_weights(PATH), lambda: loaded(adapt=QUIET)):
        with pytest.raises(CheckpointError, match=r"`vocoder.second.weight` has 768 infinite"):
            load_it()


def test_model_and_vocoder_each_have_a_floating_type() -> None:
    model = speaking()
    model.acoustic.bfloat16()
    model.save(PATH)
    again = loaded()
    assert next(again.acoustic.parameters()).dtype is torch.bfloat16
    assert torch.equal(wave_of(again), wave_of(model))
    rewritten(lambda it: it.update({name: it[name].half() for name in OWN}))
    assert {each.dtype for each in loaded().state_dict().values()} == {torch.float32, torch.float16}


def test_a_model_that_is_there_takes_them_with_its_own_weights() -> None:
    speaking().save(PATH)
    other = untrained()
    other.load_weights(PATH)
    assert torch.equal(wave_of(other), wave_of(speaking()))
    before = other.vocoder
    untrained().save("without.safetensors")
    with pytest.raises(CheckpointMismatch, match=r"`vocoder.first.weight` is missing"):
        other.load_weights("without.safetensors")
    wider = untrained(vocoder={"type": "two_layers", "width": 4})
    with pytest.raises(CheckpointMismatch, match=r"`vocoder.width` is 3 in it and 4 in the model"):
        wider.load_weights(PATH)
    assert (other.vocoder, wider.vocoder) == (before, None)


def test_what_surrounds_a_model_may_differ_where_no_vocoder_has_weights() -> None:
    saved, other = untrained(), untrained(vocoder={"type": "griffin_lim"})
    saved.save(PATH)
    other.load_weights(PATH)
    assert other.spec.vocoder is not None
    assert other.spec.vocoder.type == "griffin_lim"
    for name, tensor in saved.acoustic.state_dict().items():
        assert torch.equal(other.acoustic.state_dict()[name], tensor)


def test_one_that_the_spec_does_not_describe_is_not_saved() -> None:
    model = speaking()
    assert model.vocoder is not None
    model.vocoder.first = nn.Sequential(nn.Linear(80, 3))
    with pytest.raises(
        CheckpointMismatch, match=r"not that of the spec: `vocoder.first` is a `Seq"
    ):
        model.save(PATH)
    model = speaking()
    model.spec = untrained(vocoder={"type": "griffin_lim"}).spec
    with pytest.raises(CheckpointMismatch, match=r"the spec has the vocoder `griffin_lim`. Attach"):
        model.save(PATH)
    model.vocoder = None
    model.save(PATH)
    assert Path(PATH).exists()


def test_another_vocoder_is_attached_only_to_a_model_of_the_same_mels() -> None:
    model = untrained(vocoder={"type": "griffin_lim"})
    with pytest.raises(
        AudioMismatch, match=r"other mels .* `small` makes: fmax: 7000.0 against 80"
    ):
        model.attach_vocoder(toy_vocoder(audio=AUDIO.model_copy(update={"fmax": 7000.0})))
    model.attach_vocoder(toy_vocoder(width=2))
    assert (model.spec.vocoder, model.plugins) == (toy_vocoder(width=2).params, model.plugins)
    silent = KokoroModel.from_spec(model.spec, overrides={"audio": None, "vocoder": None})
    with pytest.raises(AudioMismatch, match="the spec `small` has no `audio`"):
        silent.attach_vocoder(toy_vocoder())


@pytest.mark.parametrize(
    ("overrides", "kept", "why"),
    [
        ({"decoder.num_layers": 1}, True, ""),
        ({"vocoder.width": 4}, False, "the spec has another vocoder, `two_layers`"),
        ({"vocoder": {"type": "griffin_lim"}}, False, "another vocoder, `griffin_lim`"),
        ({"vocoder": None}, False, "the spec has no vocoder"),
        ({"audio.fmax": 7000.0}, False, "the spec has other mels: fmax: 8000.0 against 7000.0"),
    ],
)
def test_an_adapted_model_keeps_them_or_says_why_not(
    overrides: dict[str, Any], kept: bool, why: str
) -> None:
    model = speaking()
    model.save(PATH)
    said: list[str] = []
    new = loaded(adapt=Adapt(overrides=overrides, say=said.append))
    assert new.adaptation is not None
    taken = sorted(each for each in new.adaptation.taken if "vocoder" in each)
    assert taken == (OWN if kept else [])
    if kept:
        assert torch.equal(wave_of(new), wave_of(model))
        assert new.vocoder is not None
        assert not any(each.requires_grad for each in new.vocoder.parameters())
    else:
        assert new.vocoder is None
        assert set(OWN) <= set(new.adaptation.left)
        assert why in said[0]


def test_a_folder_of_the_hub_holds_them() -> None:
    model = speaking()
    pytest.importorskip("huggingface_hub")
    model.save_pretrained("voice")
    again = KokoroModel.from_pretrained("voice", plugins=plugins())
    assert torch.equal(wave_of(again), wave_of(model))


def test_a_plugin_that_builds_none_is_blamed() -> None:
    with pytest.raises(SpecError, match=r"'unbuilt' of `tests` returned a Linear, not a `NeuralVo"):
        assemble_vocoder(UnbuiltParams(), AudioSettings())
