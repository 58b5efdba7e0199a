"""Names that more than one plugin claims: rejected alike, whatever the order of the plugins.

A built-in name keeps its meaning. Among third parties nobody takes precedence: a plugin's name, on
which qualified names depend, is rejected for all who claim it; any other name remains available in
its qualified form, and its plugins are flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from registry.guard.slot_owners import Loaded, refuse_second_owners
from registry.records import Contribution, PluginRecord


def contested_plugin_names(records: Sequence[PluginRecord]) -> dict[int, PluginRecord]:
    """Return the records whose name another plugin has too, with the cause, by index.

    A built-in plugin keeps its name and is not among them.
    """
    refused = {}
    for index, record in enumerate(records):
        others = [each for i, each in enumerate(records) if i != index and each.name == record.name]
        winner = record.built_in and not any(each.built_in for each in others)
        if others and not winner:
            who = " and ".join(sorted({each.origin for each in others}))
            kept = any(each.built_in for each in others) and not record.built_in
            refused[index] = replace(
                record,
                status="broken",
                cause=f"`{record.name}` is also the name of a plugin of {who}",
                remedy=(
                    f"the entry point of {record.origin} needs another name"
                    if kept
                    else f"uninstall one of them, or block one: "
                    f"`--no-plugin {record.distribution}:{record.name}`"
                ),
            )
    return refused


def resolve_conflicts(loaded: Iterable[Loaded]) -> list[Loaded]:
    """Reject plugins that take the name of a built-in spec, command, voice, slot or migration.

    The others are returned with flags for the names that they share.
    """
    found = refuse_second_owners(list(loaded))
    settled = [_break_takers(each, found) for each in found]
    return [_flag_shared(each, settled) for each in settled]


def _break_takers(one: Loaded, everyone: Sequence[Loaded]) -> Loaded:
    record, contribution = one
    if record.built_in:
        return one
    box = [each for each in everyone if each[0].built_in]
    taken = [
        *(
            (owner, f"{kind} `{name}`")
            for kind in ("spec", "command", "voice")
            for owner, name in _shared(record, box, kind)
        ),
        *_foreign_migrations(contribution, record, everyone),
    ]
    if not taken:
        return one
    owner, what = taken[0]
    broken = record.broken(
        f"its {what} has a name that the plugin `{owner.name}` of {owner.origin} has",
        f"{record.origin} must rename it; `--no-plugin {record.name}` runs without it",
    )
    return broken, Contribution()


def _foreign_migrations(
    contribution: Contribution, record: PluginRecord, everyone: Sequence[Loaded]
) -> list[tuple[PluginRecord, str]]:
    """Return components of other plugins whose settings it would migrate, with their owners."""
    wanted = {f"{each.slot}/{each.name}" for each in contribution.migrations}
    foreign = wanted - set(record.components)
    owners = sorted((owner for owner, _ in everyone), key=lambda each: not each.built_in)
    return [
        (owner, f"migration of `{name}`")
        for owner in owners
        for name in sorted(foreign & set(owner.components))
    ]


def _flag_shared(one: Loaded, everyone: Sequence[Loaded]) -> Loaded:
    record, contribution = one
    others = [each for each in everyone if each is not one]
    flags = [
        f"its {kind} `{name}` shares the name with that of the plugin `{owner.name}` of "
        f"{owner.origin}; write `{record.name}/{name.rpartition('/')[2]}`"
        for kind in ("component", "spec", "command", "voice")
        for owner, name in _shared(record, others, kind)
        if not record.built_in
    ]
    return replace(record, flags=(*record.flags, *sorted(flags))), contribution


def _shared(
    record: PluginRecord, others: Iterable[Loaded], kind: str
) -> list[tuple[PluginRecord, str]]:
    """Return the names of a kind that others have too, with their owners."""
    mine = set(getattr(record, f"{kind}s"))
    theirs = [(owner, getattr(owner, f"{kind}s")) for owner, _ in others]
    return [(owner, name) for owner, names in theirs for name in sorted(mine & set(names))]
