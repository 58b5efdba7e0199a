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

from kokoro_core.spec.views.graph import Edge, Graph, Node

_MERMAID = {"input": ('(["', '"])'), "part": ('["', '"]'), "output": ('(["', '"])')}
_COLOURS = {
    "input": ("#eef2f7", "#5b6b80"),
    "part": ("#dcecff", "#2463a8"),
    "output": ("#ddf3e0", "#2c7a3f"),
    "loss": ("#fdeadb", "#b0621b"),
}
_CHARACTER, _SMALL_CHARACTER, _LINE, _PADDING = 6.8, 6.2, 17, 12
_LAYER_GAP, _GAP = 72, 48
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
    width, height = _put(rows, places)
    nodes = [_draw_node(node, places[node.name]) for node in graph.nodes]
    pairs = list(zip(graph.edges, routes, strict=True))
    edges = [_draw_edge(edge, route, places) for edge, route in pairs]
    labels = _draw_labels(pairs, places, width)
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
        places[name] = _Place(_label_width(edge), 0)
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


def _put(rows: Sequence[Sequence[str]], places: Mapping[str, _Place]) -> tuple[float, float]:
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
        top += height + _LAYER_GAP
    return width, top - _LAYER_GAP + _MARGIN


def _width(node: Node) -> float:
    return max(len(line) for line in node.lines) * _CHARACTER + 2 * _PADDING


def _label_width(edge: Edge) -> float:
    return len(edge.label) * _SMALL_CHARACTER + 6


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


def _draw_labels(
    pairs: Sequence[tuple[Edge, Sequence[str]]], places: Mapping[str, _Place], total: float
) -> list[str]:
    """Write each label on its edge, where it covers none that is there already."""
    taken: list[_Box] = []
    drawn = []
    for edge, route in pairs:
        width = _label_width(edge)
        boxes = [
            _Box(min(max(x - width / 2, 2), total - width - 2), y - 8, width, 16)
            for x, y in _spots(_points(route, places))
        ]
        box = next((each for each in boxes if not any(map(each.overlaps, taken))), boxes[0])
        taken.append(box)
        drawn.append(_draw_label(edge.label, box))
    return drawn


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    width: float
    height: float

    def overlaps(self, other: _Box) -> bool:
        apart = self.left + self.width <= other.left or other.left + other.width <= self.left
        return not (apart or self.top + 16 <= other.top or other.top + 16 <= self.top)


def _spots(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places on an edge for its label, the best first: its first bend, or half-way."""
    spots = list(points[1:-1])
    for share in (0.5, 0.2, 0.8):
        for start, end in pairwise(points):
            spots.append(_on_curve(start, end, share))
    return spots


def _on_curve(
    start: tuple[float, float], end: tuple[float, float], share: float
) -> tuple[float, float]:
    """Return a point of the cubic curve that `_draw_edge` draws between two points."""
    (x, y), (to_x, to_y) = start, end
    half, rest = (y + to_y) / 2, 1 - share
    one, two = 3 * rest**2 * share, 3 * rest * share**2
    return (
        (rest**3 + one) * x + (two + share**3) * to_x,
        rest**3 * y + (one + two) * half + share**3 * to_y,
    )


def _draw_label(label: str, box: _Box) -> str:
    return (
        f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.0f}" fill="white"/>'
        f'<text x="{box.left + box.width / 2:.1f}" y="{box.top + 12:.1f}" text-anchor="middle" '
        f'font-size="11" fill="#333">{escape(label)}</text>'
    )
