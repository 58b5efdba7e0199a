"""A graph as text that others draw: Mermaid, or DOT, the language of Graphviz."""

from __future__ import annotations

from kokoro_core.spec.views.graph import Graph

_MERMAID = {"input": ('(["', '"])'), "part": ('["', '"]'), "output": ('(["', '"])')}
_DOT = {
    "input": 'style="rounded,filled", fillcolor="#eef2f7"',
    "part": 'style="filled", fillcolor="#dcecff"',
    "output": 'style="rounded,filled", fillcolor="#ddf3e0"',
    "loss": 'shape=hexagon, style="filled", fillcolor="#fdeadb"',
}


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


def dot(graph: Graph, title: str) -> str:
    """Return a directed graph in DOT; what flows in training only is dashed."""
    lines = [f"digraph {_string(title)} {{", "    node [shape=box];"]
    for node in graph.nodes:
        label = _string("\n".join(node.lines))
        lines.append(f"    {_string(node.name)} [label={label}, {_DOT[node.kind]}];")
    for edge in graph.edges:
        style = ", style=dashed" if edge.only_training else ""
        ends = f"{_string(edge.source)} -> {_string(edge.target)}"
        lines.append(f"    {ends} [label={_string(edge.label)}{style}];")
    return "\n".join([*lines, "}", ""])


def _string(text: str) -> str:
    """Return a text in quotes; Graphviz reads escapes and, in labels, entities of HTML."""
    plain = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "&": "&amp;"}
    return f'"{"".join(plain.get(each, each) for each in text)}"'
