"""The floors: who may import whom, and what the cheap side leaves unimported."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from tests.repository.reading import imports_in

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "numpy", "librosa", "lightning", "matplotlib", "safetensors", "phonemizer")
PLUGINS = sorted(each.parent.name for each in (ROOT / "kokoro_plugins").glob("*/__init__.py"))


def imports_of(file: Path) -> Iterator[str]:
    """Yield every module that a file imports, also inside functions and for types alone."""
    for node in imports_in(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from absolute(node, file)


def absolute(node: ast.ImportFrom, file: Path) -> Iterator[str]:
    """Yield what ``from x import y`` may import: x, and x.y in case y is a module."""
    module = node.module or ""
    if node.level:
        package = file.relative_to(ROOT).parent.parts
        package = package[: len(package) - node.level + 1]
        module = ".".join((*package, module) if module else package)
    yield module
    yield from (f"{module}.{alias.name}" for alias in node.names)


def files_of(folder: str) -> list[Path]:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    return files


def test_relative_imports_are_seen_for_what_they_are() -> None:
    [node] = ast.parse("from ..other import thing").body
    assert isinstance(node, ast.ImportFrom)
    file = ROOT / "kokoro_plugins" / "one" / "plugin.py"
    assert list(absolute(node, file)) == ["kokoro_plugins.other", "kokoro_plugins.other.thing"]


def test_the_registry_imports_the_standard_library_and_pluggy_alone() -> None:
    allowed = sys.stdlib_module_names | {"pluggy", "registry"}
    for file in files_of("registry"):
        strangers = {each for each in imports_of(file) if each.partition(".")[0] not in allowed}
        assert not strangers, f"{file.relative_to(ROOT)} imports {strangers}"


def test_the_core_imports_no_plugin() -> None:
    for file in files_of("kokoro_core"):
        upper = {each for each in imports_of(file) if each.startswith("kokoro_plugins")}
        assert not upper, f"{file.relative_to(ROOT)} imports {upper}"


QUESTIONS = (
    "get_capabilities",
    "get_cpu_capability",
    "_has_mkldnn",
    "_get_mkldnn_enabled",
    "_is_mkldnn_",
    "mkldnn.is_available",
    "quantized.engine",
    "supported_engines",
    "hasattr(mmap",
    "_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "/proc/cpuinfo",
)


def test_one_file_alone_asks_what_the_processor_can_do() -> None:
    files = [*files_of("registry"), *files_of("kokoro_core"), *files_of("kokoro_plugins")]
    who = {
        question: {
            file.relative_to(ROOT).as_posix()
            for file in files
            if question in file.read_text(encoding="utf-8")
        }
        for question in QUESTIONS
    }
    others = {each for asking in who.values() for each in asking} - {"kokoro_core/kernels/cpu.py"}
    assert not others, f"{others} must ask `kokoro_core.kernels.cpu`"
    assert who["_has_mkldnn"], "the questions are spelt otherwise"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins_never_import_each_other(plugin: str) -> None:
    for file in files_of(f"kokoro_plugins/{plugin}"):
        siblings = {
            each
            for each in imports_of(file)
            if each.startswith("kokoro_plugins.") and each.split(".")[1] != plugin
        }
        assert not siblings, f"{file.relative_to(ROOT)} imports {siblings}"


def cheap_modules() -> list[str]:
    """Return the modules that must not pull in a heavy one, by the layout of the repository."""
    files = [
        *(ROOT / "registry").rglob("*.py"),
        *(ROOT / "kokoro_core" / "params").glob("*.py"),
        *(ROOT / "kokoro_core" / "spec").rglob("*.py"),
        *(ROOT / "kokoro_core" / "cli").glob("*.py"),
        *(ROOT / "kokoro_core" / "cli" / "commands").glob("*.py"),
        ROOT / "kokoro_core" / "__init__.py",
        ROOT / "kokoro_core" / "slots.py",
        ROOT / "kokoro_core" / "errors.py",
        *(ROOT / "kokoro_plugins").glob("*/plugin.py"),
        *(ROOT / "kokoro_plugins").glob("*/params.py"),
    ]
    names = (".".join(each.relative_to(ROOT).with_suffix("").parts) for each in files)
    return sorted(name.removesuffix(".__init__") for name in names)


def run(code: str, *args: str) -> str:
    """Run code in a fresh interpreter; return what it printed, and show that if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


REPORT_HEAVY = f"""
import sys
heavy = sorted(set({HEAVY!r}) & set(sys.modules))
if heavy:
    sys.exit(f"imported {{heavy}}")
"""


def test_the_spec_side_and_every_manifest_leave_the_heavy_world_unimported() -> None:
    modules = cheap_modules()
    assert len(modules) > 30
    loop = "import importlib, sys\nfor each in sys.argv[1:]:\n    importlib.import_module(each)\n"
    run(loop + "    from kokoro_core import load_spec, ModelSpec\n" + REPORT_HEAVY, *modules)


def test_the_report_of_heavy_modules_sees_one() -> None:
    with pytest.raises(AssertionError, match="imported \\['numpy'\\]"):
        run("import numpy" + REPORT_HEAVY)


COMMANDS = (
    "check default small",
    "resolve default --set hidden_dim=64 --json",
    "components --json",
    "describe transformer --json",
    "specs",
    "plugins",
    "--help",
    "--version",
)

RUN_EACH = f"""
import contextlib, io, json, sys
from kokoro_core.cli.app import main

ended = {{}}
for command in {COMMANDS!r}:
    status = None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main(command.split())
    except SystemExit as stop:
        status = stop.code or 0
    ended[command] = status, sorted(set({HEAVY!r}) & set(sys.modules))
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def ended() -> dict[str, list[Any]]:
    """How each command ended that one fresh process ran, and what it had imported by then."""
    found: dict[str, list[Any]] = json.loads(run(RUN_EACH))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_only_read_specs_leave_the_heavy_world_unimported(
    command: str, ended: dict[str, list[Any]]
) -> None:
    assert ended[command] == [0, []]


def test_finding_plugins_draws_no_random_number_and_prints_nothing() -> None:
    code = """
import random
random.seed(1)
state = random.getstate()
from registry import installed_plugins
assert installed_plugins().records
assert random.getstate() == state
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("", "")


ROOMS = """
registry                       -
registry.guard                 registry
core.errors                    -
core._public                   -
core._shadowing                -
core._moved                    -
core.tensors                   -
core.spec.problems             registry
core.params                    core.spec.problems registry
core.contracts                 core.errors core.params core.tensors
core.slots                     core.contracts core.params registry
core.spec.tree                 core.params core.slots core.spec.problems registry
core.spec.text                 core.params core.spec.problems core.spec.tree registry
core.spec.rules                core.params core.slots core.spec.problems core.spec.text
                               core.spec.tree registry
core.spec                      core.params core.slots core.spec.problems core.spec.rules
                               core.spec.text core.spec.tree registry
core.spec.views                core.params core.slots core.spec.problems core.spec.rules
                               core.spec.text core.spec.tree registry
core.kernels                   core.tensors
core.nn                        core.contracts core.kernels core.params core.tensors
core.measures                  core.nn core.params
core.notebook                  core.measures core.spec.problems core.spec.tree core.spec.views
                               registry
core.model                     core.contracts core.errors core.nn core.params core.slots
                               core.spec.rules core.spec.tree core.tensors registry
core.generation                core.contracts core.kernels core.model core.notebook core.params
                               core.spec.rules core.spec.tree core.tensors
core.cost                      core.model core.nn core.spec.tree core.spec.views registry
core.durable                   core.errors
core.checkpoints               core.contracts core.durable core.errors core.model core.params
                               core.slots core.spec core.spec.problems core.spec.text
                               core.spec.tree core.spec.views core.tensors registry
core.api                       core.checkpoints core.contracts core.cost core.generation core.model
                               core.notebook core.spec core.spec.rules core.spec.tree
                               core.spec.views core.tensors registry
core.speaking                  core.api core.contracts core.errors core.generation core.model
                               core.notebook core.slots core.spec.rules core.spec.tree registry
core.speech                    core.api core.generation core.speaking core.spec.rules
                               core.spec.tree
core.scaffold                  core.params core.spec.text core.spec.tree
                               core.spec.views registry
core.cli                       core._public core._shadowing core.api core.checkpoints core.nn
                               core.params core.slots core.speaking core.spec core.spec.problems
                               core.spec.rules core.spec.text core.spec.tree core.speech
                               core.tensors registry
core.__main__                  core._shadowing core.cli
core.exporting                 core.api core.contracts core.errors core.model core.nn core.params
                               core.spec.rules core.spec.tree core.tensors
core.testing.data              core.api core.model core.params core.slots core.spec.rules
                               core.tensors registry
core.testing.probes            core.contracts core.nn core.params core.slots core.spec.rules
                               core.tensors core.testing.data
core.testing                   core.testing.data core.testing.probes
core.testing.subjects          core.api core.model core.params core.slots core.spec
                               core.spec.problems core.spec.rules core.spec.tree
                               core.testing.probes registry
core.testing.walks             core.slots core.testing.data core.testing.probes
                               core.testing.subjects
core.testing.checks            core.api core.contracts core.errors core.exporting
                               core.generation core.model core.nn core.params
                               core.spec.rules core.tensors core.testing core.testing.data
                               core.testing.probes core.testing.subjects core.testing.walks
                               registry
core.testing.engine            core.durable core.params core.slots core.spec core.spec.rules
                               core.spec.tree core.testing core.testing.checks
                               core.testing.subjects registry
core.cli.commands              core.api core.cli core.cost core.model core.params core.scaffold
                               core.slots core.speaking core.spec core.spec.problems core.speech
                               core.spec.rules core.spec.text core.spec.tree core.spec.views
                               core.testing.checks core.testing.engine core.testing.subjects
                               registry
core.cli.commands.checkpoint   core.checkpoints core.cli core.contracts core.durable core.errors
                               core.spec.text registry
core.testing.pytest_support    core.params core.testing core.testing.engine
                               core.testing.subjects registry
training.signals               -
training.data                  core.contracts core.errors core.model core.params core.slots
                               core.spec.problems core.spec.rules core.tensors registry
                               training.signals
training.metrics               -
training.evaluation            core.generation core.measures core.model core.nn core.params
                               core.spec.rules training.data
training.recipe                core.params core.spec.rules registry
training.updates               core.contracts core.slots
training.settings              core.cli core.slots training.evaluation training.recipe
training.output                core.cli
training.processes             core.cli training.settings
training.loop                  core.checkpoints core.contracts core.cost core.errors core.kernels
                               core.model core.params core.slots core.spec.rules registry
                               training.data training.output training.processes training.recipe
                               training.settings training.signals training.updates
training.resume                core.checkpoints core.contracts core.durable core.errors core.kernels
                               core.spec.problems core.spec.rules core.spec.views training.data
                               training.loop
                               training.output training.processes training.settings training.signals
training.planning              core.cost core.model
training.fit                   core.kernels training.data training.loop training.processes
                               training.resume training.settings
training.comparison            core.cli core.contracts core.params core.slots core.spec.views
                               registry training.data training.evaluation training.fit training.loop
                               training.output training.recipe training.resume training.settings
training.pictures              training.loop
training.watching              core.contracts core.generation core.model core.speaking
                               core.spec.rules core.speech
                               training.data training.evaluation training.loop
                               training.pictures training.settings
training.into_folder           core.durable core.params core.slots registry training.loop
                               training.output training.processes training.resume training.settings
                               training.watching
training.demo                  core.contracts core.generation core.measures core.model
                               core.params core.slots core.speaking core.speech registry
                               training.data training.evaluation training.fit training.loop
                               training.metrics training.output training.pictures training.resume
                               training.settings
training.beginning             core.checkpoints core.durable core.errors registry
training.train                 core.cli core.spec.rules registry training.beginning training.data
                               training.evaluation training.fit training.into_folder training.loop
                               training.output training.processes training.recipe training.resume
                               training.settings training.watching
training.vocoder               core.checkpoints core.contracts core.errors core.model core.nn
                               core.params core.spec.rules core.tensors registry training.data
                               training.evaluation training.fit training.into_folder training.loop
                               training.pictures training.processes training.resume
                               training.settings training.updates training.watching
training.commands              core.checkpoints core.cli core.params core.slots
                               core.spec core.spec.problems core.spec.text registry
                               training.beginning training.comparison training.data training.demo
                               training.loop training.output training.processes training.recipe
                               training.resume training.settings training.train training.vocoder
"""
"""Who imports whom: a room, and the rooms that it imports, lazily and for types included.

A room stands below all that it imports, so the table has no circle. `core` is `kokoro_core`, and
`training` the one plugin with rooms of its own; `core.api` and others are single files.
"""


def table_of_rooms() -> dict[str, list[str]]:
    """Return for each room of the table what it may import."""
    rooms: dict[str, list[str]] = {}
    for line in ROOMS.strip().splitlines():
        name, *others = line.split()
        if not line.startswith(" "):
            rooms[room := name] = []
        else:
            others = [name, *others]
        rooms[room] += [each for each in others if each != "-"]
    return rooms


def room_of(module: str, is_package: bool) -> str | None:
    """Return the room of a module; None: it is the public face of everything, or in no room."""
    parts = module.split(".")
    if parts[0] == "registry":
        return "registry.guard" if "guard" in parts else "registry"
    if parts[0] == "kokoro_plugins" and parts[1:2] != ["training"]:
        return None
    short = parts[1:] if parts[0] == "kokoro_plugins" else ["core", *parts[1:]]
    loose = is_package or len(short) == 2
    room = short if loose else short[:-1]
    return ".".join(room) if len(room) > 1 and "examples" not in room else None


def imported_rooms() -> dict[str, set[str]]:
    """Return for each room that there is the other rooms that its files import.

    A package's ``__init__`` is its face, which may show names of any room below the package.
    """
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for top in ("registry", "kokoro_core", "kokoro_plugins")
        for file in files_of(top)
    }
    rooms = {module: room_of(module, f.name == "__init__.py") for module, f in files.items()}
    found: dict[str, set[str]] = {room: set() for room in rooms.values() if room}
    for module, file in files.items():
        if (room := rooms[module]) and file.name != "__init__.py":
            found[room] |= {other for each in imports_of(file) if (other := rooms.get(each))}
            found[room].discard(room)
    return found


def test_a_room_imports_what_the_table_says_and_the_table_says_no_more() -> None:
    found = {room: sorted(others) for room, others in imported_rooms().items()}
    found.pop("training.plugin", None)  # names its commands and imports none
    table = {room: sorted(others) for room, others in table_of_rooms().items()}
    assert found == table


def test_rooms_form_no_circle_since_each_imports_only_those_above_it_in_the_table() -> None:
    seen: set[str] = set()
    for room, others in table_of_rooms().items():
        assert set(others) <= seen, f"{room} imports {set(others) - seen}, which stand below it"
        seen.add(room)


def test_no_circle_of_files_is_there_lazy_imports_and_those_for_types_included() -> None:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for top in ("registry", "kokoro_core", "kokoro_plugins")
        for file in files_of(top)
        if file.name != "__init__.py"
    }
    graph = {module: set(imports_of(file)) & set(files) for module, file in files.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError and shows the circle
    assert set(order) == set(files)


def test_nothing_in_the_core_imports_the_public_face_of_it() -> None:
    from kokoro_core import __all__ as face

    for file in files_of("kokoro_core"):
        if "examples" not in file.parts:
            taken = {f"kokoro_core.{name}" for name in face} & set(imports_of(file))
            assert not taken, (
                f"{file.relative_to(ROOT)} imports {taken} from the top of the package"
            )


def test_the_tests_mirror_the_source_a_folder_for_a_folder() -> None:
    """Folders of tests that belong to a single file of the source are called like the file."""
    for top in ("registry", "kokoro_core", "kokoro_plugins"):
        for folder in {file.parent for file in (ROOT / "tests" / top).rglob("test_*.py")}:
            inside = folder.relative_to(ROOT / "tests")
            if not {"hostile", "mutants"} & set(inside.parts):
                source = ROOT / inside
                assert source.is_dir() or source.with_suffix(".py").is_file(), inside
    rooms = {file.parent for file in files_of("kokoro_core") if file.name != "__init__.py"}
    untested = {
        room.relative_to(ROOT).as_posix()
        for room in rooms
        if "examples" not in room.parts
        and not [*(ROOT / "tests" / room.relative_to(ROOT)).glob("test_*.py")]
    }
    assert untested == UNDER_ANOTHER_ROOF


UNDER_ANOTHER_ROOF = {
    f"kokoro_core/{room}"
    for room in (
        "spec/tree",
        *(f"testing/{part}" for part in ("checks", "data", "engine", "probes")),
        *(f"testing/{part}" for part in ("pytest_support", "subjects", "walks")),
    )
}
"""Rooms whose tests lie one folder up, since they try several of them at once."""
