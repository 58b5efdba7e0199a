"""No pickle is written or read anywhere in the packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted(
    file
    for package in ("registry", "kokoro_core", "kokoro_plugins")
    for file in (ROOT / package).rglob("*.py")
)
MODULES = {
    *("pickle", "_pickle", "cPickle", "pickletools", "marshal", "shelve", "dbm", "copyreg"),
    *("dill", "cloudpickle", "joblib", "jsonpickle", "hickle", "klepto", "sklearn.externals"),
    *("torch.package", "torch.serialization", "pandas"),
}
CALLS = {
    *("torch.save", "torch.load", "torch.jit.save", "torch.jit.load", "torch.hub.load"),
    *("torch.hub.load_state_dict_from_url", "torch.export.load", "torch.export.save"),
    *("torch.distributed.checkpoint.save", "torch.distributed.checkpoint.load"),
    *("numpy.load", "numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.lib.format"),
    *("builtins.eval", "builtins.exec", "eval", "exec"),
}
METHODS = {"load_from_checkpoint", "all_gather_object", "to_pickle"}
"""Of objects whose type is not seen here. A trainer's `save_checkpoint` is not one of them: it
writes what the trainer's checkpoint plugin writes, and ours writes no pickle."""


IN_MEMORY = {ROOT / "kokoro_core/testing/checks/belongings.py"}
"""A check of the kit sends a component to another process, as DataLoaders and trainers do: by bytes
that it made itself and that no file holds."""

FOR_OTHER_RUNTIMES = {ROOT / "kokoro_plugins/export/to_torch.py"}
"""Writes a program of torch without inputs, which are what its archive would pickle, and reads it
back to compare; no program of anybody else is read."""


def forbidden(source: str) -> list[str]:
    """Return what a file does that writes or reads pickles, or runs text."""
    tree = ast.parse(source)
    aliases = names_of_modules(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if is_forbidden_module(each.name)]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            full = [f"{node.module}.{each.name}" for each in node.names]
            found += [each for each in full if is_forbidden_module(each) or each in CALLS]
        elif isinstance(node, ast.Call):
            name = dotted(node.func, aliases)
            tail = name.rpartition(".")[2]
            if name in CALLS or tail in METHODS or tail in {"__reduce__", "__reduce_ex__"}:
                found.append(name)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.append("allow_pickle")
        elif isinstance(node, ast.Attribute) and dotted(node, aliases) in CALLS:
            found.append(dotted(node, aliases))
    return sorted(set(found))


def is_forbidden_module(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in MODULES)


def names_of_modules(tree: ast.AST) -> dict[str, str]:
    """Return what the names stand for that imports give."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                names[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                names[each.asname or each.name] = f"{node.module}.{each.name}"
    return names


def dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    """Return the dotted name of an expression, with imports followed."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, aliases)}.{node.attr}"
    return "?"


def test_there_are_files_to_look_at() -> None:
    assert len(FILES) > 150


@pytest.mark.parametrize("package", ["registry", "kokoro_core", "kokoro_plugins"])
def test_no_file_writes_or_reads_a_pickle(package: str) -> None:
    found = {
        str(file.relative_to(ROOT)): forbidden(file.read_text(encoding="utf-8"))
        for file in FILES
        if file.is_relative_to(ROOT / package) and file not in IN_MEMORY | FOR_OTHER_RUNTIMES
    }
    assert {file: what for file, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle", "pickle"),
        ("import pickle as p", "pickle"),
        ("from pickle import loads", "pickle.loads"),
        ("def f():\n    import shelve", "shelve"),
        ("import joblib.numpy_pickle", "joblib.numpy_pickle"),
        ("import marshal", "marshal"),
        ("import torch\ntorch.load('x')", "torch.load"),
        ("import torch\ntorch.load('x', weights_only=True)", "torch.load"),
        ("import torch as t\nt.save({}, 'x')", "torch.save"),
        ("from torch import load", "torch.load"),
        ("from torch import save as write\nwrite({}, 'x')", "torch.save"),
        ("import torch\nread = torch.load", "torch.load"),
        ("from torch.serialization import load", "torch.serialization.load"),
        ("import numpy as np\nnp.load('x')", "numpy.load"),
        ("import numpy\nnumpy.load('x', allow_pickle=True)", "allow_pickle"),
        ("anything(allow_pickle=False)", "allow_pickle"),
        ("Module.load_from_checkpoint('x')", "Module.load_from_checkpoint"),
        ("dist.all_gather_object([], 1)", "dist.all_gather_object"),
        ("eval('1')", "eval"),
        ("exec('1')", "exec"),
        ("x.__reduce_ex__(2)", "x.__reduce_ex__"),
        ("import torch\ntorch.hub.load('a', 'b')", "torch.hub.load"),
        ("from torch.distributed.checkpoint import save", "torch.distributed.checkpoint.save"),
    ],
)
def test_each_way_to_a_pickle_is_seen(source: str, what: str) -> None:
    assert what in forbidden(source)


@pytest.mark.parametrize(
    "source",
    [
        "from safetensors.torch import save, load_file",
        "import json\njson.load(file)",
        "model.load('x')",
        "model.eval()",
        "checkpointer.save(path)",
        "import soundfile\nsoundfile.write('x', 1, 2)",
        "text = 'import pickle'",
    ],
)
def test_what_only_looks_like_one_is_let_be(source: str) -> None:
    assert forbidden(source) == []
