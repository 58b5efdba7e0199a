"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.latent.params import LatentDecoderParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the decoder over latents."""
    return (LatentDecoderParams,)


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named spec."""
    return {"latent-small": files("kokoro_plugins.latent") / "specs" / "latent-small.yaml"}
