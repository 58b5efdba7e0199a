"""Which components the properties are tried on, and how small they are made."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from kokoro_core.slots import POSITIONAL_ENCODING, PositionalEncodingParams
from kokoro_core.spec.params import ComponentParams
from kokoro_core.spec.sizes import Sizes
from kokoro_core.testing import Probe, make_probe
from registry import installed_plugins

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)
NUM_HEADS = 2
MAX_LEN = 64
PROPERTY = settings(max_examples=settings().max_examples // 2)  # of the profile; corners come extra
SLOTS = ("encoder", "duration_predictor", "regulator", "decoder", "postnet")

_STACK = {"num_layers": 2, "num_heads": NUM_HEADS, "ff_dim": 20, "dropout": 0.0}

TINY: dict[str, dict[str, dict[str, Any]]] = {
    "encoder/transformer": {"pre": _STACK, "post": {**_STACK, "norm": "post"}},
    "duration_predictor/mlp": {"": {"dropout": 0.0}},
    "duration_predictor/conv": {"": {"channels": 12, "dropout": 0.0}},
    "regulator/repeat": {"": {}},
    "regulator/gaussian": {"": {}, "middle": {"frame_time": "middle"}},
    "decoder/transformer": {
        "pre": _STACK,
        "post": {**_STACK, "norm": "post"},
        "place": {**_STACK, "place": {"size": 3}},
        "bare": {**_STACK, "add_memory": False, "memory_positions": False},
    },
    "decoder/parallel_transformer": {
        "pre": _STACK,
        "post": {**_STACK, "norm": "post"},
        "place": {**_STACK, "place": {"size": 3}},
    },
    "postnet/conv": {"": {"channels": 8, "num_layers": 3, "dropout": 0.0}},
    "positional_encoding/sinusoidal": {"": {"max_len": MAX_LEN}},
    "positional_encoding/learned": {"": {"max_len": MAX_LEN}},
    "positional_encoding/rotary": {"": {}},
    "positional_encoding/alibi": {"": {}},
    "positional_encoding/none": {"": {}},
}
"""By ``slot/name``, then by variant, the settings of a component small enough to try often."""

REGISTRY = installed_plugins().components


def registered(*slots: str) -> list[str]:
    """Return ``slot/name`` of every component that the installed plugins register in the slots."""
    return [f"{slot}/{name}" for slot in slots for name in REGISTRY.names(slot)]


def cases(*slots: str) -> list[str]:
    """Return ``slot/name/variant`` of every registered component, as the ids of the tests."""
    return [f"{key}/{variant}" for key in registered(*slots) for variant in TINY.get(key, ())]


def tiny_params(case: str, **overrides: Any) -> ComponentParams:
    """Return the params of a case."""
    slot, name, variant = case.split("/")
    concrete = REGISTRY.find(slot, name).component
    chosen = {**TINY[f"{slot}/{name}"][variant], **overrides}
    if chosen.get("dropout") and "dropout" not in concrete.model_fields:
        del chosen["dropout"]
    return concrete.model_validate(chosen, context={"registry": REGISTRY})


def tiny_probe(case: str, **overrides: Any) -> Probe[Any]:
    """Return the probe of a case."""
    return make_probe(tiny_params(case, **overrides), SIZES)


def encoding_params(name: str) -> PositionalEncodingParams:
    """Return the params of a positional encoding."""
    return REGISTRY.get(POSITIONAL_ENCODING, name)(**TINY[f"positional_encoding/{name}"][""])


def attention_cases(*slots: str) -> list[tuple[str, str]]:
    """Return each component that takes a positional encoding with each of these."""
    takers = [
        case
        for case in cases(*slots)
        if "positional_encoding" in type(tiny_params(case)).model_fields
    ]
    return [(case, name) for case in takers for name in REGISTRY.names("positional_encoding")]
