"""A published architecture of our own making, and the importer that a stranger would bring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import Importer, ImportPlan, Origin, Published
from kokoro_core.slots import ImporterParams
from registry import ComponentRegistry, Plugins, Registration, installed_plugins

CONFIG = {"model_type": "toy", "width": 16, "vocab_size": 5, "norm": "pre"}
SYMBOLS = {"<pad>": 0, "a": 1, "b": 2, "c": 3, "<end>": 4}


def joined(*tensors: Tensor) -> Tensor:
    return torch.cat(tensors)


def transposed(tensor: Tensor) -> Tensor:
    return tensor.transpose(0, 1)


def last(tensor: Tensor) -> Tensor:
    return tensor[80:]


def rest(tensor: Tensor) -> Tensor:
    return tensor[:80]


class ToyImporter(Importer):
    """Keys and values stand apart, a layer is transposed, mel and stop are one layer."""

    def plan(self, published: Published) -> ImportPlan:
        config = published.config
        config.only("norm", "pre", because="the toy has no other")
        config.pass_over("seed", because="it is of the training")
        return ImportPlan(
            spec=toy_spec(config.get("width", 16), config.get("vocab_size", 5), published.symbols),
            origin=origin,
            leaves={r"discriminator\..*": "it is needed in training alone"},
        )


class ToyImporterParams(ImporterParams):
    """The toy."""

    model_types: ClassVar[tuple[str, ...]] = ("toy", "toy_too")
    type: Literal["toy"] = "toy"

    def build(self) -> ToyImporter:
        return ToyImporter()


def origin(name: str) -> Origin:
    if ".key_value." in name:
        names = tuple(name.replace("key_value", each) for each in ("key", "value"))
        return Origin(names, "joined", joined)
    if name == "decoder.frame_in.weight":
        return Origin(("decoder.prenet",), "transpose", transposed)
    for ours, how, make in (("mel_out", "rows to 80", rest), ("stop_out", "rows from 80", last)):
        if name.startswith(f"decoder.{ours}."):
            return Origin((name.replace(ours, "head"),), how, make)
    return Origin((name,))


def toy_spec(width: int, vocab_size: int, symbols: tuple[str, ...] | None) -> dict[str, Any]:
    layers = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}
    frontend = {"type": "symbols", "symbols": symbols, "end": "<end>"}
    return {
        "name": "toy",
        "vocab_size": vocab_size,
        "hidden_dim": width,
        "encoder": layers,
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": layers,
        "frontend": None if symbols is None else frontend,
    }


def plugins() -> Plugins:
    ours = installed_plugins()
    own = Registration(ToyImporterParams, "toys", "acme-toys", "1.0")
    return replace(ours, components=ComponentRegistry([*ours.components, own]))


def toy_model() -> KokoroModel:
    torch.manual_seed(5)
    return KokoroModel.from_spec(toy_spec(16, 5, None))


def published_tensors(model: KokoroModel) -> dict[str, Tensor]:
    """Take our tensors apart as the toy's authors have them."""
    found: dict[str, Tensor] = {}
    state = model.acoustic.state_dict()
    for name, tensor in state.items():
        if ".key_value." in name:
            key, value = tensor.chunk(2)
            found[name.replace("key_value", "key")] = key.clone()
            found[name.replace("key_value", "value")] = value.clone()
        elif name == "decoder.frame_in.weight":
            found["decoder.prenet"] = tensor.t().contiguous()
        elif "mel_out" not in name and "stop_out" not in name:
            found[name] = tensor.clone()
    for each in ("weight", "bias"):
        pair = [state[f"decoder.{head}.{each}"] for head in ("mel_out", "stop_out")]
        found[f"decoder.head.{each}"] = torch.cat(pair)
    return found


def publish(folder: Path, model: KokoroModel, **config: Any) -> dict[str, Tensor]:
    """Write a folder as the toy's authors would, and return its tensors."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}), encoding="utf-8")
    tensors = published_tensors(model)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return tensors
