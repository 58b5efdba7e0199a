"""Arguments of the public functions that are of no use, named before anything is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry import Plugins, installed_plugins
from registry.text import printable, shorten


def described(value: object) -> str:
    """Return what was received: a plain value itself, of anything else the type."""
    if value is None or isinstance(value, (str, bytes, int, float)):
        return shorten(repr(value))
    return f"a `{type(value).__name__}`"


def path_of(name: str, value: Any) -> Path:
    """Return an argument as a path.

    Raises:
        TypeError: It is no path.
        ValueError: It is empty, which would mean the current folder, or holds a NUL character.
    """
    text = value if isinstance(value, str) else getattr(value, "__fspath__", lambda: None)()
    if not isinstance(text, str) or isinstance(value, type):
        raise TypeError(
            f"`{name}` must be a path, as text or as a `pathlib.Path`, not {described(value)}."
        )
    if not text:
        raise ValueError(f"`{name}` must not be empty; `.` is the current folder.")
    if "\0" in text:
        raise ValueError(
            f"`{name}` holds a NUL character, which no path has: '{shorten(printable(text))}'."
        )
    return Path(text)


def plugins_of(value: Plugins | None) -> Plugins:
    """Return the plugins given, else the installed ones.

    Raises:
        TypeError: They are something else.
    """
    if value is None:
        return installed_plugins()
    if not isinstance(value, Plugins):
        raise TypeError(
            f"`plugins` must be what `registry.discover` returns, or None for the installed ones, "
            f"not {described(value)}."
        )
    return value


def check_overrides(value: Any) -> None:
    """Refuse overrides that are no mapping from texts; None is none given.

    Raises:
        TypeError: They are not.
    """
    example = "{'encoder.num_layers': 4}"
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(
            f"`overrides` must be a mapping from dotted paths to values, such as {example}, "
            f"not {described(value)}."
        )
    for key in value or ():
        if not isinstance(key, str):
            raise TypeError(
                f"`overrides` must have texts as keys, such as {example}, not {described(key)}."
            )


def check_count(name: str, value: Any) -> None:
    """Refuse what is no whole number of at least 1.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is below 1.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a whole number, not {described(value)}.")
    if value < 1:
        raise ValueError(f"`{name}` must be 1 or more, not {value}.")
