"""`ModelSubject`: a whole model under test, made small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from pydantic import ValidationError

from kokoro_core.api import KokoroModel
from kokoro_core.spec.capabilities import Capabilities
from kokoro_core.spec.model_spec import ModelSpec
from kokoro_core.testing.randomness import seed_torch
from kokoro_core.testing.subject import SIZES
from kokoro_core.testing.tiny import shrunk

PARTS = ("encoder", "duration_predictor", "regulator", "decoder", "postnet")


def small_spec(spec: ModelSpec) -> ModelSpec:
    """Return a spec with the same parts, made small, and nothing around them."""
    parts = {
        slot: None if (part := getattr(spec, slot)) is None else shrunk(without_width(part))
        for slot in PARTS
    }
    return spec.model_copy(
        update={
            **parts,
            "vocab_size": SIZES.vocab_size,
            "pad_id": SIZES.pad_id,
            "mel_dim": SIZES.mel_dim,
            "hidden_dim": SIZES.hidden_dim,
            "audio": None,
            "frontend": None,
            "vocoder": None,
        }
    )


def without_width(params: Any) -> Any:
    """Return the params with no width of their own, so that they take the spec's."""
    fields = {*params.takes.values(), *params.gives.values()} & type(params).model_fields.keys()
    values = {name: getattr(params, name) for name in type(params).model_fields}
    try:
        return type(params).model_validate({**values, **dict.fromkeys(fields)})
    except ValidationError:  # a width that must be said stays
        return params


@dataclass(frozen=True)
class ModelSubject:
    """A whole model under test.

    Attributes:
        spec: Of the model, already small.
        source: The spec's file or name, as a shell line would have it.
    """

    spec: ModelSpec
    source: str = ""

    slot = "model"
    capabilities = Capabilities()
    golden: Mapping[str, Any] | None = None
    first: bool = True
    variant: str = ""

    @property
    def name(self) -> str:
        """``model/`` and the spec's name."""
        return f"model/{self.spec.name}"

    def build(self, *, seed: int = 0) -> KokoroModel:
        """Build the model in float64, in evaluation mode; parameters get a little noise."""
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            model = KokoroModel.from_spec(self.spec)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
        return model.double().eval()

    @cached_property
    def component(self) -> KokoroModel:
        """One built model that all checks share; no check may change it."""
        return self.build()
