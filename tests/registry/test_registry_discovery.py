"""Discovery: plugins of distributions on a path, each loaded in its own guard."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

from registry import Command, PluginRecord, Plugins, discover, installed_plugins
from registry.errors import UnknownNamedSpec

GOOD = """
from registry import Command, hookimpl

class {name}Params:
    slot, component_name = "encoder", "{name}"

@hookimpl
def kokoro_components():
    return [{name}Params]
"""


class Site:
    """A folder with distributions that bring plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, plugin: str, source: str, distribution: str = "", version: str = "1.0") -> None:
        distribution = distribution or f"dist-{plugin}"
        module = f"{distribution}_{plugin}".replace("-", "_")
        (self.folder / f"{module}.py").write_text(dedent(source))
        info = self.folder / f"{distribution}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        header = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(header)
        entry_points = f"[kokoro.plugins]\n{plugin} = {module}\n"
        (info / "entry_points.txt").write_text(entry_points)

    def entry_points(self) -> list[metadata.EntryPoint]:
        found = metadata.distributions(path=[str(self.folder)])
        return [each for dist in found for each in dist.entry_points]

    def discover(self, *block: str) -> Plugins:
        return discover(block=block, entry_points=self.entry_points())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def record_of(plugins: Plugins, name: str) -> PluginRecord:
    return next(each for each in plugins.records if each.name == name)


def test_a_plugin_brings_components_specs_and_commands_with_its_origin(site: Site) -> None:
    source = """
    from pathlib import Path

    @hookimpl
    def kokoro_specs():
        return {"tiny": Path("tiny.yaml")}

    @hookimpl
    def kokoro_commands():
        return [Command("hum", "Hum.", "os.path:join")]
    """
    site.add("acme", GOOD.format(name="wave") + dedent(source), version="2.5")
    plugins = site.discover()
    [record] = plugins.records
    assert (record.name, record.distribution, record.version) == ("acme", "dist-acme", "2.5")
    assert (record.status, record.cause, record.target) == ("loaded", None, "dist_acme_acme")
    assert plugins.components.find("encoder", "wave").qualified_name == "acme/wave"
    assert plugins.named_spec("tiny").plugin == "acme"
    assert plugins.commands["hum"].load() is __import__("os").path.join


BREAKERS = {
    "raises on import": ("raise OSError('no disk')", "OSError: no disk"),
    "exits on import": ("raise SystemExit(3)", "SystemExit: 3"),
    "lacks a dependency": ("import not_there_at_all", "No module named 'not_there_at_all'"),
    "is not Python": ("def", "SyntaxError"),
    "raises in the hook": (
        "from registry import hookimpl\n@hookimpl\ndef kokoro_components(): 1 / 0",
        "ZeroDivisionError",
    ),
    "raises half-way": (
        GOOD.format(name="half") + "\n@hookimpl\ndef kokoro_specs(): raise KeyError('x')",
        "KeyError: 'x'",
    ),
    "misspells a hook": (
        "from registry import hookimpl\n@hookimpl\ndef kokoro_component(): return []",
        "implements a hook that does not exist",
    ),
    "has a wrong signature": (
        "from registry import hookimpl\n@hookimpl\ndef kokoro_components(registry): return []",
        "PluginValidationError",
    ),
    "returns no list": (
        "from registry import hookimpl\n@hookimpl\ndef kokoro_components(): return 3",
        "TypeError",
    ),
    "returns no components": (
        "from registry import hookimpl\n@hookimpl\ndef kokoro_components(): return ['wave']",
        "returned 'wave' from `kokoro_components`",
    ),
    "returns no commands": (
        "from registry import hookimpl\n@hookimpl\ndef kokoro_commands(): return [print]",
        "which is not a `Command`",
    ),
    "registers a name twice": (
        GOOD.format(name="twice").replace("[twiceParams]", "[twiceParams, twiceParams]"),
        "registers the encoder `twice` twice",
    ),
}


@pytest.mark.parametrize("kind", BREAKERS)
def test_a_broken_plugin_is_recorded_leaves_nothing_and_stops_no_other(
    site: Site, kind: str
) -> None:
    source, cause = BREAKERS[kind]
    site.add("before", GOOD.format(name="a"))
    site.add("broken", source)
    site.add("later", GOOD.format(name="z"))
    plugins = site.discover()
    record = record_of(plugins, "broken")
    assert record.status == "broken"
    assert cause in (record.cause or "")
    assert plugins.components.names("encoder") == ("a", "z")
    assert plugins.specs == {}


def test_a_plugin_without_an_object_behind_it_is_broken(site: Site) -> None:
    site.add("ghost", "")
    (site.folder / "dist_ghost_ghost.py").unlink()
    assert "No module named" in (record_of(site.discover(), "ghost").cause or "")


def test_a_blocked_plugin_is_not_imported(site: Site) -> None:
    site.add("acme", "raise OSError('imported')")
    record = record_of(site.discover("acme"), "acme")
    assert (record.status, record.cause) == ("blocked", None)
    assert "dist_acme_acme" not in sys.modules


def test_of_two_distributions_with_one_plugin_name_the_second_is_broken_naming_both(
    site: Site,
) -> None:
    site.add("acme", GOOD.format(name="first"), "aaa")
    site.add("acme", GOOD.format(name="second"), "bbb")
    plugins = site.discover()
    assert [(each.distribution, each.status) for each in plugins.records] == [
        ("aaa", "loaded"),
        ("bbb", "broken"),
    ]
    cause = plugins.records[1].cause or ""
    assert "already the plugin of `aaa` 1.0" in cause
    assert "`bbb` 1.0 needs another name" in cause
    assert plugins.components.names("encoder") == ("first",)


@pytest.mark.parametrize(
    "hook",
    [
        "def kokoro_specs(): return {'tiny': __file__}",
        "def kokoro_commands(): return [Command('tiny', '', 'os:sep')]",
    ],
)
def test_a_named_spec_or_a_command_that_is_taken_breaks_the_later_plugin(
    site: Site, hook: str
) -> None:
    for plugin in ("one", "two"):
        site.add(plugin, GOOD.format(name=plugin) + f"\n@hookimpl\n{hook}\n")
    plugins = site.discover()
    assert record_of(plugins, "one").status == "loaded"
    assert record_of(plugins, "two").status == "broken"
    assert "`tiny` is already a spec or a command" in (record_of(plugins, "two").cause or "")
    assert plugins.components.names("encoder") == ("one",)


def test_the_order_of_the_entry_points_changes_nothing(site: Site) -> None:
    site.add("a", GOOD.format(name="x"))
    site.add("b", GOOD.format(name="x"))
    site.add("c", "raise ValueError('c')")
    results = [
        discover(entry_points=order) for order in itertools.permutations(site.entry_points())
    ]
    seen = {
        (
            tuple((each.name, each.status, each.cause) for each in plugins.records),
            plugins.components.names("encoder"),
        )
        for plugins in results
    }
    assert len(results) == 6
    assert len(seen) == 1


def test_an_unknown_named_spec_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNamedSpec, match=r"`tiny` is not a named spec; available: none\."):
        Plugins().named_spec("tiny")


def test_a_command_is_imported_when_it_is_loaded() -> None:
    with pytest.raises(ModuleNotFoundError):
        Command("x", "", "not_there_at_all:run").load()


def test_the_built_in_plugins_come_through_the_entry_points_and_load() -> None:
    plugins = installed_plugins()
    assert installed_plugins() is plugins
    declared = {each.name for each in metadata.entry_points(group="kokoro.plugins")}
    assert {each.name for each in plugins.records} == declared
    assert [each.cause for each in plugins.records if each.status != "loaded"] == []
    assert {"encoder", "decoder", "positional_encoding"} <= set(plugins.components.slots())
