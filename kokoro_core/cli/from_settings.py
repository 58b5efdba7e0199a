"""Options of commands, made from the settings classes that declare them.

A field of a dataclass that is annotated with `typer.Option` and has a help text is an option of the
commands that take its class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_args, get_type_hints

from typer.models import OptionInfo

T = TypeVar("T")
Command = Callable[..., None]


@dataclass(frozen=True)
class Given:
    """The values of the options that settings classes declare.

    Attributes:
        values: By the names of the fields.
    """

    values: Mapping[str, Any]

    def make(self, settings: type[T], /, **others: Any) -> T:
        """Return settings of a class from the options given, and from other values for the rest."""
        return settings(**self.values_of(settings), **others)

    def values_of(self, settings: type) -> dict[str, Any]:
        """Return the options given of a class."""
        return {name: self.values[name] for name in options_of(settings) if name in self.values}


def option_of(hint: Any) -> OptionInfo | None:
    """Return the option that the annotation of a field declares, or None."""
    return next((each for each in get_args(hint)[1:] if isinstance(each, OptionInfo)), None)


def flag_of(name: str, hint: Any) -> str:
    """Return the flag of a field's option, or the one that it would have: ``--warmup``."""
    option = option_of(hint)
    given = option.default if option is not None else ...
    return given if isinstance(given, str) else f"--{name.replace('_', '-')}"


def options_of(settings: type) -> dict[str, inspect.Parameter]:
    """Return a parameter for each field of a dataclass that is an option, as typer reads it."""
    hints = get_type_hints(settings, include_extras=True)
    return {
        each.name: inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[each.name],
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
        )
        for each in fields(settings)
        if (option := option_of(hints[each.name])) is not None and option.help is not None
    }


def with_options_of(
    *classes: type, without: Collection[str] = (), **defaults: Any
) -> Callable[[Command], Command]:
    """Give a command the options of settings classes, whose values it gets as `given`.

    Args:
        *classes: Of settings; an option that several have is one.
        without: Fields that this command does not offer.
        **defaults: Where this command's differ from the fields'.
    """
    offered = {name: each for cls in classes for name, each in options_of(cls).items()}
    offered = {
        name: each.replace(default=defaults.get(name, each.default))
        for name, each in offered.items()
        if name not in without
    }

    def decorate(command: Command) -> Command:
        own = dict(inspect.signature(command, eval_str=True).parameters)
        del own["given"]

        def run(**values: Any) -> None:
            given = Given({name: values.pop(name) for name in offered})
            command(**values, given=given)

        needed = [each for each in own.values() if each.default is each.empty]
        options = [*offered.values(), *(each for each in own.values() if each not in needed)]
        parameters = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*needed, *options)
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__doc__ = command.__doc__
        return run

    return decorate
