"""Parts of a model by the names of their parameters: what is frozen, and what has its own rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

from torch import nn

from kokoro_core import ModelSpec, assemble
from kokoro_plugins.training.settings import TrainingSettings, WrongSetting
from registry.text import suggestion


def matches(name: str, pattern: str) -> bool:
    """Return whether a pattern means a parameter; ``encoder`` and ``encoder.*`` mean a part."""
    return name == pattern or name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)


def refuse_unknown_parts(settings: TrainingSettings, names: Iterable[str]) -> None:
    """Refuse patterns of parts that a model does not have, and to freeze all of it.

    Args:
        settings: With the patterns.
        names: Of the model's parameters.

    Raises:
        WrongSetting: There is one; the message names the parts that there are, or the one meant.
    """
    known = [*names]
    patterns: list[tuple[str, str | int, str]] = [
        ("freeze", place, each) for place, each in enumerate(settings.freeze)
    ]
    for key, place, pattern in [*patterns, *(("rate", each, each) for each in settings.rates)]:
        if not any(matches(name, pattern) for name in known):
            parts = list(dict.fromkeys(name.partition(".")[0] for name in known))
            hint = suggestion(pattern.partition(".")[0], parts) or f"; {', '.join(parts)} are."
            what = f"is no part of the model{hint}"
            said = f"`{pattern}` {what}"
            raise WrongSetting(f"`--{key} {pattern}` {what}", (key, place), "unknown-field", said)
    if known and all(is_frozen(name, settings.freeze) for name in known):
        what = f"{', '.join(settings.freeze)} leaves nothing to train; freeze less."
        raise WrongSetting(f"`--freeze` with {what}", ("freeze",), "inconsistent", what)


def names_of(spec: ModelSpec) -> list[str]:
    """Return the names of the parameters of a model that is not built yet."""
    return [name for name, _ in assemble(spec, device="meta").named_parameters()]


def is_frozen(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a parameter stays as it is."""
    return any(matches(name, pattern) for pattern in patterns)


@contextmanager
def frozen(model: nn.Module, patterns: Sequence[str]) -> Iterator[None]:
    """Let parameters stay as they are within the context."""
    held = [
        each
        for name, each in model.named_parameters()
        if each.requires_grad and is_frozen(name, patterns)
    ]
    for each in held:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in held:
            each.requires_grad_()


def by_rate(
    names: Mapping[int, str], parameters: Iterable[nn.Parameter], rates: Mapping[str, float]
) -> dict[str, list[nn.Parameter]]:
    """Return parameters by the first pattern that means them; first those of none, as ``""``.

    Args:
        names: Of the model's parameters, by their identity; others are meant by no pattern.
        parameters: Those to part.
        rates: The patterns.
    """
    found: dict[str, list[nn.Parameter]] = {each: [] for each in ("", *rates)}
    for each in parameters:
        name = names.get(id(each))
        own = [pattern for pattern in rates if name is not None and matches(name, pattern)]
        found[own[0] if own else ""].append(each)
    return {pattern: held for pattern, held in found.items() if held}
