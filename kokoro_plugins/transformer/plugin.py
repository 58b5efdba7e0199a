"""What the plugin brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.transformer.params import (
    MlpParams,
    ParallelTransformerParams,
    RepeatParams,
    SinusoidalParams,
    TransformerDecoderParams,
    TransformerEncoderParams,
)
from registry import ComponentClass, hookimpl


@hookimpl
def kokoro_components() -> Iterable[ComponentClass]:
    """Return the params classes."""
    return [
        TransformerEncoderParams,
        TransformerDecoderParams,
        ParallelTransformerParams,
        MlpParams,
        RepeatParams,
        SinusoidalParams,
    ]


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named specs."""
    folder = files("kokoro_plugins.transformer") / "specs"
    names = ("small", "base", "default", "voice", "quick", "parallel", "mixed")
    return {name: folder / f"{name}.yaml" for name in names}
