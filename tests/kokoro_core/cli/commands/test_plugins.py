"""`plugins`: what is loaded, blocked, broken, incompatible; what rules it; `--strict`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kokoro_core.cli.app import app
from registry import installed_plugins
from tests.registry.guard.site import GOOD, Site

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("site"))
    made.add("fine", GOOD.format(name="wave"))
    made.add("loud", "print('[')\n" + GOOD.format(name="noise"))
    made.add("broken", "import not_there_at_all")
    made.add("later", "KOKORO_API = 3")
    return made


def kokoro(site: Site, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where the plugins are installed."""
    path = os.pathsep.join((str(site.folder), str(ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "kokoro_core", *arguments],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_json_stays_json_whatever_a_plugin_prints(site: Site) -> None:
    ran = kokoro(site, "plugins", "--json")
    records = {each["name"]: each for each in json.loads(ran.stdout)}
    assert records["loud"]["flags"] == ["prints when it is imported; that was suppressed: '['"]
    assert records["fine"]["components"] == ["encoder/wave"]
    assert {name: each["status"] for name, each in records.items() if "dist-" in str(each)} == {
        "fine": "loaded",
        "loud": "loaded",
        "broken": "broken",
        "later": "incompatible",
    }
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_table_says_what_each_brings_and_below_it_what_is_wrong(site: Site) -> None:
    lines = kokoro(site, "plugins").stdout.splitlines()
    [fine] = [each for each in lines if each.startswith("fine ")]
    assert fine.split()[1:4] == ["dist-fine", "1.0", "loaded"]
    assert fine.rstrip().endswith("encoder/wave")
    [later] = [each for each in lines if "is incompatible" in each]
    assert later.startswith("later (dist-later 1.0) is incompatible: it was written for version 3")
    assert "What to do: python -m pip install --upgrade kokoro-core" in later
    [broken] = [each for each in lines if "is broken" in each]
    assert "No module named 'not_there_at_all'" in broken


@pytest.mark.parametrize(
    ("block", "status"), [((), 1), (("broken", "later", "loud"), 1), (("fine",), 1)]
)
def test_strict_fails_on_whatever_is_not_loaded_or_flagged(
    site: Site, block: tuple[str, ...], status: int
) -> None:
    options = [option for name in block for option in ("--no-plugin", name)]
    assert kokoro(site, *options, "plugins", "--strict").returncode == status


def test_strict_passes_where_all_is_well(tmp_path: Path) -> None:
    well = Site(tmp_path)
    well.add("fine", GOOD.format(name="wave"))
    assert kokoro(well, "plugins", "--strict").returncode == 0


@pytest.mark.parametrize(
    ("variable", "value", "loaded"),
    [
        ("KOKORO_BLOCK_PLUGINS", "loud,broken", {"fine"}),
        ("KOKORO_DISABLE_PLUGINS", "1", set[str]()),
        ("KOKORO_ALLOW_PLUGINS", "dist-loud", {"loud"}),
        ("KOKORO_ALLOW_PLUGINS", "", set[str]()),
    ],
)
def test_the_environment_rules_what_is_imported(
    site: Site, variable: str, value: str, loaded: set[str]
) -> None:
    ran = kokoro(site, "plugins", "--json", **{variable: value})
    records = json.loads(ran.stdout)
    own = [each for each in records if each["distribution"] != "kokoro-core"]
    assert {each["name"] for each in own if each["status"] == "loaded"} == loaded
    box = [each for each in records if each["distribution"] == "kokoro-core"]
    assert {each["status"] for each in box} == {"loaded"}


def test_a_name_in_the_environment_that_nothing_has_is_told(site: Site) -> None:
    ran = kokoro(site, "plugins", "--strict", KOKORO_BLOCK_PLUGINS="laud")
    assert ran.returncode == 1
    assert "`laud` is blocked or allowed by a setting, but no plugin has that name." in ran.stderr


def test_every_command_tells_of_a_name_that_blocks_nothing(site: Site) -> None:
    ran = kokoro(site, "check", "small", KOKORO_BLOCK_PLUGINS="laud")
    assert (ran.returncode, ran.stdout) == (0, "small: ok\n")
    assert ran.stderr == (
        "`laud` is blocked or allowed by a setting, but no plugin has that name.\n"
    )


def test_a_wrong_switch_is_one_clear_line(site: Site) -> None:
    ran = kokoro(site, "check", "small", KOKORO_DISABLE_PLUGINS="yes")
    assert ran.returncode == 1
    assert ran.stderr == (
        "`KOKORO_DISABLE_PLUGINS` must be 1 (built-in plugins only) or 0, not 'yes'.\n"
    )


def test_a_spec_that_needs_a_broken_plugin_hears_of_it(site: Site) -> None:
    ran = kokoro(site, "check", "small", "--set", "encoder.type=broken/wave")
    assert ran.returncode == 1
    assert "the plugin 'broken' is broken (ModuleNotFoundError" in ran.stderr


def test_the_core_s_own_commands_come_by_the_hook_that_is_there_for_anybody_s() -> None:
    assert not app.registered_commands
    assert not app.registered_groups
    [core] = [each for each in installed_plugins().records if each.name == "core"]
    assert {"check", "checkpoint", "conformance", "synthesize"} <= set(core.commands)
    for name in core.commands:
        command = installed_plugins().command(name)
        assert command is not None
        assert callable(command.load())


def test_a_group_of_commands_comes_by_the_hook_too(site: Site) -> None:
    ran = kokoro(site, "checkpoint", "inspect", "--help")
    assert ran.returncode == 0
    assert "--tensors" in ran.stdout


def test_a_mistyped_command_is_told_the_near_one(site: Site) -> None:
    ran = kokoro(site, "chek", "small")
    assert ran.returncode == 2
    assert "did you mean `check`?" in " ".join(ran.stderr.split())
