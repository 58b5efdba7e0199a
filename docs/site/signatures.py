"""Signatures that a decorator gives, for mkdocstrings, which reads the code without running it."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Function

_DECORATOR = "with_arguments_of"


class SharedArguments(Extension):
    """Gives a method behind `with_arguments_of` the arguments that are listed there."""

    def on_function(self, *, func: Function, **kwargs: Any) -> None:
        """Take the arguments of the method that the decorator names."""
        for each in func.decorators:
            called, _, rest = str(each.value).partition("(")
            if called == _DECORATOR and func.parent is not None:
                shared = func.parent.members[rest.removesuffix(")")]
                assert isinstance(shared, Function)
                func.parameters = shared.parameters
