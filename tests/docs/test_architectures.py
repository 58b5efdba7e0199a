"""Pages of architectures show their named specs, and figures as `graph` draws them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kokoro_core import load_spec
from kokoro_core.cli.app import main
from tests.docs.blocks import ROOT, blocks_of

PAGES = sorted((ROOT / "docs" / "architectures").glob("*.md"))


def spec_on(page: Path) -> dict[str, object]:
    """Return the one spec with a name that a page shows."""
    shown = [
        YAML(typ="safe", pure=True).load(e.text) for e in blocks_of(page) if e.language == "yaml"
    ]
    [found] = [each for each in shown if "name" in each]
    return dict(found)


def test_there_are_pages() -> None:
    assert len(PAGES) >= 7


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_spec_of_a_page_is_the_named_spec(page: Path) -> None:
    shown = spec_on(page)
    assert load_spec(shown) == load_spec(str(shown["name"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_figure_of_a_page_is_what_graph_draws(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page.read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["graph", str(spec_on(page)["name"])])
    assert not left.value.code
    assert f"```mermaid\n{capsys.readouterr().out}```\n" in text
    assert text.count("```mermaid") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_differs_from_the_paper(page: Path) -> None:
    assert "## What differs from" in page.read_text(encoding="utf-8")
