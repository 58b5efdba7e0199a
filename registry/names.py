"""Names: which are well formed, and which belong to built-in code."""

from __future__ import annotations

import re

BUILT_IN_DISTRIBUTION = "kokoro-core"

BUILT_IN_PACKAGES = frozenset({"kokoro_core", "kokoro_plugins"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TARGET = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?(\s*\[.*\])?")
_SEPARATORS = re.compile(r"[-_.]+")


def is_name(value: object) -> bool:
    """Return whether a value may name a plugin, a component, a spec or a command.

    ``/`` is reserved for qualified names and ``:`` for names of distributions; control codes of a
    terminal are excluded.
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_target(value: str) -> bool:
    """Return whether a text is ``package.module`` or ``package.module:object``."""
    return _TARGET.fullmatch(value.strip()) is not None


def canonical(distribution: str) -> str:
    """Return the normalised name of a distribution (PEP 503)."""
    return _SEPARATORS.sub("-", distribution).lower()


def is_built_in(distribution: str) -> bool:
    """Return whether a distribution is the framework's own."""
    return canonical(distribution) == BUILT_IN_DISTRIBUTION


def is_built_in_module(module: str) -> bool:
    """Return whether a module is the framework's own."""
    return module.partition(".")[0] in BUILT_IN_PACKAGES


def with_article(noun: str) -> str:
    """Return a noun with its article: ``an encoder``, ``a decoder``."""
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"
