"""Results of discovery: a record of each plugin, and what all of them provide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from typing import Literal, Protocol, TypeVar

from registry.components import ComponentRegistry, Registration
from registry.errors import AmbiguousName, UnknownNamedSpec
from registry.hooks import Command, Migration, Voice
from registry.names import is_built_in

Status = Literal["loaded", "blocked", "broken", "incompatible"]

NAMED = 5
"""How many plugins a message lists before it counts the rest."""


@dataclass(frozen=True)
class PluginRecord:
    """What happened to a plugin.

    Attributes:
        name: The name of its entry point.
        target: The object behind the entry point.
        distribution: The distribution that provides it, with its `version`.
        status: ``loaded``, ``blocked`` (by the policy), ``broken``, or ``incompatible``
            (written for another version of the hooks).
        cause: Why it is not loaded, or None.
        import_seconds: How long its import and its hooks took.
        remedy: What to do about the cause, or None.
        flags: Problems of a plugin that is loaded nevertheless, one sentence per problem.
        components: ``slot/name`` of the components that it registered.
        specs: Names of its specs.
        commands: Names of its commands.
        voices: Names of its trained voices.
        api: The version of the hooks and contracts that it states; 1 if it states none.
    """

    name: str
    target: str
    distribution: str
    version: str
    status: Status = "loaded"
    cause: str | None = None
    import_seconds: float = 0.0
    remedy: str | None = None
    flags: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    api: int = 1

    @property
    def built_in(self) -> bool:
        """Whether it comes with the framework."""
        return is_built_in(self.distribution)

    def broken(self, cause: str, remedy: str) -> PluginRecord:
        """Return the record of a plugin that is rejected with everything it provides."""
        return replace(
            self,
            status="broken",
            cause=cause,
            remedy=remedy,
            components=(),
            specs=(),
            commands=(),
            voices=(),
        )

    @property
    def why(self) -> str:
        """What happened to it, why, and what to do, in the words of messages."""
        cause = f" ({self.cause})" if self.cause else ""
        remedy = f": {self.remedy.rstrip('.')}" if self.remedy else ""
        return f"the plugin '{self.name}' is {self.status}{cause}{remedy}"

    @property
    def origin(self) -> str:
        """Its distribution and version, in the words of messages."""
        return f"`{self.distribution}` {self.version}"


@dataclass(frozen=True)
class NamedSpec:
    """A spec file that a plugin ships under a name."""

    name: str
    file: Traversable
    plugin: str


@dataclass(frozen=True)
class Contribution:
    """The results of a plugin's hooks, complete or empty."""

    components: tuple[Registration, ...] = ()
    specs: tuple[NamedSpec, ...] = ()
    commands: tuple[Command, ...] = ()
    voices: tuple[Voice, ...] = ()
    migrations: tuple[Migration, ...] = ()


@dataclass(frozen=True)
class Plugins:
    """The result of discovery: records of all plugins and what the loaded ones provide.

    Attributes:
        records: All plugins, sorted by name and distribution.
        components: The components that specs can name.
        specs: Named specs by name; a name used by two plugins is ``plugin/name`` here.
        commands: Commands by name, as for `specs`.
        voices: Trained voices by name, as for `specs`.
        migrations: Steps from old settings to new ones.
        unmatched: Names in the policy that match nothing.
    """

    records: tuple[PluginRecord, ...] = ()
    components: ComponentRegistry = field(default_factory=ComponentRegistry)
    specs: Mapping[str, NamedSpec] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    voices: Mapping[str, Voice] = field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()
    unmatched: tuple[str, ...] = ()

    def named_spec(self, name: str) -> NamedSpec:
        """Return a named spec by its short or its qualified name.

        Raises:
            UnknownNamedSpec: No loaded plugin ships one of that name.
            AmbiguousName: More than one does; the error names them.
        """
        if (found := _find("named spec", name, self.specs)) is not None:
            return found
        raise UnknownNamedSpec(name, sorted(self.specs), self.not_loaded(name))

    def command(self, name: str) -> Command | None:
        """Return a plugin's command by its short or its qualified name, or None.

        Raises:
            AmbiguousName: More than one plugin has it; the error names them.
        """
        return _find("command", name, self.commands)

    def voice(self, name: str) -> Voice | None:
        """Return a trained voice by its short or its qualified name, or None.

        Raises:
            AmbiguousName: More than one plugin has it; the error names them.
        """
        return _find("voice", name, self.voices)

    def not_loaded(self, name: str) -> str:
        """Return which plugins that may define a name are not loaded and why, or an empty text.

        A qualified name belongs to one plugin; any other may belong to any that is not loaded.
        """
        owner, slash, _ = name.partition("/")
        missing = [
            each
            for each in self.records
            if each.status != "loaded" and (not slash or each.name == owner)
        ]
        if len(missing) < 2:
            return "".join(f"{each.why}, see `kokoro-core plugins`" for each in missing)
        named = ", ".join(f"'{each.name}' ({each.status})" for each in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        return f"these plugins are not loaded: {named}{more}, see `kokoro-core plugins`"


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def plugin(self) -> str: ...


Item = TypeVar("Item", bound=_Named)


def by_name(items: Iterable[Item]) -> dict[str, Item]:
    """Return items by name, with ``plugin/name`` for names used by two plugins."""
    every = list(items)
    counts = Counter(each.name for each in every)
    return {
        each.name if counts[each.name] == 1 else f"{each.plugin}/{each.name}": each
        for each in every
    }


def _find(kind: str, name: str, items: Mapping[str, Item]) -> Item | None:
    """Return the item of a short or a qualified name, or None.

    Raises:
        AmbiguousName: More than one plugin has it; the error names them.
    """
    for key, each in items.items():
        if name in (key, f"{each.plugin}/{each.name}"):
            return each
    full = sorted(key for key, item in items.items() if item.name == name != key)
    if full:
        raise AmbiguousName(kind, name, full)
    return None
