"""A slot has one owner: the base class of its components, which the fields of specs refer to.

Components of a second class that defines a slot of the same name would be listed under the slot,
but no field accepts them. Built-in slots keep their owner; among third parties nobody wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from registry.names import is_built_in_module
from registry.records import Contribution, PluginRecord
from registry.slot import ComponentClass

Loaded = tuple[PluginRecord, Contribution]


def refuse_second_owners(loaded: Sequence[Loaded]) -> list[Loaded]:
    """Reject plugins with components of a slot that another class owns."""
    owners = _owners(loaded)
    return [_refuse(each, owners, loaded) for each in loaded]


def slot_owner(component: ComponentClass) -> ComponentClass | None:
    """Return the outermost class that defines a component's slot, or None."""
    found = [each for each in _definitions(component) if each.slot == component.slot]
    return found[-1] if found else None


def _definitions(component: ComponentClass) -> list[ComponentClass]:
    return [each for each in component.__mro__ if vars(each).get("defines_slot")]


def _owners(loaded: Iterable[Loaded]) -> dict[str, list[ComponentClass]]:
    """Return the classes that define each slot; only the built-in one if there is one."""
    found: dict[str, dict[ComponentClass, None]] = {}
    for _, contribution in loaded:
        for each in contribution.components:
            owners = found.setdefault(each.slot, {})
            owners.update(dict.fromkeys(_of_the_box(each.component)))
            owner = slot_owner(each.component)
            if owner is not None:
                owners[owner] = None
    return {slot: _winners(list(owners)) for slot, owners in found.items()}


def _winners(owners: list[ComponentClass]) -> list[ComponentClass]:
    own = [each for each in owners if is_built_in_module(each.__module__)]
    return own or sorted(owners, key=_name)


def _of_the_box(component: ComponentClass) -> Iterator[ComponentClass]:
    """Yield a slot's built-in owner, even if no built-in component currently fills the slot."""
    line: list[ComponentClass] = [e for e in component.__mro__ if "defines_slot" in vars(e)]
    related = line[-1:]
    while related:
        each = related.pop()
        related += type.__subclasses__(each)
        defines = vars(each).get("defines_slot") and is_built_in_module(each.__module__)
        if defines and each.slot == component.slot:
            yield each


def _refuse(
    one: Loaded, owners: dict[str, list[ComponentClass]], everyone: Sequence[Loaded]
) -> Loaded:
    record, contribution = one
    for each in () if record.built_in else contribution.components:
        winners = owners[each.slot]
        if len(winners) > 1:
            return record.broken(*_contested(each.slot, winners, everyone)), Contribution()
        owner = slot_owner(each.component)
        if winners and owner is not winners[0]:
            cause = (
                f"its component `{each.slot}/{each.name}` does not derive from "
                f"`{_name(winners[0])}`, which defines the slot `{each.slot}`"
            )
            remedy = (
                f"{record.origin} must derive from it or give the slot another name; "
                f"`--no-plugin {record.name}` runs without it"
            )
            return record.broken(cause, remedy), Contribution()
    return one


def _contested(
    slot: str, owners: Iterable[ComponentClass], everyone: Sequence[Loaded]
) -> tuple[str, str]:
    """Return why a slot defined twice by third parties is rejected, and what to do."""
    who = " and ".join(f"`{_name(each)}`{_plugin_of(each, everyone)}" for each in owners)
    cause = f"the slot `{slot}` is defined more than once: by {who}"
    return cause, "uninstall one of the plugins, or block one with `--no-plugin`"


def _plugin_of(owner: ComponentClass, everyone: Iterable[Loaded]) -> str:
    """Return the plugin that contains a class, in words, or an empty text if none does."""
    for record, _ in everyone:
        package = record.target.partition(":")[0].partition(".")[0].strip()
        if owner.__module__.partition(".")[0] == package:
            return f" of the plugin `{record.name}` of {record.origin}"
    return ""


def _name(owner: ComponentClass) -> str:
    return f"{owner.__module__}.{owner.__qualname__}"
