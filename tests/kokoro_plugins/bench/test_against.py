"""The working tree beside another commit."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.generation import Generation
from kokoro_plugins.bench.against import checkout, compare, worker
from kokoro_plugins.bench.against.checkout import checked_out
from kokoro_plugins.bench.against.compare import Comparison, table
from kokoro_plugins.bench.against.side import started
from kokoro_plugins.bench.catalogue import BETWEEN_COMMITS, cases_named
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Timing

ROOT = Path(__file__).parents[3]
TINY = """
format: 1
name: tiny
vocab_size: 9
mel_dim: 4
hidden_dim: 8
encoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 12, dropout: 0.0}
duration_predictor: {type: mlp, dropout: 0.0}
regulator: {type: repeat}
decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 12, dropout: 0.0}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first commit is this source, and whose second has a smaller `small`."""
    folder = tmp_path_factory.mktemp("repository")
    for package in ("registry", "kokoro_core", "kokoro_plugins"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    commit_all(folder)
    [spec] = folder.glob("kokoro_plugins/*/specs/small.yaml")
    text = spec.read_text(encoding="utf-8")
    assert "hidden_dim: 256" in text
    spec.write_text(text.replace("hidden_dim: 256", "hidden_dim: 64"), encoding="utf-8")
    commit_all(folder)
    return folder


def commit_all(folder: Path) -> None:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    author = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    git(folder, *author, "commit", "--quiet", "--no-gpg-sign", "--message", "A commit")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def a_repository(folder: Path, **files: str) -> Path:
    """Return a repository whose `kokoro_core` has these modules."""
    package = folder / "kokoro_core"
    package.mkdir(parents=True)
    for name, text in files.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    commit_all(folder)
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.mark.same_everywhere
def test_two_processes_take_turns_and_their_ratios_are_reported(
    repository: Path,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "of a hook"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked = ("frame", "--against", "HEAD~1", "--repository", repository, "--spec", tiny)
    assert run(*asked, "--quick", "--rounds", 2, "--json") == 0
    printed = capfd.readouterr()
    found = json.loads(printed.out)
    assert (found["format"], found["against"], found["spec"]) == (1, "HEAD~1", str(tiny))
    [comparison] = found["comparisons"]
    new, old = comparison["new"], comparison["old"]
    assert (comparison["case"], comparison["threads"]) == ("frame", 1)
    parameters = sum(each.numel() for each in KokoroModel.from_spec(tiny).parameters())
    assert new["parameters"] == old["parameters"] == parameters
    assert len(new["samples_s"]) == len(old["samples_s"]) == 2
    ratios = sorted(a / b for a, b in zip(new["samples_s"], old["samples_s"], strict=True))
    assert comparison["ratio"]["min"] == pytest.approx(ratios[0])
    assert comparison["ratio"]["median"] == pytest.approx(sum(ratios) / 2)
    assert printed.err == "frame, 1 thread, beside HEAD~1 …\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.same_everywhere
def test_the_commit_brings_its_own_specs(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ("frame", "--against", "HEAD", "--repository", repository, "--spec", "small")
    assert run(*asked, "--quick", "--rounds", 1) == 0
    printed = capfd.readouterr()
    assert "note: `small` has 5,687,122 parameters now and " in printed.err
    assert "in `HEAD`: the ratios are of different models." in printed.err
    assert printed.out.splitlines()[1].split()[:4] == ["case", "threads", "min", "quartile"]
    assert printed.out.splitlines()[2].startswith("frame ")


@pytest.mark.same_everywhere
def test_a_checkout_has_the_entry_points_of_its_own_project(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    with checked_out("HEAD", repository) as (new, old):
        assert new.root == ROOT
        assert (old.root / "kokoro_core" / "api.py").is_file()
        for side in (new, old):
            [found] = metadata.distributions(name="kokoro-core", path=[str(side.path[-1])])
            assert found.version == project["version"]
            points = {
                each.name: each.value for each in found.entry_points.select(group="kokoro.plugins")
            }
            assert points == project["entry-points"]["kokoro.plugins"]
    assert not old.root.exists()


@pytest.mark.same_everywhere
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("print('hello')", "ImportError: cannot import name 'KokoroModel' from 'kokoro_core'"),
        ("import os\nos._exit(3)", "exit status 3"),
        ("import sys\nsys.exit('too old')", "too old"),
        ("class KokoroModel: pass", "AttributeError: type object 'KokoroModel' has no attribute"),
    ],
    ids=["no API", "ends", "exits", "another API"],
)
def test_a_commit_that_cannot_be_measured_is_refused_in_a_sentence(
    source: str,
    why: str,
    tmp_path: Path,
    tiny: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    older = a_repository(tmp_path / "older", __init__=source)
    assert run("frame", "--against", "HEAD", "--repository", older, "--spec", tiny) == 1
    printed = capfd.readouterr()
    assert printed.err.splitlines()[-1].startswith(f"The commit `HEAD` cannot be measured: {why}")
    assert printed.out == ""


@pytest.mark.parametrize("where", ["none", "no commit", "no package"])
def test_what_is_no_commit_of_this_framework_is_refused(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_repository(tmp_path / "repository", __init__="")
    git(folder, "mv", "kokoro_core", "another")
    commit_all(folder)
    commit, repository, why = {
        "none": ("HEAD", tmp_path / "missing", "missing` must be the folder of a git repository"),
        "no commit": ("--v1", folder, "`--against --v1` must be a commit of the repository"),
        "no package": ("HEAD", folder, f"that of `{folder}` has no package `kokoro_core`"),
    }[where]
    assert run("frame", f"--against={commit}", "--repository", repository) == 1
    assert why in capsys.readouterr().err


def test_an_installed_distribution_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkout, "SOURCE", tmp_path)
    assert run("frame", "--against", "v1") == 1
    said = capsys.readouterr().err
    assert f"`--against v1` needs a git repository, and `{tmp_path}` is none" in said
    assert "name one by `--repository PATH`" in said


def test_a_machine_without_git_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run("frame", "--against", "HEAD") == 1
    assert "`git`, which is not on the PATH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["regulator", "--against", "HEAD"], "`regulator` cannot be compared with `--against`; fr"),
        (["zzz", "--against", "HEAD"], "`zzz` is not a case. There are frame, batch"),
        (["--against", "HEAD", "--out", "x"], "`--out` does not go with `--against`"),
        (["--against", "HEAD", "--fail-above", "nan"], "must be a ratio above 0, such as 1.03, no"),
        (["--against", "HEAD", "--fail-above", "0"], "must be a ratio above 0, such as 1.03, not"),
        (["--against", "HEAD", "--device", "tpu"], "`--device tpu` is not on this machine"),
        (["--fail-above", "1.03"], "`--fail-above` needs `--against COMMIT`"),
        (["--repository", "."], "`--repository` needs `--against COMMIT`"),
        (["--spec", "small"], "`--spec` needs `--against COMMIT`"),
        (["--processor-time"], "`--processor-time` needs `--against COMMIT`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_do_not_go_together_are_refused(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    assert why in capsys.readouterr().err


def a_comparison(case: str, *ratios: float) -> Comparison:
    old = Timing((0.5,) * len(ratios))
    new = Timing(tuple(0.5 * each for each in ratios))
    return Comparison(case, 1, (7, 7), new, old)


def test_the_statistics_are_those_of_the_rounds_ratios() -> None:
    ratios = (1.1, 0.9, 1.0, 1.4, 0.8, 1.2)
    comparison = a_comparison("frame", *ratios)
    assert comparison.ratios() == pytest.approx(np.percentile(ratios, [0, 25, 50, 75, 100]))
    columns, [row] = table([comparison])
    assert dict(zip(columns[2:7], row[2:7], strict=True))["median"] == "1.050"
    assert row == ["frame", "1", "0.800", "0.925", "1.050", "1.175", "1.400", "525.00", "500.00"]


def test_ratios_are_of_neighbours_in_time_and_not_of_medians() -> None:
    timings = Timing((1.0, 10.0, 3.0)), Timing((2.0, 10.0, 3.0))
    comparison = Comparison("frame", 1, (7, 7), *timings)
    assert comparison.ratios() == [0.5, 0.75, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(("bar", "status"), [(1.05, 1), (1.1, 0), (1.2, 0)])
def test_a_median_above_the_bar_fails(
    bar: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [a_comparison("frame", 0.5, 1.1, 1.3), a_comparison("training", 1.0, 1.0, 9.0)]
    monkeypatch.setattr(compare, "compare", lambda *_: found)
    assert run("--against", "HEAD", "--fail-above", bar) == status
    said = "`frame` takes 1.100 times as long on 1 thread; `--fail-above` allows 1.05.\n"
    assert capsys.readouterr().err == (said if status else "")


def watch_compare(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what `compare` is called with from now on, which then compares nothing."""
    asked: list[Any] = []

    def compared(*given: Any) -> list[Any]:
        asked.append(given)
        return []

    monkeypatch.setattr(compare, "compare", compared)
    return asked


def test_without_a_number_of_rounds_there_are_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = watch_compare(monkeypatch)
    for options in ((), ("--quick",), ("--rounds", 3)):
        assert run("loading", "--against", "v1", *options) == 0
    assert [request.scale.rounds for request, _ in asked] == [20, 5, 3]
    request, _ = asked[0]
    assert ([each.name for each in request.cases], request.against) == (["loading"], "v1")
    assert (request.repository, request.spec, request.threads) == (None, "default", [1])


def test_processor_time_is_measured_where_it_is_asked_for(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = watch_compare(monkeypatch)
    for options, clock in ((), "perf_counter"), (("--processor-time",), "process_time"):
        assert run("frame", "--against", "v1", *options, "--json") == 0
        assert json.loads(capfd.readouterr().out)["clock"] == asked[-1][0].clock == clock


@pytest.mark.same_everywhere
def test_a_side_says_how_long_it_took_on_its_own_clock(tiny: Path, tmp_path: Path) -> None:
    own = checkout.Checkout("The working tree", ROOT, (ROOT,))
    asked = {"case": "frame", "spec": str(tiny), "threads": 1, "clock": "process_time"}
    with started(own, {**settings(tmp_path), **asked}) as side:
        assert side.wait_until_ready() > 0
        begin = time.perf_counter()
        own_seconds = sum(side.run() for _ in range(3))
        assert 0 < own_seconds < time.perf_counter() - begin


def test_the_clock_moves_by_what_the_sides_report() -> None:
    clock = compare._SummingClock()
    sides = [Mock(run=Mock(return_value=seconds)) for seconds in (0.25, 0.5)]
    for side in (*sides, sides[0]):
        clock.running(side)()
    assert clock() == 1.0


def test_every_case_that_is_offered_can_be_run_by_the_worker() -> None:
    assert set(worker.CASES) == set(BETWEEN_COMMITS)


def settings(folder: Path) -> dict[str, Any]:
    return {"device": "cpu", "frames": 12, "training": (2, 24), "folder": str(folder)}


@pytest.mark.parametrize(("case", "rows"), [("frame", 1), ("utterance", 8)])
def test_the_worker_speaks_as_many_frames_as_it_is_told(
    case: str, rows: int, tiny: Path, tmp_path: Path
) -> None:
    result = worker.CASES[case](KokoroModel.from_spec(tiny), settings(tmp_path))()
    assert isinstance(result, Generation)
    assert result.mel.shape == (rows, 12, 4)
    assert result.lengths.tolist() == [12] * rows


def test_the_worker_trains_on_rows_of_different_lengths(tiny: Path, tmp_path: Path) -> None:
    model = KokoroModel.from_spec(tiny)
    seen: list[Any] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given))
    step = worker.CASES["training"](model, settings(tmp_path))
    step()
    first = [each.grad for each in model.parameters()]
    step()
    assert all(each is not None and each.isfinite().all() for each in first)
    torch.testing.assert_close([each.grad for each in model.parameters()], first)
    phonemes, mel, durations = seen[0]
    assert durations.sum(1).tolist() == [24, 18]
    assert (phonemes == 0).sum(1).tolist() == [0, 1]
    assert mel.shape == (2, 24, 4)


def test_the_worker_loads_what_it_has_saved(tiny: Path, tmp_path: Path) -> None:
    model = KokoroModel.from_spec(tiny)
    loaded = worker.CASES["loading"](model, settings(tmp_path))()
    assert isinstance(loaded, KokoroModel)
    torch.testing.assert_close(loaded.state_dict(), model.state_dict(), rtol=0, atol=0)


def test_fresh_processes_take_over_after_four_rounds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs: list[str] = []

    @contextmanager
    def started(side: checkout.Checkout, asked: dict[str, Any]) -> Iterator[Mock]:
        pairs.append(side.name)
        seconds = 0.5 if side.name == "new" else 0.25 * (1 + pairs.count("old"))
        yield Mock(run=Mock(return_value=seconds), wait_until_ready=Mock(return_value=7))

    sides = [checkout.Checkout(name, tmp_path, ()) for name in ("new", "old")]
    monkeypatch.setattr(compare, "started", started)
    monkeypatch.setattr(compare, "checked_out", lambda *_: nullcontext(sides))
    scale = replace(Scale.quick(), rounds=9, block_seconds=0.0)
    asked = compare.Request(cases_named(["loading"]), "v1", scale=scale)
    [found] = compare.compare(asked, print)
    assert pairs == ["new", "old"] * 3
    assert found.new.samples == pytest.approx([0.5] * 9)
    assert found.old.samples == pytest.approx([0.5] * 4 + [0.75] * 4 + [1.0])
    assert found.parameters == (7, 7)
