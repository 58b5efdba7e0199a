"""What could not be loaded again is noticed before it is written, and before it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, final

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm

from kokoro_core import KokoroModel
from kokoro_core.contracts import Encoder
from kokoro_core.errors import CheckpointError
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams
from kokoro_core.tensors.masks import zero_padding
from registry import ComponentRegistry, Plugins, Registration, installed_plugins
from tests.kokoro_core.test_api import DURATIONS, INDICES, tiny


@final
class Adapter(nn.Module):
    """A low-rank adapter around a layer, as fine-tuning toolkits put them."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.base(x)
        return result


@final
class ThriceEncoder(Encoder):
    """One layer under three names, as ALBERT has it."""

    def __init__(self, *, vocab_size: int, hidden_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        layer = nn.Linear(hidden_dim, hidden_dim)
        self.layers = nn.ModuleList([layer, layer, layer])

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        hidden = self.embedding(phoneme_indices)
        for layer in self.layers:
            hidden = layer(hidden).tanh()
        return zero_padding(hidden, padding_mask)


class ThriceParams(EncoderParams):
    """One layer three times."""

    type: Literal["thrice"] = "thrice"

    def build(self, sizes: Sizes) -> ThriceEncoder:
        return ThriceEncoder(vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim)


class UnregisteredParams(ThriceParams):
    """Of no plugin."""


class NormedParams(EncoderParams):
    """A layer of a class that each build defines anew, with weight norm."""

    type: Literal["normed"] = "normed"

    def build(self, sizes: Sizes) -> Encoder:
        class Squashed(nn.Linear):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x).tanh()

        class NormedEncoder(Encoder):
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(sizes.vocab_size, sizes.hidden_dim)
                self.layer = Squashed(sizes.hidden_dim, sizes.hidden_dim)
                parametrizations.weight_norm(self.layer)

            def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
                return zero_padding(self.layer(self.embedding(phoneme_indices)), padding_mask)

        return NormedEncoder()


def plugins() -> Plugins:
    own = [Registration(each, "own", "own", "1") for each in (ThriceParams, NormedParams)]
    return replace(
        installed_plugins(), components=ComponentRegistry([*installed_plugins().components, *own])
    )


pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning",  # torch's own, at import
    "ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning",
)


def compiled(model: KokoroModel) -> None:
    model.acoustic.encoder = torch.compile(model.acoustic.encoder)  # type: ignore[assignment]


def compiled_within(model: KokoroModel) -> None:
    stop_out: Any = model.acoustic.decoder.get_submodule("stop_out")
    model.acoustic.decoder.set_submodule("stop_out", torch.compile(stop_out))  # type: ignore[arg-type]


def stop_out(model: KokoroModel) -> nn.Module:
    return model.acoustic.decoder.get_submodule("stop_out")


def weight_norm(model: KokoroModel) -> None:
    parametrizations.weight_norm(stop_out(model))


def old_spectral_norm(model: KokoroModel) -> None:
    spectral_norm(stop_out(model))


def pruning(model: KokoroModel) -> None:
    prune.l1_unstructured(stop_out(model), "weight", amount=1)


def adapter(model: KokoroModel) -> None:
    model.acoustic.decoder.set_submodule("stop_out", Adapter(stop_out(model)))


def data_parallel(model: KokoroModel) -> None:
    model.acoustic.encoder = nn.DataParallel(model.acoustic.encoder)  # type: ignore[assignment]


def wider(model: KokoroModel) -> None:
    model.acoustic.decoder.set_submodule("stop_out", nn.Linear(16, 2))


def half_a_model(model: KokoroModel) -> None:
    model.acoustic.encoder.to(torch.bfloat16)


def tied(model: KokoroModel) -> None:
    encoder = model.acoustic.encoder
    layers: Any = encoder.get_submodule("layers")
    layers[1] = layers[0]


def without_a_part(model: KokoroModel) -> None:
    model.acoustic.duration_predictor = None


def of_another_class(model: KokoroModel) -> None:
    encoder = model.acoustic.encoder
    encoder.__class__ = type("OtherEncoder", (type(encoder),), {})


class LouderLinear(nn.Linear):
    """Tensors as those of its base class, and another function of them."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def louder(model: KokoroModel) -> None:
    layer = LouderLinear(16, 1)
    layer.load_state_dict(stop_out(model).state_dict())
    model.acoustic.decoder.set_submodule("stop_out", layer)


def louder_and_compiled(model: KokoroModel) -> None:
    louder(model)
    compiled_within(model)


def louder_namesake(model: KokoroModel) -> None:
    louder(model)
    stop_out(model).__class__ = type("Linear", (LouderLinear,), {})


def more_within(model: KokoroModel) -> None:
    model.acoustic.encoder.get_submodule("layers.0").add_module("squash", nn.Tanh())


def less_within(model: KokoroModel) -> None:
    for path, module in model.acoustic.encoder.named_modules():
        if isinstance(module, nn.Dropout):
            model.acoustic.encoder.set_submodule(path, nn.Identity())


def without_a_regulator(model: KokoroModel) -> None:
    model.acoustic.regulator = None


def without_data(model: KokoroModel) -> None:
    model.to("meta")


CHANGES: list[tuple[Callable[[KokoroModel], None], str]] = [
    (
        weight_norm,
        r"`decoder\.stop_out\.parametrizations\.weight\.original0` is not in the spec's model.*"
        r"`torch\.nn\.utils\.parametrize\.remove_parametrizations` of `decoder\.stop_out`",
    ),
    (
        old_spectral_norm,
        r"`decoder\.stop_out\.weight` is missing.*`torch\.nn\.utils\.remove_spectral_norm`",
    ),
    (pruning, r"`decoder\.stop_out\.weight` is missing.*`torch\.nn\.utils\.prune\.remove`"),
    (
        adapter,
        r"`decoder\.stop_out\.down\.weight` is not in the spec's model.*Merge an adapter into",
    ),
    (data_parallel, r"`encoder` is a `DataParallel`, .*Save the module that `encoder` wraps"),
    (wider, r"`decoder\.stop_out\.weight` is \(2, 16\), not \(1, 16\)"),
    (half_a_model, "is bfloat16 and others are float32; a model has one floating type"),
    (tied, "lie in the same memory"),
    (without_a_part, r"`duration_predictor\..*` is missing"),
    (of_another_class, "`encoder` is a `OtherEncoder`, not a `TransformerEncoder`"),
    (
        louder,
        r"`decoder\.stop_out` is a `LouderLinear`, not a `Linear`\. Put back what the spec "
        r"has there, .* or make the part a component of a plugin and name it in the spec",
    ),
    (louder_and_compiled, r"`decoder\.stop_out` is a `LouderLinear`, not a `Linear`"),
    (
        louder_namesake,
        r"`decoder\.stop_out` is a `tests\.kokoro_core\.checkpoints\.test_savable\.Linear`, "
        r"not a `torch\.nn\.modules\.linear\.Linear`",
    ),
    (more_within, r"`encoder\.layers\.0\.squash` \(`Tanh`\) is not in the spec's model"),
    (less_within, r"`encoder\.\S+` is a `Identity`, not a `Dropout`"),
    (without_a_regulator, r"`regulator` \(`RepeatRegulator`\) is missing"),
    (without_data, "on the meta device and has no data"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[each.__name__ for each, _ in CHANGES])
def test_what_could_not_be_loaded_is_neither_savable_nor_saved(
    change: Callable[[KokoroModel], None], message: str, tmp_path: Path
) -> None:
    model = tiny()
    path = tmp_path / "model.safetensors"
    model.save(path)
    before = path.read_bytes()
    change(model)
    with pytest.raises(CheckpointError, match=f"(?s){message}"):
        model.check_savable()
    with pytest.raises(CheckpointError, match=f"(?s){message}"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("change", [compiled, compiled_within])
def test_a_compiled_part_is_saved_and_loaded_as_its_original(
    change: Callable[[KokoroModel], None], tmp_path: Path
) -> None:
    model = tiny().eval()
    model.save(tmp_path / "plain.safetensors")
    change(model)
    model.check_savable()
    model.save(tmp_path / "compiled.safetensors")
    written = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("plain", "compiled")]
    assert written[0] == written[1]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model.load_weights(tmp_path / "plain.safetensors")
    other = KokoroModel.load(tmp_path / "compiled.safetensors")
    expected = list(other.parameters())
    found = list(model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def of_own_encoder(name: str) -> KokoroModel:
    return KokoroModel.from_spec(
        "small",
        overrides={"encoder": {"type": name}, "frontend": None, "vocoder": None},
        plugins=plugins(),
    )


def test_a_layer_that_is_parametrized_by_its_component_is_what_it_is_by_its_spec(
    tmp_path: Path,
) -> None:
    model = of_own_encoder("normed").eval()
    model.save(tmp_path / "model.safetensors")
    loaded = KokoroModel.load(tmp_path / "model.safetensors", plugins=plugins()).eval()
    mask = INDICES == 0
    assert torch.equal(
        loaded.acoustic.encoder(INDICES, mask), model.acoustic.encoder(INDICES, mask)
    )
    layer = model.acoustic.encoder.get_submodule("layer")
    layer.__class__ = type("ParametrizedOther", (LouderLinear,), {})
    with pytest.raises(CheckpointError, match=r"`encoder\.layer` is a `LouderLinear`, not a `Squ"):
        model.check_savable()


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.int8, torch.float16], ids=str)
def test_what_speaking_keeps_is_no_part_of_the_model_that_is_saved(
    dtype: torch.dtype | None,
) -> None:
    model = KokoroModel.from_spec("small", overrides={"decoder.num_layers": 1}).eval()
    model.generate(INDICES, durations=DURATIONS, dtype=dtype)
    model.check_savable()


def test_a_part_that_uses_one_layer_three_times_is_found_before_it_is_trained() -> None:
    model = of_own_encoder("thrice")
    with pytest.raises(CheckpointError, match=r"`encoder\.layers\.0\.\S+` and `encoder\.layers\.1"):
        model.check_savable()


def test_a_spec_that_no_file_can_hold_is_found_before_it_is_trained() -> None:
    spec = tiny().spec.model_copy(update={"encoder": UnregisteredParams()})
    with pytest.raises(CheckpointError, match=r"could not be read again.*UnregisteredParams"):
        KokoroModel.from_spec(spec, plugins=plugins()).check_savable()


def test_a_path_that_nothing_writes_to_is_no_place_to_save() -> None:
    with pytest.raises(CheckpointError, match="suffix that no checkpointer handles"):
        tiny().check_savable("model.zip")


def test_asking_draws_no_random_number_and_changes_nothing() -> None:
    model = tiny(postnet={"type": "conv", "channels": 8})
    state, random = model.state_dict(), torch.get_rng_state()
    kept = {name: each.clone() for name, each in state.items()}
    model.check_savable()
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(each, kept[name]) for name, each in model.state_dict().items())
    assert model.training


def test_a_half_precision_model_is_savable() -> None:
    tiny().to(torch.bfloat16).check_savable()


def test_a_decoder_that_was_compiled_speaks_as_its_original() -> None:
    model = tiny().eval()
    expected = model.generate(INDICES, durations=DURATIONS).mel
    model.acoustic.decoder = torch.compile(model.acoustic.decoder)  # type: ignore[assignment]
    assert torch.equal(model.generate(INDICES, durations=DURATIONS).mel, expected)
    assert torch.equal(torch.cat(list(model.stream(INDICES, durations=DURATIONS)), 1), expected)
