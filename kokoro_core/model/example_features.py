"""Features of the right form where their values do not matter."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from kokoro_core.model.wiring import Wiring
from kokoro_core.params.features import Feature
from kokoro_core.spec.rules.intake import REFERENCE, REFERENCE_MASK


def example_features(
    wiring: Wiring, steps: Mapping[str, int], *, training: bool, device: str = "cpu"
) -> dict[str, Tensor]:
    """Return zeros for all that must be given to a model.

    Args:
        wiring: Of the model.
        steps: How many there are of what a feature may be per: ``row``, ``phoneme``, ``frame``;
            ``mel`` is the number of mel channels.
        training: Whether it is trained or speaks.
        device: Where they are made.

    Raises:
        LookupError: The form of one is not declared; it names all of them.
    """
    given = wiring.given()
    required = sorted(wiring.required(training=training))
    unknown = [name for name in required if given[name] is None and name != REFERENCE_MASK]
    if unknown:
        raise LookupError(", ".join(f"`{name}`" for name in unknown))
    made = {}
    for name in required:
        feature = given[name]
        if name == REFERENCE_MASK:
            shape = (steps["row"], steps["frame"])
            made[name] = torch.zeros(shape, dtype=torch.bool, device=device)
        elif feature is not None:
            dtype = torch.int64 if feature.kind == "index" else torch.get_default_dtype()
            made[name] = torch.zeros(_shape(name, feature, steps), dtype=dtype, device=device)
    return made


def _shape(name: str, feature: Feature, steps: Mapping[str, int]) -> tuple[int, ...]:
    rows = (steps["row"],)
    if name == REFERENCE or feature.per == "recording":
        return (*rows, steps["frame"], steps["mel"])
    along = () if feature.per == "row" else (steps[feature.per],)
    width = () if feature.kind == "index" or feature.width is None else (feature.width,)
    return (*rows, *along, *width)
