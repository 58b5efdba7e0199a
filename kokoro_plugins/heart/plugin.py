"""The plugin's hook."""

from __future__ import annotations

from importlib.resources import files

from registry import Voice, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_voices() -> tuple[Voice, ...]:
    """Return the voice."""
    here = files("kokoro_plugins.heart")
    return (Voice("heart", here / "heart.safetensors", here / "card.md"),)
