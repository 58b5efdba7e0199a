"""A graph by `torch.export`, or the part, the line and the reason for which there is none."""

from __future__ import annotations

import contextlib
import io
import linecache
import logging
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from kokoro_core.errors import ExportError

NOT_OF_PARTS = (Path(torch.__file__).parent, Path(logging.__file__).parent, Path(__file__))
RECURRENT = "lstm", "gru"
_LINES = re.compile(r'File "([^"]+)", line (\d+), in [^\n]*\n([^\n]*)')
_FIXED = re.compile(r"(Eq\(.*, \d+\)) \[guard added\]")


def trace(
    graph: nn.Module, arguments: Mapping[str, Any], dynamic: Mapping[str, Any]
) -> ExportedProgram:
    """Return the program of a graph.

    Args:
        graph: What is called with the arguments by keyword.
        arguments: Tensors, or lists of tensors and numbers.
        dynamic: For each argument the sizes that are symbols, as `torch.export` takes them.

    Raises:
        ExportError: A part cannot be traced.
    """
    traced = partial(
        torch.export.export,
        graph,
        (),
        dict(arguments),
        dynamic_shapes=dict(dynamic),
        strict=False,
        prefer_deferred_runtime_asserts_over_guards=True,
    )
    with quietly(), recurrent_layers_whole(), torch.no_grad():
        try:
            return traced()
        except Exception as error:  # of torch or of a part's own code
            raise ExportError(_told(error, graph, traced)) from error


def _told(error: Exception, graph: nn.Module, traced: Callable[[], object]) -> str:
    """Return the words for an error; one of a fixed length comes too late to show where it was."""
    if type(next(_chain(error))).__name__ != "ConstraintViolationError":
        return explained(error, graph)
    with watching_for_fixed_lengths(graph) as found, contextlib.suppress(Exception):
        traced()
    return found[0] if found else explained(error, graph)


@contextlib.contextmanager
def watching_for_fixed_lengths(graph: nn.Module) -> Iterator[list[str]]:
    """Yield a list to which each line is added, in words, that makes a length a plain number."""
    watcher = _Watcher(graph)
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    kept = logger.level, logger.propagate, logger.handlers
    logger.handlers, logger.propagate = [watcher], False
    logger.setLevel(logging.INFO)
    try:
        with _logging_disabled(logging.NOTSET):
            yield watcher.found
    finally:
        level, logger.propagate, logger.handlers = kept
        logger.setLevel(level)


class _Watcher(logging.Handler):
    """Reads where torch is when it notes that a size has one value."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.found: list[str] = []
        self._graph = graph

    def emit(self, record: logging.LogRecord) -> None:
        noted = _FIXED.search(record.getMessage())
        if noted:
            here = [(each, line) for each, line in traceback.walk_stack(None)]
            place = _place(here, self._graph)
            why = f"it works for one length alone, torch notes `{noted[1]}`"
            self.found.append(f"{place} cannot be exported{_line(here)}: {why}")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep what torch prints and warns of from a caller who is told what counts."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        with _logging_disabled(logging.WARNING):
            yield


@contextlib.contextmanager
def _logging_disabled(level: int) -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def recurrent_layers_whole() -> Iterator[None]:
    """Let an LSTM or a GRU be one operation of a graph, for sequences of any length.

    torch takes it apart into as many steps as the example has, only to learn the output's shape.
    """
    kept: list[tuple[Any, dict[Any, Any]]] = []
    for name in RECURRENT:
        operation: Any = getattr(torch.ops.aten, name).input
        kept.append((operation, dict(operation.py_kernels)))
        for key in ("CompositeImplicitAutograd", "Autograd"):
            operation.py_kernels[getattr(torch._C.DispatchKey, key)] = _shapes_of(name)
        operation._dispatch_cache.clear()
    try:
        yield
    finally:
        for operation, kernels in kept:
            operation.py_kernels.clear()
            operation.py_kernels.update(kernels)
            operation._dispatch_cache.clear()


def _shapes_of(name: str) -> Callable[..., tuple[Tensor, ...]]:
    """Return what stands for a recurrent layer while only shapes are of interest."""

    def shapes(x: Tensor, states: Any, *settings: Any) -> tuple[Tensor, ...]:
        *_, both_ways, _ = settings
        rest = list(states) if name == "lstm" else [states]
        width = rest[0].shape[2] * (2 if both_ways else 1)
        made = x.new_empty(x.shape[0], x.shape[1], width)
        return made, *(each.new_empty(each.shape) for each in rest)

    return shapes


def explained(error: BaseException, graph: nn.Module) -> str:
    """Return which part, at which line and why, of what a trace or a conversion has raised."""
    frames = [frame for each in _chain(error) for frame in _frames(each.__traceback__)]
    node = _node(frames)
    if node is not None:
        return f"{_place_of_node(node)} cannot be exported{_line_of_node(node)}: {_reason(error)}"
    return f"{_place(frames, graph)} cannot be exported{_line(frames)}: {_reason(error)}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, the first cause first."""
    if error is not None:
        yield from _chain(error.__cause__ or error.__context__)
        yield error


def _frames(trace: TracebackType | None) -> Iterator[tuple[Any, int]]:
    """Yield the frames of a traceback with their lines, the innermost first."""
    yield from reversed([(frame, line) for frame, line in traceback.walk_tb(trace)])


def _node(frames: list[tuple[Any, int]]) -> torch.fx.Node | None:
    """Return the operation of a program at which a conversion of it stopped, if it is one."""
    for frame, _ in frames:
        node = frame.f_locals.get("node")
        if isinstance(node, torch.fx.Node) and "stack_trace" in node.meta:
            return node
    return None


def _place_of_node(node: torch.fx.Node) -> str:
    path, kind = next(reversed(node.meta.get("nn_module_stack", {}).values()), ("", ""))
    name = path.removeprefix("L['self'].").removeprefix("acoustic.")
    label = kind if isinstance(kind, str) else kind.__name__
    return f"`{name}` (`{label.rpartition('.')[2]}`)" if name else "The model"


def _line_of_node(node: torch.fx.Node) -> str:
    for file, number, text in reversed(_LINES.findall(node.meta["stack_trace"])):
        path = Path(file)
        if not {path, *path.parents} & set(NOT_OF_PARTS):
            return f" because of `{text.strip()}` ({Path(*path.parts[-3:]).as_posix()}:{number})"
    return ""


def _place(frames: list[tuple[Any, int]], graph: nn.Module) -> str:
    names = {id(module): name for name, module in graph.named_modules()}
    for frame, _ in frames:
        own = frame.f_locals.get("self")
        name = names.get(id(own), "")
        if name:
            return f"`{name.removeprefix('acoustic.')}` (`{type(own).__name__}`)"
    return "The model"


def _line(frames: list[tuple[Any, int]]) -> str:
    """Return the innermost line that is not torch's or of this file."""
    for frame, number in frames:
        file = Path(frame.f_code.co_filename)
        if file.is_file() and not {file, *file.parents} & set(NOT_OF_PARTS):
            text = linecache.getline(str(file), number).strip()
            return f" because of `{text}` ({Path(*file.parts[-3:]).as_posix()}:{number})"
    return ""


def _reason(error: BaseException) -> str:
    first = next(_chain(error))
    said = next((line.strip() for line in str(first).splitlines() if line.strip()), "")
    return f"{type(first).__name__}: {said}" if said else type(first).__name__
