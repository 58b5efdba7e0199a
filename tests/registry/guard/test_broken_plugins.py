"""A broken plugin is listed with cause and remedy, and hurts nothing that does without it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core.model.assembly import assemble
from kokoro_core.spec.load import load_spec
from registry import Plugins
from tests.registry.guard.cases import CASES, TORCH, Case, importing, install
from tests.registry.guard.site import GOOD, Site

TINY = {"hidden_dim": 16, "encoder.num_layers": 1, "decoder.num_layers": 1}
TINY |= {f"{stack}.ff_dim": 8 for stack in ("encoder", "decoder")}
NAMED = ("small", "parallel", "mixed")


def weights(plugins: Plugins) -> str:
    """Return a hash of every tensor of some shipped specs, built small from the random state."""
    digest = hashlib.sha256()
    for name in NAMED:
        model = assemble(load_spec(name, overrides=TINY, plugins=plugins))
        for key, tensor in model.state_dict().items():
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="module")
def expected() -> str:
    torch.manual_seed(5)
    return weights(Plugins(components=_built_in().components, specs=_built_in().specs))


def _built_in() -> Plugins:
    return Site(Path("/nowhere")).discover(with_built_in=True)


UNREADABLE = [name for name, case in CASES.items() if "cannot be read" in case.cause]
READABLE = [name for name in CASES if name not in UNREADABLE]


def test_there_are_more_than_forty() -> None:
    assert len(CASES) > 40


@pytest.mark.parametrize("name", READABLE)
def test_a_broken_plugin_leaves_models_bit_identical(name: str, site: Site, expected: str) -> None:
    case = CASES[name]
    plugin = install(site, name, case)
    torch.manual_seed(5)
    plugins = site.discover(with_built_in=True)
    record = next(each for each in plugins.records if each.name == plugin and not each.built_in)
    assert (record.status, case.cause in _said(asdict(record))) == (case.status, True), record
    assert weights(plugins) == expected
    if case.status != "loaded":
        assert not [each for each in plugins.components if each.distribution == record.distribution]
        assert not [
            each for each in plugins.specs.values() if each.plugin == plugin != "transformer"
        ]


def test_a_manifest_that_uses_torch_leaves_its_random_state_and_default_dtype(
    site: Site, expected: str
) -> None:
    install(site, "heavy", TORCH)
    torch.manual_seed(5)
    plugins = site.discover(with_built_in=True)
    [record] = [each for each in plugins.records if each.name == "heavy"]
    assert torch.get_default_dtype() is torch.float32
    assert [each.partition(" when")[0] for each in record.flags] == [
        "changes torch's default dtype",
        "changes the random state of torch",
    ]
    assert weights(plugins) == expected


def test_what_cannot_be_put_back_is_said_and_hurts_no_other_plugin(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deleted"
    folder.mkdir()
    monkeypatch.chdir(folder)
    leaves = "import os; here = os.getcwd(); os.chdir('/'); os.rmdir(here)"
    site.add("gone", importing(leaves, "gone"))
    site.add("last", GOOD.format(name="last"))
    gone, last = site.discover().records
    assert gone.flags == ("changes the working directory when it is imported; that stays changed",)
    assert (last.status, last.flags) == ("loaded", ())


def test_a_manifest_that_draws_from_numpy_leaves_its_random_state(site: Site) -> None:
    import numpy as np

    install(site, "draws", TORCH)
    (site.folder / "dist_draws_draws.py").write_text("import numpy\nnumpy.random.rand(3)\n")
    np.random.seed(3)
    want = np.random.RandomState(3).rand()
    [record] = site.discover().records
    assert "the random state of numpy" in record.flags[0]
    assert np.random.rand() == want


REPORT = """
import json, sys
from registry import installed_plugins
from kokoro_core.cli.app import main

def run(*arguments):
    try:
        main(list(arguments))
    except SystemExit as ended:
        return ended.code or 0

status = run("plugins", "--json", "--strict"), run("check", "small", "parallel")
print(json.dumps(status))
if sys.argv[1] == "build":
    from tests.registry.guard.test_broken_plugins import weights
    import torch
    torch.manual_seed(5)
    print(weights(installed_plugins()))
"""


@dataclass(frozen=True)
class Report:
    """What a fresh process said: the records, and the lines after them."""

    records: list[dict[str, Any]]
    lines: list[str]

    def record(self, plugin: str) -> dict[str, Any]:
        """Return the record of a plugin that is not the framework's."""
        found = [each for each in self.records if each["name"] == plugin]
        [record] = [each for each in found if each["distribution"] != "kokoro-core"]
        return record

    def box(self) -> list[dict[str, Any]]:
        """Return the records of the framework's own plugins, without their import times."""
        own = [each for each in self.records if each["distribution"] == "kokoro-core"]
        return [{**each, "import_seconds": 0} for each in own]


def report(what: str, *path: Path) -> Report:
    """Return what a fresh process says that finds these folders installed."""
    root = Path(__file__).parents[3]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KOKORO_")}
    done = subprocess.run(
        [sys.executable, "-c", REPORT, what],
        env={**clean, "PYTHONPATH": os.pathsep.join(map(str, (*path, root)))},
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text, _, rest = done.stdout.partition("\n]\n")
    return Report(json.loads(f"{text}\n]"), rest.splitlines())


@pytest.fixture(scope="module")
def clean() -> Report:
    return report("build")


@pytest.fixture(scope="module")
def all_at_once(tmp_path_factory: pytest.TempPathFactory) -> Report:
    site = Site(tmp_path_factory.mktemp("site"))
    for name in READABLE:
        install(site, name, CASES[name])
    install(site, "imports-torch", TORCH)
    return report("build", site.folder)


@pytest.fixture(scope="module")
def with_unreadable(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Beside a list of entry points that is unreadable; torch itself cannot be imported there."""
    site = Site(tmp_path_factory.mktemp("site"))
    for name in (*UNREADABLE, "raises"):
        install(site, name, CASES[name])
    site.add("fine", GOOD.format(name="fine"))
    site.add("stranger", "", entry_points="[another.group]\nnothing but words\n")
    return report("check", site.folder)


@pytest.mark.parametrize("name", [*READABLE, "imports-torch"])
def test_among_all_the_others_it_is_listed_with_cause_and_remedy(
    name: str, all_at_once: Report
) -> None:
    case = {**CASES, "imports-torch": TORCH}[name]
    check_record(all_at_once.record(case.plugin or name), name, case)


def test_the_first_to_import_torch_is_not_blamed_for_what_torch_does(all_at_once: Report) -> None:
    said = [each.partition(";")[0] for each in all_at_once.record("imports-torch")["flags"]]
    assert [each.partition(" when")[0] for each in said if "takes" not in each] == [
        "changes torch's default dtype",
        "changes the random state of torch",
        "imports numpy",
        "imports torch",
    ]


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_list_is_listed_with_cause_and_remedy(
    name: str, with_unreadable: Report
) -> None:
    check_record(with_unreadable.record(CASES[name].plugin), name, CASES[name])


def check_record(record: dict[str, Any], name: str, case: Case) -> None:
    """Compare a record with what the case expects."""
    assert record["status"] == case.status
    assert case.cause in _said(record)
    if case.status != "loaded":
        assert record["remedy"]
        assert (record["components"], record["specs"], record["commands"]) == ([], [], [])
    if case.metadata is None:
        assert record["distribution"] == (case.distribution or f"dist-{name}")
        assert record["version"] == "1.0"


def test_among_all_of_them_specs_check_and_models_are_bit_identical(
    all_at_once: Report, clean: Report, expected: str
) -> None:
    assert clean.lines == ["small: ok", "parallel: ok", "[0, 0]", expected]
    assert all_at_once.lines == ["small: ok", "parallel: ok", "[1, 0]", expected]
    assert all_at_once.box() == clean.box()
    assert len(clean.box()) == len(clean.records)


def test_beside_an_unreadable_list_all_others_load_and_specs_check(
    with_unreadable: Report, clean: Report
) -> None:
    assert with_unreadable.lines == ["small: ok", "parallel: ok", "[1, 0]"]
    assert with_unreadable.box() == clean.box()
    assert with_unreadable.record("fine")["components"] == ["encoder/fine"]
    assert {each["name"] for each in with_unreadable.records} - {
        each["name"] for each in clean.records
    } == {"fine", "raises", *(CASES[name].plugin for name in UNREADABLE)}


def _said(record: dict[str, Any]) -> str:
    return " ".join([record["cause"] or "", *record["flags"]])
