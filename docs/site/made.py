"""All that a build makes: pages of the code, and pages that lie outside `docs/`."""

from __future__ import annotations

from pathlib import Path

from docs.site.commands import command_pages
from docs.site.markdown import OUTSIDE
from docs.site.names import name_pages
from docs.site.pictures import spec_pages
from docs.site.sounds import sound_files


def made_pages(root: Path) -> dict[str, str | bytes]:
    """Return the content of each file by its place in the site's sources.

    Args:
        root: The repository.
    """
    found: dict[str, str | bytes] = {}
    for source, place in OUTSIDE.items():
        if place != "index.md":
            found[place] = (root / source).read_text(encoding="utf-8")
    found["assets/site.css"] = (root / "docs" / "site" / "site.css").read_text(encoding="utf-8")
    for pages in (command_pages, name_pages, spec_pages, sound_files):
        found.update(pages())
    return found
