"""The package that docs/plugins.md shows, built, installed and used outside the repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT, Block, blocks_of

pytestmark = pytest.mark.slow

TITLED = [each for each in blocks_of(ROOT / "docs" / "plugins.md") if each.title is not None]
PACKAGE = [each for each in TITLED if each.title != "gated.yaml"]
[SPEC] = [each for each in TITLED if each.title == "gated.yaml"]

USE = """
    import json
    import torch
    from kokoro_core import KokoroModel

    model = KokoroModel.from_spec("gated.yaml")
    phonemes, durations = torch.tensor([[7, 41, 28, 2]]), torch.tensor([[6, 9, 8, 5]])
    mels = torch.randn(1, 28, 80, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    model.eval()
    for step in range(2):
        loss = model(phonemes, mels, durations).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    before = model.inference(phonemes, max_mel_len=20)
    model.save("gated.safetensors")
    loaded = KokoroModel.load("gated.safetensors")
    after = loaded.inference(phonemes, max_mel_len=20)
    print(json.dumps({
        "encoder": type(loaded.acoustic.encoder).__name__,
        "module": type(loaded.acoustic.encoder).__module__,
        "file": __import__("acme_gated").__file__,
        "losses": losses,
        "same": torch.equal(before, after),
        "frames": after.shape[1],
    }))
"""


@dataclass(frozen=True)
class Environment:
    """A Python environment and a folder to work in, away from the repository."""

    python: Path
    folder: Path

    def run(self, *arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run Python in the environment and compare how it ended."""
        ran = subprocess.run(
            [str(self.python), *map(str, arguments)],
            check=False,
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == status, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def json(self, *arguments: str) -> Any:
        """Return what a command of ours prints as JSON."""
        return json.loads(self.run("-m", "kokoro_core", *arguments, "--json").stdout)


def write(blocks: list[Block], folder: Path) -> None:
    """Write the files that a page shows."""
    for block in blocks:
        assert block.title is not None
        path = folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment of the tests, in which the package is not installed."""
    return Environment(Path(sys.executable), tmp_path_factory.mktemp("without"))


@pytest.fixture(scope="module")
def wheel(without: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("acme-gated")
    write(PACKAGE, source)
    without.run("-m", "build", "--wheel", "--no-isolation", source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(
    wheel: Path, without: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """A new environment that sees the packages of this one, with the wheel installed by pip."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    names = {"base": str(home), "platbase": str(home)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=names))
    shared = sysconfig.get_path("purelib")
    (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    without.run("-m", "pip", "--python", str(python), "install", *options, wheel)
    folder = tmp_path_factory.mktemp("with")
    write([SPEC], folder)
    return Environment(python, folder)


@pytest.fixture(scope="module")
def used(installed: Environment) -> dict[str, Any]:
    """What a program reports that composes, trains, saves and loads a model with the encoder."""
    printed = installed.run("-c", textwrap.dedent(USE)).stdout
    report: dict[str, Any] = json.loads(printed)
    return report


def test_the_package_takes_fewer_than_80_lines() -> None:
    lines = [line for block in PACKAGE for line in block.text.splitlines() if line.strip()]
    assert 0 < len(lines) < 80


def test_its_encoder_is_listed_with_its_distribution(installed: Environment) -> None:
    listed = {each["type"]: each for each in installed.json("components", "encoder")}
    assert {"gated", "transformer"} <= set(listed)
    assert listed["gated"]["qualified_name"] == "acme-gated/gated"
    assert (listed["gated"]["distribution"], listed["gated"]["version"]) == ("acme-gated", "1.0.0")


def test_the_plugin_is_listed_as_loaded(installed: Environment) -> None:
    [record] = [each for each in installed.json("plugins") if each["name"] == "acme-gated"]
    assert (record["distribution"], record["version"]) == ("acme-gated", "1.0.0")
    assert (record["status"], record["cause"]) == ("loaded", None)


def test_its_plugin_imports_no_torch(installed: Environment) -> None:
    code = "import sys, acme_gated.plugin; print('torch' in sys.modules)"
    assert installed.run("-c", code).stdout.strip() == "False"


def test_a_spec_with_it_is_checked_and_counted(installed: Environment) -> None:
    assert installed.run("-m", "kokoro_core", "check", "gated.yaml").stdout == "gated.yaml: ok\n"
    described = installed.json("describe", "gated.yaml")
    # the table, two convolutions to twice the width with a window of 5, the LayerNorm
    expected = 63 * 32 + 2 * (5 * 32 * 64 + 64) + 2 * 32
    assert described["size"]["slots"]["encoder"]["parameters"] == expected


def test_a_model_with_it_learns_and_comes_back_from_its_file(used: dict[str, Any]) -> None:
    first, second = used["losses"]
    assert second < first
    assert used["same"]
    assert used["frames"] >= 1
    assert (used["encoder"], used["module"]) == ("GatedEncoder", "acme_gated.encoder")


def test_what_ran_was_the_installed_wheel(used: dict[str, Any], installed: Environment) -> None:
    assert Path(used["file"]).is_relative_to(installed.python.parent.parent)


def test_its_own_tests_pass(installed: Environment) -> None:
    tests = [each for each in PACKAGE if (each.title or "").startswith("tests/")]
    write(tests, installed.folder)
    ran = installed.run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not compile", "tests"
    )
    assert int(re.findall(r"(\d+) passed", ran.stdout)[0]) >= 25


def test_without_the_package_its_spec_is_refused_in_clear_lines(without: Environment) -> None:
    write([SPEC], without.folder)
    ran = without.run("-m", "kokoro_core", "check", "gated.yaml", status=1)
    assert "no encoder is named 'acme-gated/gated'; available: " in ran.stderr
    assert "acme-gated" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_the_package_its_checkpoint_is_refused_in_clear_lines(
    used: dict[str, Any], installed: Environment, without: Environment
) -> None:
    assert used["same"]
    file = installed.folder / "gated.safetensors"
    ran = without.run("-m", "kokoro_core", "synthesize", file, "Hello.", status=1)
    assert "no encoder is named 'acme-gated/gated'; available: " in ran.stderr
    assert "Traceback" not in ran.stderr
