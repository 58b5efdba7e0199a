"""A sentence that names the plugin whose code raised while a command ran."""

from __future__ import annotations

import traceback

from registry import PluginRecord, Plugins
from registry.text import printable


def plugin_fault(error: BaseException, plugins: Plugins) -> str | None:
    """Return which plugin raised an error and where; None if no third-party plugin did.

    The innermost frame of a plugin counts: torch and the framework fail on behalf of their caller.
    Built-in plugins do not count; an exception in them is a bug.
    """
    packages = {_package(each.target): each for each in plugins.records if not each.built_in}
    found: tuple[PluginRecord, str, int, str] | None = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        record = packages.get(_package(frame.f_globals.get("__name__") or ""))
        if record is not None:
            found = record, frame.f_code.co_filename, line, frame.f_code.co_name
    if found is None:
        return None
    record, file, line, function = found
    why = printable(str(error))
    return (
        f"The plugin `{record.name}` of {record.origin} raised {type(error).__name__}: {why}, in "
        f"`{function}` ({file}, line {line}); `kokoro-core --debug …` shows the whole way there."
    )


def _package(module: str) -> str:
    return module.partition(":")[0].partition(".")[0]
