"""Rewrite the text of an old spec, the author's comments and way of writing kept.

Values are written anew where they changed and as they stood where they did not.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from kokoro_core.spec.problems.problem import Path, SpecError
from kokoro_core.spec.text.comments import comments_of, with_comments
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.migrations import migrate
from kokoro_core.spec.text.parse import parse
from registry import Plugins


@dataclass(frozen=True)
class Upgraded:
    """A rewritten spec: its text and what was done; no step means that the text is as it was."""

    text: str
    steps: tuple[str, ...]


def upgrade_text(written: str | bytes, source: str, plugins: Plugins) -> Upgraded:
    """Return the text of a spec in the current format; JSON stays JSON, and CRLF stays CRLF.

    Raises:
        SpecError: The text cannot be read, or has something that no spec may have.
    """
    document = parse(written, source)
    text = written.decode() if isinstance(written, bytes) else written
    text = text.removeprefix("\ufeff")
    if document.problems:
        raise SpecError(document.problems)
    migrated = migrate(document.value, plugins)
    if not migrated.steps:
        return Upgraded(text, ())
    if "\r\n" in text:
        upgraded = upgrade_text(text.replace("\r\n", "\n"), source, plugins)
        return replace(upgraded, text=upgraded.text.replace("\n", "\r\n"))
    if text.lstrip().startswith("{"):
        new = json.dumps(migrated.value, indent=2, ensure_ascii=False) + "\n"
        return Upgraded(new, migrated.steps)
    yaml = _yaml()
    nodes = dict(_nodes(yaml.compose(text), ()))
    tree = _Rewriter(document, nodes, migrated.moves).node(migrated.value, ())
    stream = io.StringIO()
    yaml.serialize(tree, stream)
    moved = [each.moved(migrated.moves) for each in comments_of(text, document)]
    return Upgraded(with_comments(stream.getvalue(), moved), migrated.steps)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    return yaml


def _nodes(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """Yield the node of each path."""
    yield path, node
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _nodes(value, (*path, key.value))
    elif isinstance(node, SequenceNode):
        for index, each in enumerate(node.value):
            yield from _nodes(each, (*path, index))


class _Rewriter:
    """New values → nodes, those of the old text where it says the same."""

    def __init__(
        self, document: Document, nodes: Mapping[Path, Node], moves: Mapping[Path, Path]
    ) -> None:
        self.document = document
        self.nodes = nodes
        self.came_from = {new: old for old, new in moves.items()}

    def node(self, value: Any, path: Path) -> Node:
        """Return the node of a value that stands at a path."""
        old = self.nodes.get(self._source(path))
        if isinstance(value, Mapping):
            flow = old.flow_style if isinstance(old, MappingNode) else None
            pairs = [(_written(key), self.node(each, (*path, key))) for key, each in value.items()]
            inline = bool(flow) if old is not None else len(path) > 1
            return MappingNode("tag:yaml.org,2002:map", pairs, flow_style=inline)
        if old is not None and self._old_value(path) == (value, type(value)):
            return old
        return _written(value)

    def _source(self, path: Path) -> Path:
        for end in range(len(path), 0, -1):
            if path[:end] in self.came_from:
                return self.came_from[path[:end]] + path[end:]
        return path

    def _old_value(self, path: Path) -> tuple[Any, type[Any]]:
        value = self.document.value
        for part in self._source(path):
            value = value[part]
        return value, type(value)


def _written(value: Any) -> Node:
    """Return the node of plain values."""
    stream = io.StringIO()
    _yaml().dump(value, stream)
    node: Node = _yaml().compose(stream.getvalue())
    return node
