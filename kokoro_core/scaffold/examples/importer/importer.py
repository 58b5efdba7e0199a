"""`ExampleImporter`."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import Importer, ImportPlan, Origin, Published, PublishedSettings

PREFIXES = {"encoder.": "text_encoder.", "decoder.": "mel_decoder."}
"""What our tensors' names begin with → what those of the published ones do."""


@final
class ExampleImporter(Importer):
    """Reads models that are a transformer on either side, as those of this framework are."""

    def plan(self, published: Published) -> ImportPlan:
        """Return how the published checkpoint becomes one of ours."""
        config = published.config
        config.only("activation", "relu", because="the layers have no other")
        config.pass_over("label_smoothing", because="it is of the training")
        leaves = {r"aligner\..*": "it is needed in training alone"}
        return ImportPlan(spec_of(config), origin_of, leaves)


def spec_of(config: PublishedSettings) -> dict[str, Any]:
    """Return the spec that published settings describe."""
    stack = {
        "type": "transformer",
        "num_layers": config.get("layers", 6),
        "num_heads": config.get("heads", 8),
        "ff_dim": config.get("inner", 2048),
    }
    return {
        "vocab_size": config.get("symbols", 63),
        "mel_dim": config.get("channels", 80),
        "hidden_dim": config.get("width", 512),
        "encoder": stack,
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": stack,
    }


def origin_of(name: str) -> Origin:
    """Return the published tensors that a tensor of ours is made of."""
    theirs = name
    for ours, published in PREFIXES.items():
        if name.startswith(ours):
            theirs = published + name.removeprefix(ours)
    if ".key_value." in theirs:  # theirs are two layers, ours is one
        names = tuple(theirs.replace("key_value", each) for each in ("key", "value"))
        return Origin(names, "joined", joined)
    return Origin((theirs,))


def joined(*tensors: Tensor) -> Tensor:
    """Return the rows of all tensors, one after the other."""
    return torch.cat(tensors)
