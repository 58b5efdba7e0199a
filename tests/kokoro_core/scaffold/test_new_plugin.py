"""`new-plugin`: what it writes installs, passes its own tests, type checks and composes."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kokoro_core import slots
from kokoro_core.cli.commands.new_plugin import write_new
from kokoro_core.scaffold.new_plugin import EXAMPLES, Names, check_names, plugin_files
from kokoro_core.testing import check_component
from registry import PluginRecord, Plugins, Slot
from tests.packaging import overlay
from tests.packaging.overlay import Overlay

NAMES = {kind: Names(f"acme-{kind.replace('_', '-')}", f"{kind[:4]}_x") for kind in EXAMPLES}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_file_is_python_or_toml_under_the_author_s_names(kind: str) -> None:
    names = NAMES[kind]
    texts = plugin_files(names, kind)
    assert {"pyproject.toml", "README.md", f"{names.package}/py.typed"} <= texts.keys()
    for path, text in texts.items():
        assert not re.search(r"Example|example[-/_\"]|\"example|examples\.", text), path
        assert "scaffold" not in text
        assert re.search(r"(?<!\$)\{\{", text) is None, path
        if path.endswith(".py"):
            ast.parse(text)
    assert f'type: Literal["{names.component}"]' in texts[f"{names.package}/params.py"]
    assert texts == plugin_files(names, kind)


def test_there_is_an_example_for_every_slot_of_the_core() -> None:
    own = {each.name for each in vars(slots).values() if isinstance(each, Slot)}
    assert {each.slot for each in EXAMPLES.values()} == own


@pytest.mark.parametrize("component", ["x1", "attentive_moving"])
def test_they_are_formatted_and_without_a_fault_under_names_of_any_length(
    component: str, tmp_path: Path
) -> None:
    for kind in EXAMPLES:
        names = Names(f"{component.replace('_', '-')}-{kind.replace('_', '-')}", component)
        write_new(tmp_path / names.distribution, plugin_files(names, kind))
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, tmp_path],
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_workflow_does_what_the_readme_says(kind: str) -> None:
    texts = plugin_files(NAMES[kind], kind)
    workflow = YAML(typ="safe", pure=True).load(texts[".github/workflows/ci.yml"])
    commands = [each["run"] for each in workflow["jobs"]["test"]["steps"] if "run" in each]
    [block] = re.findall(r"```sh\n(.*?)```", texts["README.md"], re.S)
    *said, shown = block.splitlines()
    assert set(said) <= set(commands)
    assert shown.startswith("kokoro-core ")


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (
            Names("acme-x", "x"),
            "encodr",
            r"`--slot encodr` has no example, did you mean `encoder`\? there",
        ),
        (
            Names("Acme_X", "x"),
            "encoder",
            "`Acme_X` is not a name for a plugin; .* acme-encoder",
        ),
        (Names("../evil", "x"), "encoder", "is not a name for a plugin"),
        (Names("acme-x", "a/b"), "encoder", "`--type a/b` is not a name for a component"),
        (Names("json", "x"), "encoder", "`json` is a module of Python or of ours"),
        (Names("kokoro-core", "x"), "encoder", "`kokoro_core` is a module of Python or of ours"),
        (Names("torch", "x"), "encoder", "`torch` is taken: `torch` is installed"),
        (Names("pytest", "x"), "encoder", "`pytest` is taken: `pytest` is installed"),
        (Names("ruamel", "x"), "encoder", "`ruamel` is taken: `ruamel.yaml` is installed"),
        (Names("typing-extensions", "x"), "encoder", "`typing_extensions` is installed"),
        (Names("taken", "x"), "encoder", "`taken` is the name of an installed plugin"),
    ],
)
def test_names_that_cannot_be_used_are_refused(names: Names, kind: str, message: str) -> None:
    plugins = Plugins((PluginRecord("taken", "x", "taken", "1"),))
    with pytest.raises(ValueError, match=message):
        check_names(names, kind, plugins)


@pytest.mark.parametrize(
    ("kind", "component", "named"),
    [
        ("encoder", "beta_encoder", "BetaEncoder"),
        ("encoder", "encoder", "EncoderEncoder"),
        ("encoder", "beta", "BetaEncoder"),
        ("decoder", "acme_decoder", "AcmeDecoder"),
        ("parallel_decoder", "beta_decoder", "BetaDecoder"),
        ("duration_predictor", "beta_duration_predictor", "BetaDurationPredictor"),
        ("duration_predictor", "beta_predictor", "BetaDurationPredictor"),
        ("positional_encoding", "beta_encoding", "BetaPositionalEncoding"),
        ("postnet", "my_postnet", "MyPostnet"),
        ("regulator", "beta_regulator_2", "BetaRegulator2Regulator"),
    ],
)
def test_a_class_has_the_slot_s_word_once(kind: str, component: str, named: str) -> None:
    names = Names("acme-beta", component)
    text = plugin_files(names, kind)[f"acme_beta/{EXAMPLES[kind].slot}.py"]
    classes = [each.name for each in ast.parse(text).body if isinstance(each, ast.ClassDef)]
    assert classes[-1] == named


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="exists; `--out` names a folder that does not"):
        write_new(tmp_path, {"a": ""})
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        write_new(tmp_path / "no" / "x", {"a": ""})
    write_new(tmp_path / "x", {"b/a": "text"})
    assert (tmp_path / "x" / "b" / "a").read_text() == "text"


@pytest.mark.parametrize(
    ("kind", "check"), [("encoder", "compile"), ("decoder", "compile-is-refused")]
)
def test_an_example_compiles_or_says_that_it_does_not(kind: str, check: str) -> None:
    module = import_module(f"kokoro_core.scaffold.examples.{kind}.params")
    [result] = check_component(module.ExampleParams, only=check).results
    assert result.status == "passed"


# No type of these is met by what a plugin's author writes; mypy would read 900 modules more.
INSIDES = """
[[tool.mypy.overrides]]
module = [
    "PIL.*", "matplotlib.*", "sympy.*", "torch._decomp.*", "torch._dynamo.*", "torch._export.*",
    "torch._functorch.*", "torch._inductor.*", "torch._meta_registrations", "torch._prims.*",
    "torch._refs.*", "torch.ao.*", "torch.distributed.*", "torch.export.*", "torch.fx.*",
    "torch.onnx.*", "torch.testing.*",
]
follow_imports = "skip"
"""

WRONG = """\
import torch
from acme_encoder.encoder import EncoXEncoder
from acme_encoder.params import EncoXParams
from kokoro_core import KokoroModel
from kokoro_core.params.sizes import Sizes
length: str = torch.zeros(2).sum()
params = EncoXParams(num_layers="two")
encoder: EncoXEncoder = params.build(Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16))
model: EncoXEncoder = KokoroModel.from_spec("small")
def untyped(x): ...
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Overlay:
    """Write a package of every kind, build wheels of them and install these."""
    home, sources = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("sources")
    overlay.here(sources).kokoro(
        *(
            ["new-plugin", names.distribution, "--slot", kind, "--type", names.component]
            for kind, names in NAMES.items()
        )
    )
    folders = [sources / names.distribution for names in NAMES.values()]
    return overlay.installed(folders, home, sources)


@pytest.mark.slow
def test_all_are_installed_without_a_flag_and_compose(installed: Overlay) -> None:
    listed = json.loads(installed.run("-m", "kokoro_core", "plugins", "--strict", "--json"))
    records = {each["name"]: each for each in listed}
    commands = []
    for kind, names in NAMES.items():
        record = records[names.distribution]
        assert record["components"] == [f"{EXAMPLES[kind].slot}/{names.component}"]
        readme = (installed.folder / names.distribution / "README.md").read_text()
        lines = [
            each for each in readme.splitlines() if re.search(r" (check small|describe) ", each)
        ]
        commands += [shlex.split(each)[1:] for each in lines]
    assert len(commands) == len(NAMES)
    printed = installed.kokoro(*commands).splitlines()
    assert printed.count("small: ok") == sum(command[0] == "check" for command in commands)
    for command in commands:
        described = any(command[1] in line for line in printed)
        assert command[0] == "check" or described, command


@pytest.mark.slow
def test_their_own_tests_pass(installed: Overlay) -> None:
    folders = [f"{each.distribution}/tests" for each in NAMES.values()]
    options = (
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-W",
        "error",
        "-rp",
        "--rootdir=.",
    )
    # Compiling costs as much as all the rest and is tried above.
    printed = installed.run("-m", "pytest", *options, "-k", "not compile", *folders)
    for kind, names in NAMES.items():
        passed = [line for line in printed.splitlines() if f"{names.distribution}/tests/" in line]
        of_kit = [line for line in passed if f"[{EXAMPLES[kind].slot}/{names.component}-" in line]
        assert len(of_kit) >= (15 if EXAMPLES[kind].kit else 0), printed
        own = Path(installed.folder / names.distribution / "tests").glob("test_*.py")
        files = {each.name for each in own if each.name != "test_conformance.py"}
        assert all(any(f"/{name}::" in line for line in passed) for name in files), printed


@pytest.mark.slow
def test_they_type_check_as_they_say_and_a_wrong_use_of_them_does_not(installed: Overlay) -> None:
    packages = [f"{each.distribution}/{each.package}" for each in NAMES.values()]
    of_encoder = NAMES["encoder"].distribution
    tests = [f"{of_encoder}/tests/{test}.py" for test in ("test_conformance", "test_plugin")]
    (installed.folder / "wrong.py").write_text(WRONG)
    config = installed.folder / "mypy.toml"
    said = (installed.folder / of_encoder / "pyproject.toml").read_text()
    config.write_text(said + INSIDES)
    options = ("--config-file", config, "--cache-dir", os.devnull)
    python = ("--python-executable", installed.python)
    files = (*packages, *tests, "wrong.py")
    printed = installed.run("-m", "mypy", *options, *python, *files, status=1)
    found = re.findall(r"^(.+): error: .*\[(.+)\]$", printed, re.MULTILINE)
    assert found == [
        ("wrong.py:6", "assignment"),
        ("wrong.py:7", "arg-type"),
        ("wrong.py:8", "assignment"),
        ("wrong.py:9", "assignment"),
        ("wrong.py:10", "no-untyped-def"),
    ], printed
    assert "Found 5 errors in 1 file (checked 87 source files)" in printed
