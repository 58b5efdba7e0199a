"""Several processes train what one does, agree on all that they do, and end together."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kokoro_plugins.training.data.batching import Position
from tests.kokoro_plugins.training.jobs import tiny_data, utterance
from tests.kokoro_plugins.training.resume.forking import ROOT

HERE = "tests.kokoro_plugins.training.processes.together"
LOST = "processes that train together has ended, so all end"


def together(fork_server, folder, job, processes, **options):
    """Run a job in several processes, and return how each ended."""
    meeting = str(folder / f"meeting-{len(list(folder.iterdir()))}")
    common = {"processes": processes, "meeting": meeting, **options}
    return fork_server.run_together(
        *((f"{HERE}:{job}", {**common, "rank": rank}) for rank in range(processes))
    )


def statuses(ended) -> list[int]:
    return [each.status for each in ended]


def losses_in(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return read


@pytest.mark.parametrize(
    ("how", "shared"),
    [({}, ((2, 2), (4, 1))), ({"optimizer": "muon", "average": 0.9}, ((2, 2),))],
)
def test_weights_after_20_steps_are_those_of_one_process_with_the_same_batches(
    how, shared, fork_server, tmp_path
):
    for processes, accumulate in ((1, 4), *shared):
        out = str(tmp_path / f"of-{processes}")
        options = {"accumulate": accumulate, "out": out, **how}
        ended = together(fork_server, tmp_path, "exact", processes, **options)
        assert statuses(ended) == [0] * processes, ended
    alone = load_file(tmp_path / "of-1-0.safetensors")
    log = losses_in(tmp_path / "of-1-0.json")
    assert len(log["training"]) == 20
    places = [(processes, rank) for processes, _ in shared for rank in (0, processes - 1)]
    for processes, rank in places:
        of_several = load_file(tmp_path / f"of-{processes}-{rank}.safetensors")
        for name, expected in alone.items():
            assert expected.dtype == torch.float64
            torch.testing.assert_close(of_several[name], expected, rtol=0, atol=1e-6, msg=name)
        found = losses_in(tmp_path / f"of-{processes}-{rank}.json")
        assert found["frames"] == log["frames"]
        for kind in ("training", "validation"):
            for one, other in zip(found[kind], log[kind], strict=True):
                assert one["losses"] == pytest.approx(other["losses"], abs=2e-6), kind


def test_the_clock_of_the_first_process_counts_for_all(fork_server, tmp_path):
    out = str(tmp_path / "by-the-clock")
    ended = together(fork_server, tmp_path, "clocks", 2, out=out)
    assert statuses(ended) == [0, 0], ended
    first, second = (load_file(f"{out}-{rank}.safetensors") for rank in (0, 1))
    assert all(first[name].equal(second[name]) for name in first)
    counts = [len(losses_in(Path(f"{out}-{rank}.json"))["training"]) for rank in (0, 1)]
    assert counts[0] == counts[1] > 1


@pytest.mark.parametrize("lost", [0, 1])
def test_a_process_that_is_killed_ends_all_with_one_message_and_a_later_run_goes_on(
    lost, fork_server, tmp_path
):
    out = tmp_path / "run"
    at = {"rank": lost, "step": 6, "what": "SIGKILL"}
    ended = together(fork_server, tmp_path, "command", 3, out=str(out), at=at)
    assert statuses(ended) == [-9 if rank == lost else 1 for rank in range(3)], ended
    said = "".join(each.said for each in ended)
    assert said.count(f"{LOST}: step 4 is saved; the same command with `--resume`") == 1, said
    assert said.count("Traceback") == 0, said
    assert not (out / "model.safetensors").exists()
    assert sorted(each.name for each in (out / "steps").glob("step-*"))[-1] == "step-000000004"
    ended = together(fork_server, tmp_path, "command", 3, out=str(out), resume=True)
    assert statuses(ended) == [0, 0, 0], ended
    steps = [each["step"] for each in losses_in(out / "losses.json")["training"]]
    assert steps == list(range(1, 10))


def test_a_signal_to_one_process_stops_all_at_one_step_which_is_saved_once(fork_server, tmp_path):
    out = tmp_path / "run"
    at = {"rank": 1, "step": 3, "what": "SIGUSR1"}
    ended = together(fork_server, tmp_path, "command", 2, out=str(out), every=100, at=at)
    assert statuses(ended) == [138, 138], ended
    said = "".join(each.said for each in ended)
    assert said.count("ended the training: step 3 is saved") == 1, said
    assert [each.name for each in (out / "steps").glob("step-*")] == ["step-000000003"]
    assert (out / "model.safetensors").exists()


def test_nothing_is_read_twice_or_lost_where_the_number_of_processes_changes(fork_server, tmp_path):
    """Two processes stop after three steps, one after two more, and three end the training."""
    out, read = tmp_path / "run", list[list[int]]()
    number = {tuple(utterance(each).phoneme_indices.tolist()): each for each in range(9)}
    for processes, stop, saving in (
        (2, 3, {}),
        (1, 5, {"resume": True, "allow_inexact": True}),
        (3, 99, {"resume": True, "allow_inexact": True}),
    ):
        notes = tmp_path / f"read-by-{processes}"
        at = {"rank": 0, "step": stop, "what": "SIGTERM"}
        options = {"out": str(out), "at": at, "batches": str(notes), "steps": 8, **saving}
        ended = together(fork_server, tmp_path, "command", processes, **options)
        assert statuses(ended) == [143 if stop < 99 else 0] * processes, ended
        files = [Path(f"{notes}-{rank}.jsonl") for rank in range(processes)]
        of_each: list[list[list[list[int]]]] = [
            [json.loads(line)["rows"] for line in each.read_text("utf-8").splitlines()]
            for each in files
        ]
        read += [
            [number[tuple(row)] for row in rows]
            for rows in itertools.chain(*zip(*of_each, strict=True))
        ]
    assert len(read) == 3 * 2 + 2 * 1 + 3 * 3
    expected = tiny_data().order.starting_at(Position())
    assert read == list(itertools.islice(expected, len(read)))
    epoch = len(tiny_data().order.epoch(0))
    for start in range(0, 3 * epoch, epoch):
        counted = Counter(each for batch in read[start : start + epoch] for each in batch)
        assert counted == dict.fromkeys(range(9), 1)


def test_an_error_of_one_process_is_what_all_say(fork_server, tmp_path):
    at = {"rank": 1, "step": 2, "what": "not a number"}
    ended = together(fork_server, tmp_path, "command", 2, out=str(tmp_path / "run"), at=at)
    assert statuses(ended) == [1, 1], ended
    assert ended[1].said.count("ValueError: `mel_specs` must be finite") == 1, ended
    assert "mel_specs" not in ended[0].said
    assert LOST not in ended[0].said


def test_a_bad_step_of_one_process_is_passed_over_by_all_and_named(fork_server, tmp_path):
    out = tmp_path / "run"
    at = {"rank": 1, "step": 3, "what": "too large"}
    ended = together(fork_server, tmp_path, "command", 2, out=str(out), at=at, skip=1)
    assert statuses(ended) == [0, 0], ended
    log = losses_in(out / "losses.json")
    assert len(log["training"]) == 8
    [skipped] = log["skipped"]
    assert (
        "The loss is nan at step 3; the first bad tensor is the loss term `mel_l1` of process 1"
        in skipped
    )


def test_a_bad_step_that_ends_training_is_said_once(fork_server, tmp_path):
    at = {"rank": 1, "step": 2, "what": "too large"}
    ended = together(fork_server, tmp_path, "command", 2, out=str(tmp_path / "run"), at=at)
    assert statuses(ended) == [1, 1], ended
    said = "".join(each.said for each in ended)
    assert said.count("BadStep: The loss is nan at step 2") == 1, said


def test_processes_that_would_train_different_things_do_not_begin(fork_server, tmp_path):
    out = tmp_path / "run"
    ended = together(fork_server, tmp_path, "command", 2, out=str(out), seeds=[0, 1])
    assert statuses(ended) == [1, 1], ended
    said = "".join(each.said for each in ended)
    assert said.count("`settings.seed` is 0 in process 0 and 1 in process 1") == 1, said
    assert not out.exists()


def torchrun(out: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Train in two processes as torchrun starts them, at a port that it finds by itself."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "-m", HERE]
    command += [str(out), json.dumps(options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    if sys.platform != "linux":
        del environment["GLOO_SOCKET_IFNAME"]
    return subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


def test_torchrun_ends_all_when_one_is_killed_and_what_was_saved_goes_on(fork_server, tmp_path):
    out = tmp_path / "run"
    ended = torchrun(out, at={"rank": 1, "step": 6, "what": "SIGKILL"})
    assert ended.returncode == 1, ended
    assert ended.stderr.count(LOST) == 1, ended.stderr
    ended = together(fork_server, tmp_path, "command", 2, out=str(out), resume=True)
    assert statuses(ended) == [0, 0], ended
    assert (out / "model.safetensors").exists()
    assert "process 0 is the first: True" in ended[0].said
    assert "process 1 is the first: False" in ended[1].said


def test_two_tasks_of_slurm_train_together_and_agree_to_stop(fork_server, tmp_path):
    """Two nodes by SLURM's variables; a signal before its time limit reaches one of them."""
    out = tmp_path / "run"
    at = {"rank": 1, "step": 3, "what": "SIGUSR1"}
    options = {"out": str(out), "at": at, "nodes": 2, "slurm": True}
    ended = together(fork_server, tmp_path, "command", 2, **options)
    assert statuses(ended) == [138, 138], ended
    assert "step 3 is saved" in ended[0].said
    assert "hpc_ckpt" not in str([*tmp_path.rglob("*")])
    ended = together(fork_server, tmp_path, "command", 1, out=str(out), nodes=2)
    assert ended[0].status == 1, ended
    assert "`--nodes 2` needs processes that know each other" in ended[0].said
