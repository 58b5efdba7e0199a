"""A graph → Mermaid, or SVG by a small layered layout (after Sugiyama et al., 1981).

Each node stands one layer below the lowest that feeds it. An edge that passes a layer gets a place
of its own there, so that it crosses no box, and the places of a layer are ordered by the means of
their neighbours. All of it follows from the graph alone, so one graph has one drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from kokoro_core.spec.graph import Edge, Graph, Node

_MERMAID = {"input": ('(["', '"])'), "part": ('["', '"]'), "output": ('(["', '"])')}
_COLOURS = {
    "input": ("#eef2f7", "#5b6b80"),
    "part": ("#dcecff", "#2463a8"),
    "output": ("#ddf3e0", "#2c7a3f"),
    "loss": ("#fdeadb", "#b0621b"),
}
_CHARACTER, _LINE, _PADDING = 6.8, 17, 12
_LAYER_GAP, _GAP, _LANE = 64, 36, 120
_MARGIN = 24


def mermaid(graph: Graph) -> str:
    """Return a Mermaid flowchart; what flows in training only is dotted."""
    lines = ["flowchart TD"]
    for node in graph.nodes:
        before, after = _MERMAID.get(node.kind, ('{{"', '"}}'))
        lines.append(f"    {node.name}{before}{'<br/>'.join(map(_quoted, node.lines))}{after}")
    for edge in graph.edges:
        arrow = "-.->" if edge.only_training else "-->"
        lines.append(f'    {edge.source} {arrow}|"{_quoted(edge.label)}"| {edge.target}')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text for between quotes, where Mermaid takes # and ; for its own."""
    plain = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;"}
    return "".join(plain.get(each, each) for each in text)


@dataclass
class _Place:
    """A node, or the bend of an edge, in a layer; x is its middle."""

    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def svg(graph: Graph, title: str) -> str:
    """Return a drawing as a stand-alone SVG file; what flows in training only is dashed."""
    layers = _layers(graph)
    places = {node.name: _Place(_width(node), _height(node)) for node in graph.nodes}
    rows: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    for node in graph.nodes:
        rows[layers[node.name]].append(node.name)
    routes = [_route(index, edge, layers, places, rows) for index, edge in enumerate(graph.edges)]
    _order(rows, routes)
    width, height = _put(rows, places, routes)
    nodes = [_draw_node(node, places[node.name]) for node in graph.nodes]
    pairs = list(zip(graph.edges, routes, strict=True))
    edges = [_draw_edge(edge, route, places) for edge, route in pairs]
    labels = [_draw_label(edge, route, places) for edge, route in pairs]
    return "\n".join([*_head(title, width, height), *edges, *nodes, *labels, "</svg>", ""])


def _layers(graph: Graph) -> dict[str, int]:
    """Return the layer of each node, 0 at the top; an input stands right above what takes it."""
    layers = dict.fromkeys((node.name for node in graph.nodes), 0)
    for _ in graph.nodes:
        for edge in graph.edges:
            layers[edge.target] = max(layers[edge.target], layers[edge.source] + 1)
    for node in graph.nodes:
        below = [layers[edge.target] for edge in graph.edges if edge.source == node.name]
        if node.kind == "input" and below:
            layers[node.name] = min(below) - 1
    return layers


def _route(
    index: int,
    edge: Edge,
    layers: Mapping[str, int],
    places: dict[str, _Place],
    rows: list[list[str]],
) -> list[str]:
    """Return the places that an edge goes through, a new one in each layer that it passes."""
    route = [edge.source]
    for layer in range(layers[edge.source] + 1, layers[edge.target]):
        name = f"edge {index} layer {layer}"
        places[name] = _Place(_LANE, 0)
        rows[layer].append(name)
        route.append(name)
    return [*route, edge.target]


def _order(rows: list[list[str]], routes: Sequence[Sequence[str]]) -> None:
    """Order each layer by the mean place of its neighbours, downwards and upwards in turn."""
    neighbours: dict[str, list[str]] = {name: [] for row in rows for name in row}
    for route in routes:
        for a, b in pairwise(route):
            neighbours[a].append(b)
            neighbours[b].append(a)
    for turn in range(8):
        indices = range(1, len(rows)) if turn % 2 == 0 else range(len(rows) - 2, -1, -1)
        for index in indices:
            beside = rows[index - 1] if turn % 2 == 0 else rows[index + 1]
            at = {name: (place + 0.5) / len(beside) for place, name in enumerate(beside)}
            own = {name: (place + 0.5) / len(rows[index]) for place, name in enumerate(rows[index])}
            means = {
                name: _mean([at[each] for each in neighbours[name] if each in at], own[name])
                for name in rows[index]
            }
            rows[index].sort(key=means.__getitem__)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _put(
    rows: Sequence[Sequence[str]],
    places: Mapping[str, _Place],
    routes: Sequence[Sequence[str]],
) -> tuple[float, float]:
    """Give every place its x and y, rows in the middle, and return the size of the drawing."""
    widths = [sum(places[name].width + _GAP for name in row) - _GAP for row in rows]
    width = max(widths) + 2 * _MARGIN
    top = float(_MARGIN + _LINE)
    for row, own in zip(rows, widths, strict=True):
        height = max(places[name].height for name in row)
        left = (width - own) / 2
        for name in row:
            place = places[name]
            place.x, place.y = left + place.width / 2, top + (height - place.height) / 2
            left += place.width + _GAP
        crowd = sum(any(a in row for a in route[:1]) for route in routes)
        top += height + _LAYER_GAP + 6 * max(0, crowd - 2)
    return width, top - _LAYER_GAP + _MARGIN


def _width(node: Node) -> float:
    return max(len(line) for line in node.lines) * _CHARACTER + 2 * _PADDING


def _height(node: Node) -> float:
    return len(node.lines) * _LINE + 2 * _PADDING


def _head(title: str, width: float, height: float) -> list[str]:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]


def _draw_node(node: Node, place: _Place) -> str:
    fill, line = _COLOURS[node.kind]
    left, radius = place.x - place.width / 2, 4 if node.kind == "part" else 14
    texts = [
        f'<text x="{place.x:.1f}" y="{place.y + _PADDING + 12 + _LINE * index:.1f}" '
        f'text-anchor="middle"{" font-weight=" + quoteattr("bold") if index == 0 else ""}>'
        f"{escape(text)}</text>"
        for index, text in enumerate(node.lines)
    ]
    box = (
        f'<rect x="{left:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="{radius}" fill="{fill}" stroke="{line}"/>'
    )
    return "\n".join([f"<g id={quoteattr(node.name)}>", box, *texts, "</g>"])


def _points(route: Sequence[str], places: Mapping[str, _Place]) -> list[tuple[float, float]]:
    """Return where an edge leaves, bends and arrives."""
    first, *between, last = (places[name] for name in route)
    towards = (between or [last])[0].x
    back = (between or [first])[-1].x
    return [
        (_aside(first, towards), first.y + first.height),
        *((each.x, each.y) for each in between),
        (_aside(last, back), last.y),
    ]


def _aside(place: _Place, towards: float) -> float:
    """Return where on the side of a box an edge ends: off the middle, towards its other end."""
    reach = place.width / 2 - _PADDING
    return place.x + max(-reach, min(reach, 0.35 * (towards - place.x)))


def _draw_edge(edge: Edge, route: Sequence[str], places: Mapping[str, _Place]) -> str:
    points = _points(route, places)
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (y + to_y) / 2
        path += f" C{x:.1f},{half:.1f} {to_x:.1f},{half:.1f} {to_x:.1f},{to_y:.1f}"
    dashes = ' stroke-dasharray="5 4"' if edge.only_training else ""
    return f'<path d="{path}" fill="none" stroke="#555"{dashes} marker-end="url(#tip)"/>'


def _draw_label(edge: Edge, route: Sequence[str], places: Mapping[str, _Place]) -> str:
    """Write a label on an edge: at its bend in the first layer that it passes, or half-way."""
    points = _points(route, places)
    x, y = points[1]
    if len(points) == 2:
        x, y = (points[0][0] + x) / 2, (points[0][1] + y) / 2
    return (
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" fill="#333" '
        f'stroke="white" stroke-width="4" paint-order="stroke">{escape(edge.label)}</text>'
    )
