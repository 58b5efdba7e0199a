"""Which plugins may be imported, decided before any is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from registry.errors import InvalidPolicy
from registry.names import canonical
from registry.records import PluginRecord

BLOCK_VARIABLE = "KOKORO_BLOCK_PLUGINS"
ALLOW_VARIABLE = "KOKORO_ALLOW_PLUGINS"
DISABLE_VARIABLE = "KOKORO_DISABLE_PLUGINS"


@dataclass(frozen=True)
class Policy:
    """What may be imported.

    Attributes:
        block: Plugins that may not, by name or ``distribution:name``.
        allow: The only distributions that may besides the framework's own; None: all may.
        third_party: False: only built-in plugins may.
    """

    block: frozenset[str] = field(default_factory=frozenset)
    allow: frozenset[str] | None = None
    third_party: bool = True

    @classmethod
    def from_environment(
        cls, block: Iterable[str] = (), environment: Mapping[str, str] | None = None
    ) -> Self:
        """Return the policy of the environment variables, with more plugins to block.

        ``KOKORO_BLOCK_PLUGINS`` and ``KOKORO_ALLOW_PLUGINS`` are comma-separated lists; an
        allow-list that is set but empty allows nothing. ``KOKORO_DISABLE_PLUGINS`` is 1 or 0.

        Raises:
            InvalidPolicy: ``KOKORO_DISABLE_PLUGINS`` is something else.
        """
        known = os.environ if environment is None else environment
        disable = known.get(DISABLE_VARIABLE, "").strip()
        if disable not in {"", "0", "1"}:
            raise InvalidPolicy(
                f"`{DISABLE_VARIABLE}` must be 1 (built-in plugins only) or 0, not {disable!r}."
            )
        allow = known.get(ALLOW_VARIABLE)
        return cls(
            block=frozenset([*block, *_listed(known.get(BLOCK_VARIABLE, ""))]),
            allow=None if allow is None else frozenset(_listed(allow)),
            third_party=disable != "1",
        )

    def refusal(self, record: PluginRecord) -> tuple[str, str] | None:
        """Return why a plugin may not be imported and how to permit it, or None."""
        named = [each for each in (record.name, _full(record)) if each in self.block]
        if named:
            return (
                f"`{named[0]}` is on the block list",
                f"take it out of `--no-plugin` or `{BLOCK_VARIABLE}`",
            )
        if record.built_in:
            return None
        if not self.third_party:
            return f"`{DISABLE_VARIABLE}` is 1", f"unset `{DISABLE_VARIABLE}`"
        allowed = self.allow
        if allowed is None or canonical(record.distribution) in {canonical(e) for e in allowed}:
            return None
        return (
            f"`{record.distribution}` is not among the allowed distributions",
            f"add `{record.distribution}` to `{ALLOW_VARIABLE}`",
        )

    def unmatched(self, records: Iterable[PluginRecord]) -> tuple[str, ...]:
        """Return the names in the policy that match no plugin, sorted."""
        found = list(records)
        names = {each.name for each in found} | {_full(each) for each in found}
        owners = {canonical(each.distribution) for each in found}
        missing = {each for each in self.block if each not in names}
        missing |= {each for each in self.allow or () if canonical(each) not in owners}
        return tuple(sorted(missing))


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _full(record: PluginRecord) -> str:
    return f"{record.distribution}:{record.name}"
