"""Overrides of what is around a trained model: how it is spoken with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kokoro_core.spec.text.overrides import Override, overrides_from_text

if TYPE_CHECKING:
    from kokoro_core.api import KokoroModel

AROUND = ("frontend", "vocoder", "generation")
"""The sections of a spec that say how a trained model is spoken with."""


def overrides_around(settings: Sequence[str], command: str) -> list[Override]:
    """Return overrides of what is around a trained model.

    Args:
        settings: Texts such as ``generation.speed=0.9``.
        command: Whose options they are.

    Raises:
        ValueError: One is of the model itself.
        SpecError: One is not written as an override is.
    """
    overrides = overrides_from_text(list(settings))
    inside = [each.origin for each in overrides if each.path[0] not in AROUND]
    if inside:
        raise ValueError(
            f"`{inside[0]}` changes the model that was trained; `{command}` sets "
            f"{', '.join(f'`{name}`' for name in AROUND)} alone."
        )
    return overrides


def set_around(model: KokoroModel, overrides: Sequence[Override]) -> None:
    """Change what is around a trained model.

    Raises:
        ValueError: Another vocoder with weights is named than the one that there are weights for.
        SpecError: The spec has problems then.
    """
    from kokoro_core.spec.load import load

    if not overrides:
        return
    spec = load(model.spec, overrides, model.plugins)
    has_weights = model.vocoder is not None and spec.vocoder is not None and spec.vocoder.trained
    if has_weights and spec.vocoder != model.spec.vocoder:
        origin = next(each.origin for each in overrides if each.path[0] == "vocoder")
        raise ValueError(
            f"`{origin}` would speak through another vocoder than the one that the checkpoint has "
            f"weights for; one without weights can be set, such as `--set "
            f"'vocoder={{type: griffin_lim}}'`."
        )
    model.spec = spec
