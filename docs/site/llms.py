"""`llms.txt`: what the site holds, in a line a page, and the Markdown behind each page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_HEAD = """\
# Kokoro

> Text-to-speech acoustic models, composed in Python from a spec file and plugins.

Each line leads to the Markdown of a page; the page itself lies beside it as HTML.
"""


def write_llms(docs: Path, site: Path, nav: list[Any], made: Mapping[str, str | bytes]) -> None:
    """Write the list and the Markdown of all pages into a site.

    Args:
        docs: The sources.
        site: The site that was built of them.
        nav: The navigation.
        made: The pages that are not in the sources.
    """
    lines = [_HEAD]
    for name, place in _titled(nav):
        if place is None:
            lines.append(f"\n## {name}\n")
            continue
        text = made[place] if place in made else (docs / place).read_text(encoding="utf-8")
        assert isinstance(text, str)
        (site / place).write_text(text, encoding="utf-8")
        lines.append(f"- [{name or _title(text)}]({place})\n")
    (site / "llms.txt").write_text("".join(lines), encoding="utf-8")


def _titled(nav: list[Any]) -> Iterator[tuple[str, str | None]]:
    """Yield each page with its name, and each section, with no page, before its pages."""
    for entry in nav:
        if isinstance(entry, str):
            yield "", entry
            continue
        [(name, inside)] = entry.items()
        if isinstance(inside, str):
            yield name, inside
        else:
            yield name, None
            yield from _titled(inside)


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")
