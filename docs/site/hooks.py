"""What the site adds to the pages of `docs/`: hooks that mkdocs calls, in the order of a build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # `mkdocs` alone, unlike `python -m mkdocs`, does not look here

from mkdocs.config.defaults import MkDocsConfig  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402
from mkdocs.structure.pages import Page  # noqa: E402

from docs.site.llms import write_llms  # noqa: E402
from docs.site.made import made_pages  # noqa: E402
from docs.site.markdown import for_the_site  # noqa: E402
from docs.site.sounds import with_sounds  # noqa: E402

_MADE: dict[str, str | bytes] = {}
"""The files that a build makes, by their place in the docs."""


def on_config(config: MkDocsConfig) -> None:
    """Make the pages, and put those of a folder where the navigation names the folder."""
    _MADE.clear()
    _MADE.update(made_pages(ROOT))
    config.nav = _expanded(config.nav)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that were made."""
    for place, content in _MADE.items():
        files.append(File.generated(config, place, content=content))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page as Python's Markdown reads it, with links that hold in the site."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]  # it has one page
    return for_the_site(with_sounds(markdown), page.file.src_uri, {each.src_uri for each in files})


def on_post_build(config: MkDocsConfig) -> None:
    """Write what language models read."""
    write_llms(Path(config.docs_dir), Path(config.site_dir), config.nav or [], _MADE)


def _expanded(entry: Any) -> Any:
    """Return the navigation with the pages of a folder for each folder."""
    if isinstance(entry, list):
        return [_expanded(each) for each in entry]
    if isinstance(entry, dict):
        return {name: _expanded(each) for name, each in entry.items()}
    if not entry.endswith("/"):
        return entry
    pages = [place for place in _MADE if place.startswith(entry) and place.endswith(".md")]
    return [f"{entry}index.md", *(each for each in pages if each != f"{entry}index.md")]
