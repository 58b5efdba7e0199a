"""Bring the values of an old spec up to date: pure functions, one a step.

Format 0 is a file of the original model's keywords. Components change too: their plugins return a
`Migration` for each step from `kokoro_migrations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from kokoro_core.params.component_failure import ComponentFailure, raised
from kokoro_core.spec.problems.problem import Path, Problem, dotted
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.tree.walk import has_at, parse_path, slot_at, value_at
from registry import ComponentRegistry, Migration, Plugins

FORMAT = 1

_MOVES_FROM_0 = {
    "n_encoder_layers": "encoder.num_layers",
    "n_heads": "encoder.num_heads",
    "encoder_ff_dim": "encoder.ff_dim",
    "n_decoder_layers": "decoder.num_layers",
    "decoder_ff_dim": "decoder.ff_dim",
    "dropout": "encoder.dropout",
    "max_len": "encoder.positional_encoding.max_len",
    "checkpoint_segments": "gradient_checkpointing.segments",
}
_TELLING = ("n_encoder_layers", "n_decoder_layers", "n_heads", "encoder_ff_dim", "decoder_ff_dim")
_KEPT_FROM_0 = ("format", "name", "vocab_size", "pad_id", "mel_dim", "hidden_dim")
_SWITCH = "gradient_checkpointing"
_DEFAULTS_OF_0 = {
    "n_encoder_layers": 6,
    "n_heads": 8,
    "encoder_ff_dim": 2048,
    "dropout": 0.1,
    "max_len": 5000,
    "n_decoder_layers": 6,
    "decoder_ff_dim": 2048,
    "checkpoint_segments": 4,
}


@dataclass(frozen=True)
class Migrated:
    """A spec brought up to date.

    Attributes:
        value: The new values.
        moves: For each key that has another place its old path and the new one.
        steps: What was done, a line each; none if there was nothing to do.
    """

    value: Any
    moves: Mapping[Path, Path]
    steps: tuple[str, ...]


def migrate(value: Any, plugins: Plugins) -> Migrated:
    """Return a spec's plain values in the current format; the given ones stay as they are."""
    moves: dict[Path, Path] = {}
    steps: list[str] = []
    if is_format_0(value):
        value, moves = _from_format_0(value)
        steps.append("format 0 -> 1: the keywords of the model became components")
    for migration in sorted(plugins.migrations, key=lambda each: each.from_version):
        for path in list(_components_of(value, migration, plugins.components)):
            old = value_at(value, path)
            try:
                new, inner = _apply(old, migration)
            except Exception as error:
                raise ComponentFailure(path, _plugin(migration, plugins), _failed(error)) from error
            if new != old:
                value = _replaced(value, path, new)
                moves = _joined(moves, {path + a: path + b for a, b in inner.items()})
                steps.append(
                    f"{dotted(path)}: {migration.slot} {migration.name}, settings "
                    f"{migration.from_version} -> {migration.from_version + 1}"
                )
    return Migrated(value, moves, tuple(steps))


def _plugin(migration: Migration, plugins: Plugins) -> str:
    records = [each for each in plugins.records if each.name == migration.plugin]
    origin = f" ({records[0].distribution} {records[0].version})" if records else ""
    return f"the plugin '{migration.plugin}'{origin}"


def _failed(error: Exception) -> str:
    return f"{raised(error)} in a migration of its settings"


def old_spec_problems(document: Document, plugins: Plugins) -> list[Problem]:
    """Return a problem if a document is of an old format, or has old settings of a component."""
    try:
        steps = migrate(document.value, plugins).steps
    except ComponentFailure as failure:
        violation = failure.violation
        return [document.problem(violation.code, violation.path, violation.message)]
    path: Path = ("format",) if has_at(document.value, ("format",)) else ()
    return [
        document.problem(
            "old-spec",
            path,
            f"written in an old form ({each}); `kokoro-core upgrade --write` rewrites the file",
        )
        for each in steps
    ]


def is_format_0(value: Any) -> bool:
    """Return whether values are a spec of format 0: it says so, or it has the original keywords."""
    if not isinstance(value, Mapping):
        return False
    if "format" in value:
        return value["format"] == 0 and not isinstance(value["format"], bool)
    return (
        "encoder" not in value and "decoder" not in value and any(map(value.__contains__, _TELLING))
    )


def _from_format_0(value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Path, Path]]:
    """Return what the original keywords mean, with the original defaults for those left out.

    Keys that format 0 does not know stay where they are, so that the check reports them.
    """
    new: dict[str, Any] = {"format": FORMAT}
    new |= {key: value[key] for key in _KEPT_FROM_0 if key in value and key != "format"}
    given = {**_DEFAULTS_OF_0, **value}
    stack = {"type": "transformer", "norm": "pre"}
    new["encoder"] = {**stack, **_stack(given, "n_encoder_layers", "encoder_ff_dim")}
    new["duration_predictor"] = {"type": "mlp", "dropout": given["dropout"]}
    new["regulator"] = {"type": "repeat"}
    new["decoder"] = {**stack, **_stack(given, "n_decoder_layers", "decoder_ff_dim")}
    switch = value.get(_SWITCH, True)
    segments = {"segments": given["checkpoint_segments"]}
    new[_SWITCH] = segments if switch is True else None if switch is False else switch
    known = {*_KEPT_FROM_0, *_MOVES_FROM_0, _SWITCH}
    new |= {key: each for key, each in value.items() if key not in known}
    moves: dict[Path, Path] = {
        (old,): parse_path(path) for old, path in _MOVES_FROM_0.items() if old in value
    }
    if new[_SWITCH] is None:
        moves.pop(("checkpoint_segments",), None)
    return new, moves


def _stack(given: Mapping[str, Any], layers: str, ff_dim: str) -> dict[str, Any]:
    return {
        "num_layers": given[layers],
        "num_heads": given["n_heads"],
        "ff_dim": given[ff_dim],
        "dropout": given["dropout"],
        "positional_encoding": {"type": "sinusoidal", "max_len": given["max_len"]},
    }


def _components_of(value: Any, migration: Migration, registry: ComponentRegistry) -> Iterator[Path]:
    """Yield the paths of the components that a migration is for, inner ones first."""
    for path, name in _named(value):
        plugin, _, short = name.rpartition("/")
        ours = short == migration.name and plugin in ("", migration.plugin)
        if ours and _slot_of(value, path, registry) == migration.slot:
            yield path


def _named(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield each mapping below plain values that has a ``type``, inner ones first."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, each in items:
        yield from _named(each, (*path, key))
    if path and isinstance(value, Mapping) and isinstance(value.get("type"), str):
        yield path, value["type"]


def _slot_of(value: Any, path: Path, registry: ComponentRegistry) -> str:
    """Return the slot of a component; below one that is old itself the key has to tell."""
    keys = [each for each in path if isinstance(each, str)]
    return slot_at(value, path, registry) or keys[-1]


def _apply(
    settings: Mapping[str, Any], migration: Migration
) -> tuple[dict[str, Any], dict[Path, Path]]:
    """Return the next settings of a component, and which of its keys moved where."""
    new: Any = deepcopy(dict(settings))
    moves: dict[Path, Path] = {}
    for old, path in migration.moves.items():
        source, target = parse_path(old), parse_path(path)
        if has_at(new, source) and not has_at(new, target):
            new = _moved(new, source, target)
            moves[source] = target
    return dict(migration.function(new)), moves


def _moved(value: dict[str, Any], source: Path, target: Path) -> dict[str, Any]:
    """Return values with one at another path; under the same parent it keeps its place."""
    moving = value_at(value, source)
    if source[:-1] == target[:-1]:
        outer = value_at(value, source[:-1])
        renamed = {target[-1] if key == source[-1] else key: each for key, each in outer.items()}
        return dict(_replaced(value, source[:-1], renamed))
    outer = {key: each for key, each in value_at(value, source[:-1]).items() if key != source[-1]}
    return dict(_replaced(_replaced(value, source[:-1], outer), target, moving))


def _replaced(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of plain values with another one at a path; mappings on the way are made."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(head, int):
        return [*value[:head], _replaced(value[head], rest, new), *value[head + 1 :]]
    value = value if isinstance(value, Mapping) else {}
    return {**value, head: _replaced(value.get(head), rest, new)}


def _joined(first: Mapping[Path, Path], then: Mapping[Path, Path]) -> dict[Path, Path]:
    """Return the moves of two steps as those of one."""
    joined = {old: then.get(path, path) for old, path in first.items()}
    reached = set(first.values())
    return joined | {old: path for old, path in then.items() if old not in reached}
