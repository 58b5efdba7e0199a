"""A graph as an SVG picture: boxes in one column, in the order of the flow, and lanes beside it.

What flows to the next box is an arrow down; all else leaves a box at its right, goes along a lane
of its own and enters the boxes that take it. So no label meets another, whatever the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from kokoro_core.spec.views.flows import Edge
from kokoro_core.spec.views.graph import Graph, Node

_FILLS = {"input": "#eef2f7", "part": "#dcecff", "output": "#ddf3e0", "loss": "#fdeadb"}
_LINE, _ROW, _GAP, _LANE, _MARGIN = 17.0, 20.0, 34.0, 12.0, 10.0
_WIDE, _NARROW = 7.4, 6.0
"""Width of a character in a box, and of one in a label: what the widest common fonts need."""


@dataclass(frozen=True)
class _Net:
    """One tensor, from the box that gives it to all boxes that take it beside the next one."""

    source: str
    label: str
    only_training: bool
    targets: tuple[str, ...]


@dataclass(frozen=True)
class _Box:
    """A node with its place, and the heights at which nets enter and leave it."""

    node: Node
    top: float
    height: float
    entries: dict[_Net, float]
    exits: dict[_Net, float]


def svg(graph: Graph, title: str) -> str:
    """Return a picture as SVG, to be set into a page or written to a file.

    Lines and labels have the colour of the text around the picture; what flows in training only is
    dashed.

    Args:
        graph: The model.
        title: What the picture is called where it is not seen.
    """
    nodes = _in_flow_order(graph)
    steps, nets = _split(graph.edges, [each.name for each in nodes])
    boxes = _stacked(nodes, nets)
    width = max(len(line) for node in nodes for line in node.lines) * _WIDE + 2 * _MARGIN
    lanes = _lanes(nets, boxes)
    first = _MARGIN + width + max((len(n.label) for n in nets), default=0) * _NARROW + 2 * _MARGIN
    right = first + (max(lanes.values(), default=0) + 1) * _LANE
    bottom = max(box.top + box.height for box in boxes.values()) + _MARGIN
    parts = [
        *(_step(each, boxes, _MARGIN + width / 2) for each in steps),
        *(_net(each, boxes, _MARGIN + width, first + lanes[each] * _LANE) for each in nets),
        *(_box(each, width) for each in boxes.values()),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {right:g} {bottom:g}" width="{right:g}" height="{bottom:g}" '
        f'font-family="sans-serif" font-size="11">{"".join(parts)}</svg>'
    )


def _in_flow_order(graph: Graph) -> list[Node]:
    """Return the nodes with each input right before the first part that takes it."""
    order = [each for each in graph.nodes if each.kind != "input"]
    places = {each.name: place for place, each in enumerate(order)}
    for node in (each for each in graph.nodes if each.kind == "input"):
        takers = [places[each.target] for each in graph.edges if each.source == node.name]
        places[node.name] = min(takers, default=0)
    # Of two that belong at one place the input comes first.
    inputs = [each for each in graph.nodes if each.kind == "input"]
    return sorted([*inputs, *order], key=lambda each: (places[each.name], each.kind != "input"))


def _split(edges: Sequence[Edge], names: Sequence[str]) -> tuple[list[Edge], list[_Net]]:
    """Return the edges to the next box, one between any two, and the nets of the others."""
    following = dict(pairwise(names))
    steps: dict[str, Edge] = {}
    targets: dict[tuple[str, str, bool], list[str]] = {}
    for each in edges:
        if following.get(each.source) == each.target and each.source not in steps:
            steps[each.source] = each
        else:
            key = (each.source, each.label, each.only_training)
            targets.setdefault(key, []).append(each.target)
    return list(steps.values()), [_Net(*key, tuple(takers)) for key, takers in targets.items()]


def _stacked(nodes: Sequence[Node], nets: Sequence[_Net]) -> dict[str, _Box]:
    """Return the boxes below each other, each high enough for its lines and for its nets."""
    boxes: dict[str, _Box] = {}
    top = _MARGIN
    for node in nodes:
        entering = [each for each in nets if node.name in each.targets]
        leaving = [each for each in nets if each.source == node.name]
        rows = len(entering) + len(leaving)
        height = max(len(node.lines) * _LINE + 14, rows * _ROW + 8)
        start = top + height / 2 - (rows - 1) * _ROW / 2
        heights = [start + row * _ROW for row in range(rows)]
        boxes[node.name] = _Box(
            node,
            top,
            height,
            dict(zip(entering, heights, strict=False)),
            dict(zip(leaving, heights[len(entering) :], strict=True)),
        )
        top += height + _GAP
    return boxes


def _lanes(nets: Sequence[_Net], boxes: dict[str, _Box]) -> dict[_Net, int]:
    """Return the lane of each net, the nearest that is free along it; the shortest choose first."""
    taken: list[list[tuple[float, float]]] = []
    lanes: dict[_Net, int] = {}
    for net in sorted(nets, key=lambda each: _reach(each, boxes)[1] - _reach(each, boxes)[0]):
        low, high = _reach(net, boxes)
        free = (
            number
            for number, spans in enumerate(taken)
            if all(high < start - _ROW / 2 or low > end + _ROW / 2 for start, end in spans)
        )
        lane = next(free, len(taken))
        taken += [[]] if lane == len(taken) else []
        taken[lane].append((low, high))
        lanes[net] = lane
    return lanes


def _reach(net: _Net, boxes: dict[str, _Box]) -> tuple[float, float]:
    """Return the heights between which a net runs along its lane."""
    ends = [boxes[net.source].exits[net], *(boxes[each].entries[net] for each in net.targets)]
    return min(ends), max(ends)


def _step(edge: Edge, boxes: dict[str, _Box], x: float) -> str:
    """Return the arrow from a box down to the next."""
    start = boxes[edge.source].top + boxes[edge.source].height
    end = boxes[edge.target].top
    line = _path(f"M{x:g} {start:g}V{end - 4:g}", edge.only_training)
    return line + _head(x, end, "l-4 -8h8z") + _label(edge.label, x + 8, (start + end) / 2 + 3)


def _net(net: _Net, boxes: dict[str, _Box], x: float, lane: float) -> str:
    """Return a net: out of its source, along its lane, into all that take it."""
    low, high = _reach(net, boxes)
    out = boxes[net.source].exits[net]
    ins = [boxes[each].entries[net] for each in net.targets]
    rows = "".join(f"M{x + 4:g} {y:g}H{lane:g}" for y in ins)
    line = _path(f"M{x:g} {out:g}H{lane:g}M{lane:g} {low:g}V{high:g}{rows}", net.only_training)
    heads = "".join(_head(x, y, "l8 -4v8z") for y in ins)
    return line + heads + "".join(_label(net.label, x + _MARGIN, y - 4) for y in (out, *ins))


def _path(way: str, dashed: bool) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{way}" fill="none" stroke="currentColor" stroke-opacity=".55"{dash}/>'


def _head(x: float, y: float, shape: str) -> str:
    return f'<path d="M{x:g} {y:g}{shape}" fill="currentColor" fill-opacity=".7"/>'


def _label(text: str, x: float, y: float) -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="currentColor">{escape(text)}</text>'


def _box(box: _Box, width: float) -> str:
    """Return a box with its lines, the first one bold."""
    round_corner = 4 if box.node.kind == "part" else 14
    frame = (
        f'<rect x="{_MARGIN:g}" y="{box.top:g}" width="{width:g}" height="{box.height:g}" '
        f'rx="{round_corner}" fill="{_FILLS[box.node.kind]}" stroke="#7a8ca3"/>'
    )
    return frame + "".join(_lines(box, _MARGIN + width / 2))


def _lines(box: _Box, x: float) -> Iterator[str]:
    first = box.top + box.height / 2 - (len(box.node.lines) - 1) * _LINE / 2 + 4
    for number, line in enumerate(box.node.lines):
        weight = ' font-weight="bold"' if number == 0 else ""
        yield (
            f'<text x="{x:g}" y="{first + number * _LINE:g}" text-anchor="middle" font-size="13" '
            f'fill="#1c2733"{weight}>{escape(line)}</text>'
        )
