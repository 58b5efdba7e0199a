"""Results as tables, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Rows = list[list[str]]
Result = Mapping[str, Any]


def verdict_table(results: Iterable[Result]) -> tuple[list[str], Rows]:
    """Return the ratios that have bars, with what each has come to."""
    rows = [
        [
            result["name"],
            each["what"],
            _setting(each["setting"]),
            f"{each['value']:.2f}",
            f"{'≤' if each['relation'] == 'at most' else '≥'} {each['bar']:g}",
            "met" if each["met"] else "not met",
        ]
        for result in results
        for each in result["verdicts"]
    ]
    return ["case", "ratio of medians", "with", "value", "bar", ""], rows


def measurement_table(result: Result) -> tuple[list[str], Rows]:
    """Return the times of a case."""
    facts = list(dict.fromkeys(key for each in result["measurements"] for key in each["facts"]))
    rows = [
        [
            each["contender"],
            _setting({**each["setting"], "threads": None}),
            f"{each['median_s'] * 1000:,.2f}",
            f"{each['min_s'] * 1000:,.2f}",
            *(_number(each["facts"].get(key)) for key in facts),
        ]
        for each in result["measurements"]
    ]
    return ["", "with", "median ms", "min ms", *(key.replace("_", " ") for key in facts)], rows


def growth_table(result: Result) -> tuple[list[str], Rows]:
    """Return how costs grow with the frames: a line through them, and a power of the length."""
    rows = [
        [
            each["contender"],
            f"{each['base'] * 1000:.2f}",
            f"{each['slope'] * 1e6:.2f}",
            f"{each['fit']:.3f}",
            f"{each['exponent']:.2f}",
            f"{each['ratio']:.2f}",
        ]
        for each in result["growth"]
    ]
    return ["", "ms at 0", "µs a frame", "R²", "power", "longest / shortest"], rows


def markdown(results: Sequence[Result]) -> str:
    """Return all results as a page."""
    parts = ["# Measured by `kokoro-core bench`", *_machines(results)]
    parts += ["## Bars", _markdown_table(*verdict_table(results))]
    for result in results:
        threads = result["threads"]
        parts.append(
            f"## {result['name']}, {threads} thread{'' if threads == 1 else 's'}: {result['title']}"
        )
        parts.append(_markdown_table(*measurement_table(result)))
        if result["growth"]:
            parts += ["Growth with the frames:", _markdown_table(*growth_table(result))]
        parts += result["notes"]
    return "\n\n".join(parts) + "\n"


def _machines(results: Sequence[Result]) -> list[str]:
    """Return a line a machine: results may have been collected from several."""
    lines = []
    for result in results:
        machine = result["machine"]
        versions = ", ".join(f"{name} {each}" for name, each in machine["versions"].items())
        flags = ", ".join(machine["flags"]) or "none that matter"
        if "kernels" in machine:
            flags += f"; kernels for {machine['kernels']['level']}"
        lines.append(
            f"{result['date']}: {machine['processor']} ({machine['architecture']}, "
            f"{machine['cores']} cores; {flags}), Python {machine['python']}, {versions}."
        )
    return list(dict.fromkeys(lines))


def _markdown_table(columns: Sequence[str], rows: Rows) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def _setting(setting: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_number(value)} {name if value != 1 else name.removesuffix('s')}"
        for name, value in setting.items()
        if value is not None
    )


def _number(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return "" if value is None else str(value)
