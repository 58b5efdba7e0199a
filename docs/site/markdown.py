"""Pages that read well where the code is, as the site's Markdown has them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator

from docs.site.pictures import figure_of

OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.txt",
    ".github/SECURITY.md": "vulnerabilities.md",
    "kokoro_plugins/heart/card.md": "voices/heart.md",
}
"""Files outside `docs/` that the site has, and where."""

_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)(`{3,})(.*)$")
_ITEM = re.compile(r"^ *(?:[-*]|1\.) ")


def for_the_site(text: str, place: str, places: Collection[str]) -> str:
    """Return a page with figures for Mermaid, lists apart from paragraphs and links that hold.

    Args:
        text: Markdown as code hosts read it.
        place: Where the page lies in the site's sources.
        places: Where all pages and files lie there.
    """
    return "".join(
        _figures(block) if fenced else _prose(block, place, places)
        for fenced, block in _blocks(text)
    )


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Yield what stands in a fence, fences included, and what stands between, in turn."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line.rstrip("\n"))
        if found and not fence:
            yield False, "".join(lines)
            lines, fence = [line], found[2]
        elif found and found[2] == fence and not found[3].strip():
            yield True, "".join([*lines, line])
            lines, fence = [], ""
        else:
            lines.append(line)
    yield bool(fence), "".join(lines)


def _figures(block: str) -> str:
    """Return a block that the site can show: a picture for Mermaid, a title for what is refused."""
    if block.startswith("```mermaid\n"):
        return figure_of(block)
    first, _, rest = block.partition("\n")
    words = first.removesuffix(" wrong")
    if words == first:
        return block
    titled = words.removesuffix('"') + ', refused"' if '"' in words else f'{words} title="refused"'
    return f"{titled}\n{rest}"


def _prose(block: str, place: str, places: Collection[str]) -> str:
    """Return a text whose lists stand apart from the paragraph before them, with right links."""
    lines = block.split("\n")
    apart: list[str] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if _ITEM.match(line) and before.strip() and not _in_a_list(apart):
            apart.append("")
        apart.append(line)
    return _LINK.sub(lambda link: _linked(link, place, places), "\n".join(apart))


def _in_a_list(lines: list[str]) -> bool:
    """Return whether the paragraph that ends here belongs to a list."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if _ITEM.match(line):
            return True
    return False


def _linked(link: re.Match[str], place: str, places: Collection[str]) -> str:
    """Return a link as it holds from a page; its text alone if the site lacks what it leads to."""
    target, mark, anchor = link[2].partition("#")
    if not target or "://" in target or target.startswith("mailto:"):
        return link[0]
    homes = {there: here for here, there in OUTSIDE.items() if there != "index.md"}
    source = homes.get(place, f"docs/{place}")
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    found = OUTSIDE.get(wanted, wanted.removeprefix("docs/"))
    if found not in places:
        return link[1] if not wanted.startswith("docs/") else link[0]
    return f"[{link[1]}]({posixpath.relpath(found, posixpath.dirname(place) or '.')}{mark}{anchor})"
