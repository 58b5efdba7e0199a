"""The plugin is installed."""

from __future__ import annotations

from registry import installed_plugins

PLUGIN = "example-plugin"


def test_the_plugin_is_loaded_and_has_no_flag() -> None:
    [record] = [each for each in installed_plugins().records if each.name == PLUGIN]
    assert (record.status, record.cause, record.flags) == ("loaded", None, ())
