"""`new-plugin`: what it writes installs, passes its own tests, type checks and composes."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from kokoro_core.cli.commands.new_plugin import write_new
from kokoro_core.scaffold.new_plugin import EXAMPLES, Names, check_names, plugin_files
from kokoro_core.testing import check_component
from registry import PluginRecord, Plugins

ROOT = Path(__file__).parents[3]
NAMES = {kind: Names(f"acme-{kind.replace('_', '-')}", f"{kind[:4]}_x") for kind in EXAMPLES}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_file_is_python_or_toml_under_the_author_s_names(kind: str) -> None:
    names = NAMES[kind]
    texts = plugin_files(names, kind)
    assert {"pyproject.toml", "README.md", f"{names.package}/py.typed"} <= texts.keys()
    for path, text in texts.items():
        assert not re.search(r"Example|example[-/_\"]|\"example|examples\.", text), path
        assert "scaffold" not in text
        assert "{{" not in text
        if path.endswith(".py"):
            ast.parse(text)
    assert f'type: Literal["{names.component}"]' in texts[f"{names.package}/params.py"]
    assert texts == plugin_files(names, kind)


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


BUILD = """
import os, sys
from setuptools import build_meta

wheels, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    build_meta.build_wheel(wheels)
"""

RUN_EACH = """
import json, sys
from kokoro_core.cli.app import main

for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as ended:
        if ended.code:
            raise
"""

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


@dataclass(frozen=True)
class Installed:
    """A fresh environment with a package of every kind, and the folder of their sources."""

    python: Path
    sources: Path

    def run(self, *arguments: str | Path, status: int = 0) -> str:
        ran = subprocess.run(
            [str(self.python), *map(str, arguments)],
            check=False,
            cwd=self.sources,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == status, f"{arguments}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def kokoro(self, *commands: list[str]) -> str:
        """Run commands of ours one after another, in one process."""
        return self.run("-c", RUN_EACH, json.dumps(commands))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Write a package of every kind, build wheels of them and install these."""
    home, sources = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("sources")
    wheels = tmp_path_factory.mktemp("wheels")
    here = Installed(Path(sys.executable), sources)
    here.kokoro(
        *(
            ["new-plugin", names.distribution, "--slot", kind, "--type", names.component]
            for kind, names in NAMES.items()
        )
    )
    here.run("-c", BUILD, wheels, *(sources / each.distribution for each in NAMES.values()))
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    base = {"base": str(home), "platbase": str(home)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
    shared = sysconfig.get_path("purelib")
    # The second line lets mypy, which knows no import hooks, find the framework as installed.
    (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n{ROOT}\n{shared}\n")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    here.run("-m", "pip", "--python", python, "install", *options, *wheels.glob("*.whl"))
    return Installed(python, sources)


@pytest.mark.slow
def test_all_are_installed_without_a_flag_and_compose(installed: Installed) -> None:
    listed = json.loads(installed.run("-m", "kokoro_core", "plugins", "--strict", "--json"))
    records = {each["name"]: each for each in listed}
    settings = []
    for kind, names in NAMES.items():
        record = records[names.distribution]
        assert record["components"] == [f"{EXAMPLES[kind].slot}/{names.component}"]
        readme = (installed.sources / names.distribution / "README.md").read_text()
        [line] = [each for each in readme.splitlines() if " check small " in each]
        settings.append(line.partition("--set ")[2].strip("'"))
    printed = installed.kokoro(*(["check", "small", "--set", each] for each in settings))
    assert printed == "small: ok\n" * len(NAMES)


@pytest.mark.slow
def test_their_own_tests_pass(installed: Installed) -> None:
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
        assert len(of_kit) >= 15, printed
        assert len(passed) == len(of_kit) + 2, printed


@pytest.mark.slow
def test_they_type_check_as_they_say_and_a_wrong_use_of_them_does_not(installed: Installed) -> None:
    packages = [f"{each.distribution}/{each.package}" for each in NAMES.values()]
    of_encoder = NAMES["encoder"].distribution
    tests = [f"{of_encoder}/tests/{test}.py" for test in ("test_conformance", "test_plugin")]
    (installed.sources / "wrong.py").write_text(WRONG)
    config = installed.sources / "mypy.toml"
    said = (installed.sources / of_encoder / "pyproject.toml").read_text()
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
    assert "Found 5 errors in 1 file (checked 31 source files)" in printed
