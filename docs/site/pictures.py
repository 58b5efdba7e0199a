"""Pictures of named specs, and the pages that show them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from kokoro_core import ModelSpec, load_spec
from kokoro_core.cli.commands.listing import spec_rows
from kokoro_core.spec.views.drawing import mermaid
from kokoro_core.spec.views.graph import model_graph
from kokoro_core.spec.views.picture import svg
from registry import installed_plugins

_INTRO = (
    "Models that plugins bring. A name stands wherever a spec is asked for; dashed lines of a "
    "picture flow in training only."
)


def picture_of(spec: ModelSpec) -> str:
    """Return the picture of a model as a figure of HTML."""
    graph = model_graph(spec, installed_plugins().components)
    drawn = svg(graph, f"The parts of {spec.name} and what flows between them")
    return f'<figure class="graph" tabindex="0" markdown="0">{drawn}</figure>\n'


def figure_of(fence: str) -> str:
    """Return the picture of the named spec whose graph a block of Mermaid is.

    Raises:
        ValueError: It is that of no named spec.
    """
    found = _by_graph().get(fence.removeprefix("```mermaid\n").removesuffix("```\n"))
    if found is None:
        raise ValueError(f"The block of Mermaid is the graph of no named spec: {fence[:200]!r}.")
    return picture_of(found)


@cache
def _by_graph() -> dict[str, ModelSpec]:
    components = installed_plugins().components
    specs = [load_spec(name) for name in installed_plugins().specs]
    return {mermaid(model_graph(each, components)): each for each in specs}


def spec_pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each named spec, after one with all of them."""
    rows = spec_rows(installed_plugins())
    cells = [
        f"| [`{each['name']}`]({each['name']}.md) | {each['parameters']:,} | {each['purpose']} |"
        for each in rows
    ]
    table = "\n".join(["| named spec | parameters | what it is |", "| --- | --- | --- |", *cells])
    yield "specs/index.md", f"# Named specs\n\n{_INTRO}\n\n{table}\n"
    for each in rows:
        yield f"specs/{each['name']}.md", _page(each)


def _page(row: dict[str, Any]) -> str:
    """Return the page of a named spec: what it is, its picture, the file."""
    name = row["name"]
    text = installed_plugins().specs[name].file.read_text(encoding="utf-8")
    return (
        f"# {name}\n\n{row['purpose']}\n\nOf the plugin `{row['plugin']}`; {row['parameters']:,} "
        f"parameters. What each setting means: [Components and settings](../components.md).\n\n"
        f"{picture_of(load_spec(name))}\n```yaml\n{text.strip()}\n```\n\n"
        f"```sh\nkokoro-core describe spec/{name}    # what each part costs\n"
        f"kokoro-core resolve {name} > mine.yaml    # every setting, to begin from\n```\n"
    )
