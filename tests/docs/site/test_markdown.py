"""Pages of the repository as the site has them: links, lists and figures."""

from __future__ import annotations

import pytest

from docs.site.markdown import for_the_site
from kokoro_core import load_spec
from kokoro_core.spec.views.drawing import mermaid
from kokoro_core.spec.views.graph import model_graph
from registry import installed_plugins

PLACES = {"index.md", "a.md", "deep/b.md", "contributing.md", "license.txt", "voices/heart.md"}


@pytest.mark.parametrize(
    ("place", "link", "expected"),
    [
        ("a.md", "[b](deep/b.md#x)", "[b](deep/b.md#x)"),
        ("deep/b.md", "[a](../a.md)", "[a](../a.md)"),
        ("deep/b.md", "[how](../../CONTRIBUTING.md#y)", "[how](../contributing.md#y)"),
        ("contributing.md", "[a](docs/a.md)", "[a](a.md)"),
        ("contributing.md", "[terms](LICENSE)", "[terms](license.txt)"),
        ("index.md", "[all](../README.md)", "[all](index.md)"),
        ("a.md", "[the code](../kokoro_core/api.py)", "the code"),
        ("a.md", "[lost](gone.md)", "[lost](gone.md)"),
        ("a.md", "[there](https://x.example/a.md)", "[there](https://x.example/a.md)"),
        ("a.md", "[here](#here)", "[here](#here)"),
    ],
)
def test_a_link_holds_in_the_site(place: str, link: str, expected: str) -> None:
    assert for_the_site(f"See {link}.\n", place, PLACES) == f"See {expected}.\n"


def test_a_list_stands_apart_from_the_paragraph_before_it() -> None:
    assert for_the_site("text:\n- a\n  more\n- b\n\nend\n", "a.md", PLACES) == (
        "text:\n\n- a\n  more\n- b\n\nend\n"
    )
    assert for_the_site("# A\n1. a\n2. b\n", "a.md", PLACES) == "# A\n\n1. a\n2. b\n"


def test_what_stands_in_a_fence_stays() -> None:
    text = "````text\n```\ntext\n- [a](../README.md)\n```\n````\n"
    assert for_the_site(text, "a.md", PLACES) == text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("yaml wrong", 'yaml title="refused"'),
        ('yaml title="a.yaml" wrong', 'yaml title="a.yaml, refused"'),
        ('yaml title="a.yaml"', 'yaml title="a.yaml"'),
    ],
)
def test_what_is_refused_says_so(words: str, expected: str) -> None:
    made = for_the_site(f"a\n\n```{words}\nx: 1\n```\n", "a.md", PLACES)
    assert made == f"a\n\n```{expected}\nx: 1\n```\n"


def test_a_graph_in_mermaid_becomes_its_picture() -> None:
    graph = model_graph(load_spec("small"), installed_plugins().components)
    made = for_the_site(f"a\n\n```mermaid\n{mermaid(graph)}```\n\nb\n", "a.md", PLACES)
    assert made.startswith('a\n\n<figure class="graph"')
    assert made.endswith("</figure>\n\nb\n")
    assert "The parts of small" in made


def test_a_drawing_of_nothing_that_has_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="the graph of no named spec"):
        for_the_site("```mermaid\nflowchart TD\n    a --> b\n```\n", "a.md", PLACES)
