"""A component of one plugin opens a slot of its own, and another plugin fills it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.registry.guard.site import Site

ROOT = Path(__file__).parents[2]

OPENER = '''
from abc import abstractmethod
from typing import Literal
from kokoro_core import hookimpl
from kokoro_core.slots import EncoderParams
from kokoro_core.params.component import ComponentParams


class NormParams(ComponentParams, slot="norm"):
    """Normalises vectors."""

    @abstractmethod
    def build(self, width): ...


class LayerNormParams(NormParams):
    """torch's own."""

    type: Literal["layer"] = "layer"

    def build(self, width):
        from torch import nn
        return nn.LayerNorm(width)


class NormedParams(EncoderParams):
    """Looks phonemes up and normalises them."""

    type: Literal["normed"] = "normed"
    norm: NormParams = LayerNormParams()

    def build(self, sizes):
        from opener_module import make
        return make(sizes, self.norm)


@hookimpl
def kokoro_components():
    return [LayerNormParams, NormedParams]
'''

MODULE = """
from torch import nn
from kokoro_core.contracts import Encoder
from kokoro_core.tensors.masks import zero_padding


class Normed(Encoder):
    def __init__(self, *, vocab_size, hidden_dim, norm):
        super().__init__()
        self.table, self.norm = nn.Embedding(vocab_size, hidden_dim), norm

    def forward(self, phoneme_indices, padding_mask):
        return zero_padding(self.norm(self.table(phoneme_indices)), padding_mask)


def make(sizes, norm):
    part = norm.build(sizes.hidden_dim)
    return Normed(vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim, norm=part)
"""

FILLER = '''
from typing import Literal
from pydantic import Field
from kokoro_core import hookimpl
from dist_opener_opener import NormParams


class RmsParams(NormParams):
    """Root mean square (Zhang and Sennrich, 2019)."""

    type: Literal["rms"] = "rms"
    epsilon: float = Field(1e-6, gt=0)

    def build(self, width):
        from torch import nn
        return nn.RMSNorm(width, eps=self.epsilon)


@hookimpl
def kokoro_components():
    return [RmsParams]
'''

STRANGER = '''
from typing import Literal
from kokoro_core import hookimpl
from kokoro_core.params.component import ComponentParams


class OtherNormParams(ComponentParams, slot="norm"):
    """Another slot of the same name."""


class GroupParams(OtherNormParams):
    """Fills the other one."""

    type: Literal["group"] = "group"

    def build(self): ...


@hookimpl
def kokoro_components():
    return [GroupParams]
'''

SPEC = """
hidden_dim: 8
encoder:
  type: normed
  norm: {type: NORM}
duration_predictor: {type: mlp}
regulator: {type: repeat}
decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}
"""

RUN_EACH = """
import contextlib, io, json, sys
from kokoro_core.cli.app import main

ended = []
for words in json.loads(sys.argv[1]):
    out, err, status = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as end:
            status = end.code or 0
    ended.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(ended))
"""

BUILD = """
import sys
from kokoro_core import KokoroModel
for spec in sys.argv[1:]:
    print(type(KokoroModel.from_spec(spec).acoustic.encoder.norm).__name__)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("site"))
    made.add("opener", OPENER)
    (made.folder / "opener_module.py").write_text(MODULE)
    made.add("filler", FILLER)
    for name in ("rms", "layer", "filler/rms", "rsm"):
        spec = SPEC.replace("NORM", name)
        (made.folder / f"{name.replace('/', '-')}.yaml").write_text(spec)
    return made


def run(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the plugins are installed."""
    path = os.pathsep.join((str(site.folder), str(ROOT)))
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=site.folder,
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    status: int | None
    out: str
    err: str


def kokoro(site: Site, *commands: str) -> list[Ended]:
    """Run commands of ours one after another, in one fresh process."""
    ran = run(site, "-c", RUN_EACH, json.dumps([each.split() for each in commands]))
    assert ran.returncode == 0, ran.stderr
    return [Ended(*each) for each in json.loads(ran.stdout)]


FILES = ("rms.yaml", "layer.yaml", "filler-rms.yaml")
COMMANDS = (
    f"check {' '.join(FILES)}",
    "check rsm.yaml",
    "check rms.yaml --set encoder.norm.epsilon=0",
    "resolve rms.yaml --json",
    "components norm --json",
    "describe rms --json",
    "describe normed --json",
    "schema",
    "new-spec --like rms.yaml",
    "--no-plugin filler check filler-rms.yaml",
)


@pytest.fixture(scope="module")
def ended(site: Site) -> dict[str, Ended]:
    """How each command ended where the plugins are installed."""
    return dict(zip(COMMANDS, kokoro(site, *COMMANDS), strict=True))


def test_check_takes_any_component_of_the_slot(ended: dict[str, Ended]) -> None:
    ran = ended[f"check {' '.join(FILES)}"]
    assert ran.status == 0
    noted = [f"{each}: note: size of encoder unknown; not limited" for each in FILES]
    assert ran.err.splitlines() == noted


def test_check_says_which_components_the_slot_has(ended: dict[str, Ended]) -> None:
    ran = ended["check rsm.yaml"]
    assert ran.status == 1
    assert "rsm.yaml:5:16: encoder.norm.type: no norm is named 'rsm', did you mean 'rms'" in (
        ran.err.replace("`", "'")
    )


@pytest.fixture
def contested(tmp_path: Path) -> Site:
    """Two plugins that open a slot of one name, and one that fills the first of them."""
    made = Site(tmp_path)
    for name, source in (("opener", OPENER), ("filler", FILLER), ("stranger", STRANGER)):
        made.add(name, source)
    return made


def listed(ran: Ended) -> dict[str, Any]:
    """Return the records of the plugins in a site by name."""
    found = json.loads(ran.out)
    return {each["name"]: each for each in found if each["distribution"] != "kokoro-core"}


def test_a_slot_that_two_plugins_open_is_refused_to_both_and_to_who_fills_it(
    contested: Site,
) -> None:
    commands = ("plugins --json", "--no-plugin stranger plugins --json")
    records, without = map(listed, kokoro(contested, *commands))
    assert [each["status"] for each in records.values()] == ["broken"] * 3
    assert {each["cause"] for each in records.values()} == {
        "the slot `norm` is defined more than once: by `dist_opener_opener.NormParams` of the "
        "plugin `opener` of `dist-opener` 1.0 and `dist_stranger_stranger.OtherNormParams` of the "
        "plugin `stranger` of `dist-stranger` 1.0"
    }
    assert all("block one with `--no-plugin`" in each["remedy"] for each in records.values())
    statuses = {name: each["status"] for name, each in without.items()}
    assert statuses == {"filler": "loaded", "opener": "loaded", "stranger": "blocked"}


@pytest.mark.parametrize("blocked", ["", "--no-plugin tacotron"])
def test_a_slot_of_the_box_is_not_opened_anew(tmp_path: Path, blocked: str) -> None:
    site = Site(tmp_path)
    site.add("stranger", STRANGER.replace('slot="norm"', 'slot="postnet"'))
    plugins, components = kokoro(site, f"{blocked} plugins --json", f"{blocked} components --json")
    record = listed(plugins)["stranger"]
    assert (record["status"], record["components"]) == ("broken", [])
    assert record["cause"] == (
        "its component `postnet/group` does not derive from `kokoro_core.slots.PostnetParams`, "
        "which defines the slot `postnet`"
    )
    rows = json.loads(components.out)
    assert "group" not in {each["type"] for each in rows}
    assert len(rows) > 10


def test_a_setting_of_a_filler_is_checked_like_any_other(ended: dict[str, Ended]) -> None:
    ran = ended["check rms.yaml --set encoder.norm.epsilon=0"]
    assert ran.status == 1
    assert "encoder.norm.epsilon: must be above 0" in ran.err


def test_resolve_names_the_filler_with_its_plugin(ended: dict[str, Ended]) -> None:
    resolved = json.loads(ended["resolve rms.yaml --json"].out)
    assert resolved["spec"]["encoder"]["norm"] == {"type": "filler/rms", "epsilon": 1e-6}
    parts = {each["path"]: each for each in resolved["components"]}
    assert parts["encoder.norm"]["distribution"] == "dist-filler"
    assert parts["encoder.norm"]["slot"] == "norm"


def test_components_and_describe_know_the_slot(ended: dict[str, Ended]) -> None:
    rows = json.loads(ended["components norm --json"].out)
    assert [(each["type"], each["plugin"]) for each in rows] == [
        ("rms", "filler"),
        ("layer", "opener"),
    ]
    [described] = json.loads(ended["describe rms --json"].out)
    assert {each["name"] for each in described["fields"]} >= {"type", "epsilon"}
    [outer] = json.loads(ended["describe normed --json"].out)
    assert {"norm": "norm"}.items() <= {e["name"]: e["type"] for e in outer["fields"]}.items()


def test_the_schema_has_the_slot_with_its_fillers(ended: dict[str, Ended]) -> None:
    printed = ended["schema"].out
    assert json.loads(printed)
    assert '"epsilon"' in printed
    assert '"filler/rms"' in printed


def test_new_spec_writes_the_filler_s_settings(ended: dict[str, Ended]) -> None:
    printed = ended["new-spec --like rms.yaml"].out
    assert "  norm:  # Normalises vectors\n" in printed or "  norm:\n" in printed
    assert "    epsilon: 1e-06" in printed


def test_the_model_is_built_with_the_filler(site: Site) -> None:
    ran = run(site, "-c", BUILD, "rms.yaml", "layer.yaml")
    assert ran.stdout == "RMSNorm\nLayerNorm\n", ran.stderr


def test_without_the_filler_the_problem_names_it(ended: dict[str, Ended]) -> None:
    ran = ended["--no-plugin filler check filler-rms.yaml"]
    assert ran.status == 1
    assert "the plugin 'filler' is blocked (`filler` is on the block list)" in ran.err
