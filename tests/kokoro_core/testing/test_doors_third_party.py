"""A stranger's package with three planted bugs, in an environment of its own, finds all three."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.same_everywhere]

PARAMS = '''
from typing import Literal
from kokoro_core.slots import DecoderParams, EncoderParams
from kokoro_core.params.capabilities import Capabilities


class AcmeEncoderParams(EncoderParams):
    """An encoder that reads padding, and whose two layers are one."""

    type: Literal["acme"] = "acme"

    def build(self, sizes):
        from acme_planted.modules import AcmeEncoder

        return AcmeEncoder(vocab_size=sizes.vocab_size, hidden_dim=sizes.hidden_dim)


class AcmeDecoderParams(DecoderParams):
    """A decoder that remembers the first frame of a chunk alone."""

    type: Literal["acme"] = "acme"

    @property
    def frame_by_frame(self):
        return ("type",)

    @property
    def capabilities(self):
        return Capabilities(receptive_field=(None, 0))

    def build(self, sizes):
        from acme_planted.modules import AcmeDecoder

        return AcmeDecoder(mel_dim=sizes.mel_dim, hidden_dim=sizes.hidden_dim)
'''

MODULES = """
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kokoro_core.contracts import AutoregressiveDecoder, DecoderOutput, Encoder, State
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.nn.shift import shift_right


class AcmeEncoder(Encoder):
    def __init__(self, *, vocab_size, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.first, self.second = (nn.Conv1d(hidden_dim, hidden_dim, 3, padding=1) for _ in "12")
        self.second.weight = self.first.weight  # the planted tied weight

    def forward(self, phoneme_indices, padding_mask):
        x = self.embedding(phoneme_indices).transpose(1, 2)
        x = self.second(self.first(x).tanh())  # the planted leak: padding is not cut out
        return zero_padding(x.transpose(1, 2), padding_mask)


@dataclass
class AcmeState(State):
    position: int
    memory: Tensor
    total: Tensor


class AcmeDecoder(AutoregressiveDecoder):
    def __init__(self, *, mel_dim, hidden_dim):
        super().__init__()
        self.frame_in = nn.Linear(mel_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, mel_dim)
        self.stop = nn.Linear(hidden_dim, 1)

    def forward(self, memory, memory_padding_mask, mel_specs, mel_padding_mask):
        frames = shift_right(zero_padding(mel_specs, mel_padding_mask))
        x = (self.frame_in(frames) + zero_padding(memory, memory_padding_mask)).cumsum(1).tanh()
        mel, stop = self.out(x), self.stop(x).squeeze(-1)
        return DecoderOutput(
            zero_padding(mel, mel_padding_mask), zero_padding(stop, mel_padding_mask)
        )

    def init_state(self, memory, memory_padding_mask, max_frames):
        memory = zero_padding(memory, memory_padding_mask)
        return AcmeState(0, memory, torch.zeros_like(memory[:, :1]))

    def step(self, frames, state):
        end = state.position + frames.shape[1]
        if end > state.memory.shape[1]:
            raise ValueError("`step` has no room")
        x = self.frame_in(frames) + state.memory[:, state.position : end]
        sums = x.cumsum(1) + state.total
        state.position, state.total = end, sums[:, :1]  # the planted cache bug: not the last
        x = sums.tanh()
        return self.out(x), self.stop(x).squeeze(-1)
"""

TEST = """
from acme_planted.params import AcmeDecoderParams, AcmeEncoderParams
from kokoro_core.testing import conformance_test

test_acme = conformance_test(AcmeEncoderParams, AcmeDecoderParams)
"""

PLANTED = {
    "leak": "encoder/acme-row-alone",
    "tied weight": "encoder/acme-untied",
    "cache": "decoder/acme-chunks-and-forks",
}


@dataclass(frozen=True)
class Environment:
    """A Python environment with the package, and a folder with its test."""

    scripts: Path
    folder: Path

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line in a shell."""
        path = os.pathsep.join([str(self.scripts), os.environ["PATH"]])
        return subprocess.run(
            line,
            shell=True,
            cwd=self.folder,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A new environment that sees the framework of this one, with the package in it."""
    home, folder = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("acme")
    venv.create(home, with_pip=False)
    names = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars=names))
    scripts = Path(sysconfig.get_path("scripts", scheme="venv", vars=names))
    shared = sysconfig.get_path("purelib")
    (site / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
    package = site / "acme_planted"
    package.mkdir()
    for name, text in {"__init__": "", "params": PARAMS, "modules": MODULES}.items():
        (package / f"{name}.py").write_text(text)
    script = scripts / "kokoro-core"
    script.write_text(f"#!{scripts / 'python'}\nfrom kokoro_core.cli.app import main\nmain()\n")
    script.chmod(0o755)
    (folder / "test_acme.py").write_text(TEST)
    return Environment(scripts, folder)


@pytest.fixture(scope="module")
def found(environment: Environment) -> str:
    """What pytest says of the package; a choice of the checks, to save time."""
    choice = "row-alone or untied or chunks or shapes or seeded or causality"
    line = f"python -m pytest -q -p no:cacheprovider -k '{choice}' test_acme.py"
    ran = environment.run(line)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


def replay_of(name: str, text: str) -> str:
    """Return the line that tries a failed test again."""
    told = text.partition(f" test_acme[{name}] ")[2]
    found = re.search(r"^  replay: (.+)$", told, re.MULTILINE)
    assert found
    return found[1]


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(found: str, bug: str) -> None:
    assert f"FAILED test_acme.py::test_acme[{PLANTED[bug]}]" in found


@pytest.mark.parametrize("bug", PLANTED)
def test_its_replay_line_finds_it_again(environment: Environment, found: str, bug: str) -> None:
    component, check = PLANTED[bug].split("-", 1)
    line = replay_of(PLANTED[bug], found)
    assert shlex.split(line)[:2] == ["kokoro-core", "conformance"]
    ran = environment.run(line)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert f"{component} {check}: " in ran.stdout
    assert line in ran.stdout
    assert "does not conform: 1 failed (" in ran.stdout


def test_what_is_not_broken_passes(found: str) -> None:
    broken = set(re.findall(r"^FAILED test_acme.py::test_acme\[(\S+)\]", found, re.MULTILINE))
    sound = {"encoder/acme-shapes", "encoder/acme-seeded", "decoder/acme-causality"}
    assert not sound & broken
    assert "passed" in found
