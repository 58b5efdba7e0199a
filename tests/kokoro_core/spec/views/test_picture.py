"""The picture of a model, read back from what is drawn: boxes, arrows, labels."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kokoro_core.cli.app import main
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.views.flows import Edge
from kokoro_core.spec.views.graph import Graph, Node, model_graph
from kokoro_core.spec.views.picture import svg
from registry import installed_plugins

NAMES = sorted(installed_plugins().specs)
SVG = "{http://www.w3.org/2000/svg}"
STEP = re.compile(r"M([\d.]+) ([\d.]+)V([\d.]+)")
NET = re.compile(r"M([\d.]+) ([\d.]+)H([\d.]+)M([\d.]+) ([\d.]+)V([\d.]+)((?:M\S+ \S+?H[\d.]+)+)")
ENTRY = re.compile(r"M[\d.]+ ([\d.]+)H[\d.]+")
HEAD = re.compile(r"M([\d.]+) ([\d.]+)l")


@dataclass(frozen=True)
class Rect:
    """Where something lies: from left to right, from top to bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rect) -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


@dataclass
class Drawn:
    """What a picture holds: its boxes by what stands in them, labels, and arrows between boxes."""

    size: Rect
    boxes: dict[tuple[str, ...], Rect]
    labels: list[tuple[str, Rect]]
    arrows: set[tuple[str, str, bool]]
    lanes: list[Rect]


def graph_of(name: str) -> Graph:
    return model_graph(load_spec(name), installed_plugins().components)


def numbers(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


def read(text: str) -> Drawn:
    """Read a picture, as somebody who looks at it does."""
    root = ElementTree.fromstring(text)
    width, height = numbers(root, "width", "height")
    assert root.attrib["viewBox"] == f"0 0 {width:g} {height:g}"
    frames = []
    for each in root.iter(f"{SVG}rect"):
        x, y, across, down = numbers(each, "x", "y", "width", "height")
        frames.append(Rect(x, y, x + across, y + down))
    inside: dict[Rect, list[str]] = {each: [] for each in frames}
    labels = []
    for each in root.iter(f"{SVG}text"):
        x, y = numbers(each, "x", "y")
        if each.attrib.get("text-anchor") == "middle":
            [frame] = [rect for rect in frames if rect.top < y < rect.bottom]
            inside[frame].append(each.text or "")
        else:
            labels.append((each.text or "", Rect(x, y - 9, x + 5.6 * len(each.text or ""), y + 2)))
    titles = {rect: lines[0] for rect, lines in inside.items()}
    arrows, lanes = arrows_of(root, titles)
    boxes = {tuple(lines): rect for rect, lines in inside.items()}
    return Drawn(Rect(0, 0, width, height), boxes, labels, arrows, lanes)


def arrows_of(
    root: ElementTree.Element, titles: dict[Rect, str]
) -> tuple[set[tuple[str, str, bool]], list[Rect]]:
    """Follow each line from the box where it begins to the heads where it ends."""
    paths = [each.attrib for each in root.iter(f"{SVG}path")]
    heads = {(float(x), float(y)) for path in paths for x, y in HEAD.findall(path["d"])}
    arrows, lanes = set(), []
    for path in paths:
        dashed = "stroke-dasharray" in path
        if step := STEP.fullmatch(path["d"]):
            _, start, end = (float(each) for each in step.groups())
            assert (float(step[1]), end + 4) in heads
            [source] = [name for rect, name in titles.items() if rect.bottom == start]
            [target] = [name for rect, name in titles.items() if rect.top == end + 4]
            arrows.add((source, target, dashed))
        elif net := NET.fullmatch(path["d"]):
            x, out, lane, low, high = (float(net[each]) for each in (1, 2, 3, 5, 6))
            entries = [float(each) for each in ENTRY.findall(net[7])]
            assert (lane, low, high) == (float(net[4]), min(out, *entries), max(out, *entries))
            [source] = [name for rect, name in titles.items() if rect.top < out < rect.bottom]
            for y in entries:
                assert (x, y) in heads
                [target] = [name for rect, name in titles.items() if rect.top < y < rect.bottom]
                arrows.add((source, target, dashed))
            lanes.append(Rect(lane - 1, low, lane + 1, high))
    return arrows, lanes


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_the_boxes_and_arrows_of_the_graph_and_no_other(name: str) -> None:
    graph = graph_of(name)
    drawn = read(svg(graph, name))
    assert set(drawn.boxes) == {each.lines for each in graph.nodes}
    titles = {each.name: each.lines[0] for each in graph.nodes}
    assert drawn.arrows == {
        (titles[each.source], titles[each.target], each.only_training) for each in graph.edges
    }
    assert {text for text, _ in drawn.labels} == {each.label for each in graph.edges}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_lies_over_anything_else_or_outside(name: str) -> None:
    drawn = read(svg(graph_of(name), name))
    pairs = itertools.combinations([*drawn.boxes.values(), *(rect for _, rect in drawn.labels)], 2)
    assert [each for each in pairs if each[0].meets(each[1])] == []
    for lane in drawn.lanes:
        assert [text for text, rect in drawn.labels if rect.meets(lane)] == []
        assert lane.right < drawn.size.right
    together = itertools.combinations(drawn.lanes, 2)
    assert [each for each in together if each[0].meets(each[1])] == []
    assert max(rect.bottom for rect in drawn.boxes.values()) < drawn.size.bottom


def test_an_input_stands_above_the_first_part_that_takes_it() -> None:
    drawn = read(svg(graph_of("small"), "small"))
    order = [lines[0] for lines, rect in sorted(drawn.boxes.items(), key=lambda each: each[1].top)]
    assert order == [
        *("phoneme_indices", "encoder", "duration_predictor", "durations", "regulator"),
        *("mel_specs", "decoder", "mel", "stop", "losses"),
    ]


def test_one_tensor_that_several_parts_take_leaves_its_box_once() -> None:
    nodes = [Node(each, "part", (each,)) for each in "abcd"]
    edges = [Edge("a", "b", "x"), Edge("a", "c", "y"), Edge("a", "d", "y")]
    drawn = read(svg(Graph(nodes, edges), "toy"))
    assert len(drawn.lanes) == 1
    assert drawn.arrows == {("a", "b", False), ("a", "c", False), ("a", "d", False)}


def test_what_flows_back_up_is_drawn_too() -> None:
    nodes = [Node(each, "part", (each,)) for each in "abc"]
    edges = [Edge("a", "b", "x"), Edge("b", "c", "x"), Edge("c", "a", "back", only_training=True)]
    assert read(svg(Graph(nodes, edges), "toy")).arrows == {
        ("a", "b", False),
        ("b", "c", False),
        ("c", "a", True),
    }


def test_a_text_of_a_stranger_is_no_markup() -> None:
    lines = ("<script>alert(1)</script>", 'a"b&c')
    odd = Graph(
        [Node("a", "part", lines), Node("b", "output", ("mel",))], [Edge("a", "b", "<i>x</i>")]
    )
    text = svg(odd, '"><script>')
    assert "<script" not in text
    drawn = read(text)
    assert lines in drawn.boxes
    assert drawn.labels[0][0] == "<i>x</i>"
    assert ElementTree.fromstring(text).attrib["aria-label"] == '"><script>'


@pytest.mark.parametrize("arguments", [("x.svg",), ("x", "--format", "svg")])
def test_the_command_writes_the_picture(arguments: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / arguments[0]
    with pytest.raises(SystemExit) as caught:
        main(["graph", "small", "--out", str(out), *arguments[1:]])
    assert not caught.value.code
    assert out.read_text(encoding="utf-8") == svg(graph_of("small"), "small")
