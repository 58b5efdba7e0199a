"""A folder with installed distributions: what pip leaves behind, without pip."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from registry import PluginRecord, Plugins, Policy, discover

GOOD = """
from typing import Literal
from kokoro_core import hookimpl
from kokoro_core.slots import EncoderParams
from registry import Command, Migration

class Params(EncoderParams):
    "An encoder that nobody builds here."
    type: Literal["{name}"] = "{name}"

    def build(self, sizes):
        raise AssertionError("built")

@hookimpl
def kokoro_components():
    return [Params]
"""
"""A plugin with one encoder."""


class Site:
    """A folder of distributions; each brings one plugin unless its entry points say more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        plugin: str,
        source: str,
        distribution: str = "",
        *,
        version: str = "1.0",
        entry_points: str | bytes | None = None,
        metadata_text: str | None = None,
    ) -> None:
        """Install a distribution with a module for one plugin."""
        distribution = distribution or f"dist-{plugin}"
        module = module_of(distribution, plugin)
        (self.folder / f"{module}.py").write_text(source, encoding="utf-8")
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        header = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(header if metadata_text is None else metadata_text)
        if entry_points is None:
            entry_points = f"[kokoro.plugins]\n{plugin} = {module}\n"
        if isinstance(entry_points, str):
            entry_points = entry_points.encode()
        (info / "entry_points.txt").write_bytes(entry_points)

    def entry_points(self) -> list[metadata.EntryPoint]:
        """Return the entry points of this folder alone."""
        found = metadata.distributions(path=[str(self.folder)])
        return [
            each for dist in found for each in dist.entry_points if each.group == "kokoro.plugins"
        ]

    def discover(self, policy: Policy | None = None, *, with_built_in: bool = False) -> Plugins:
        """Discover the plugins of this folder, alone or beside those of the framework."""
        found = self.entry_points()
        if with_built_in:
            box = metadata.distribution("kokoro-core").entry_points
            found += list(box.select(group="kokoro.plugins"))
        return discover(policy, entry_points=found)


def module_of(distribution: str, plugin: str) -> str:
    """Return the module of a plugin: no two in a folder have the same."""
    return f"{distribution}_{plugin}".replace("-", "_").replace(".", "_")


def record_of(plugins: Plugins, name: str) -> PluginRecord:
    """Return the one record of a plugin's name."""
    [found] = [each for each in plugins.records if each.name == name]
    return found
