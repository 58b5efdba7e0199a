"""Pages of the built site, read with the standard library's parser of HTML."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass
class Page:
    """What a page holds.

    Attributes:
        headings: Level and text of each heading of the article, in order.
        links: Where the links of the article lead, as written.
        anchors: What can be led to within the page.
        loaded: What a browser loads to show the page.
        text: The words of the article.
    """

    headings: list[tuple[int, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    loaded: list[str] = field(default_factory=list)
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if name := given.get("id") or given.get("name"):
            self.page.anchors.add(name)
        if tag in {"script", "img", "audio", "source", "iframe"} and given.get("src"):
            self.page.loaded.append(given["src"] or "")
        if tag == "link" and given.get("rel") in {"stylesheet", "icon", "preload", "preconnect"}:
            self.page.loaded.append(given.get("href") or "")
        if tag not in VOID:
            self.open.append(tag)
        if "article" in self.open and tag == "a" and given.get("href"):
            self.page.links.append(given["href"] or "")
        if "article" in self.open and re.fullmatch("h[1-6]", tag):
            self.page.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "article" not in self.open or {"script", "style"} & {*self.open}:
            return
        self.page.text += data
        if any(re.fullmatch("h[1-6]", tag) for tag in self.open):
            level, said = self.page.headings[-1]
            self.page.headings[-1] = (level, (said + data).removesuffix("¶"))


def read(html: str) -> Page:
    """Return what a page holds."""
    reader = _Reader()
    reader.feed(html)
    return reader.page


def pages_of(site: Path) -> dict[str, Page]:
    """Return the pages of a site by their place in it."""
    return {
        file.relative_to(site).as_posix(): read(file.read_text(encoding="utf-8"))
        for file in sorted(site.rglob("*.html"))
    }


def led_to(place: str, link: str) -> tuple[str, str]:
    """Return the file and the anchor that a link of a page leads to."""
    target, _, anchor = link.partition("#")
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
    return (joined if target else place), anchor
