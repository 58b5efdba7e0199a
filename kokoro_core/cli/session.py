"""The effects of options that precede the command, for all commands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kokoro_core.cli.collector import uncollected
from kokoro_core.cli.output import print_error
from registry import Plugins, Policy, discover, installed_plugins
from registry.errors import RegistryError
from registry.text import suggestion


@dataclass
class Session:
    """One run of the command line.

    Attributes:
        blocked: Names of plugins that must not be imported.
        debug: Whether to show tracebacks.
    """

    blocked: tuple[str, ...] = ()
    debug: bool = False

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins of the environment except blocked ones, discovered at first use.

        Raises:
            RegistryError: A blocked name matches no plugin.
        """
        import kokoro_core.slots  # noqa: F401  (every plugin imports it; no one's import pays)

        with uncollected():
            found = self._found()
        for name in found.unmatched:
            print_error(
                f"`{name}` is blocked or allowed by a setting, but no plugin has that name."
            )
        return found

    def _found(self) -> Plugins:
        if not self.blocked:
            return installed_plugins()
        found = discover(Policy.from_environment(self.blocked))
        names = [each.name for each in found.records]
        for name in self.blocked:
            if name in found.unmatched:
                hint = suggestion(name, names) or ";"
                raise RegistryError(
                    f"`--no-plugin {name}`: no such plugin{hint} installed: {', '.join(names)}."
                )
        return found


def session_of(ctx: Any) -> Session:
    """Return the session of a command's context."""
    session: Session = ctx.find_root().obj
    return session
