"""Whoever starts processes must start as many as a training asks for."""

import subprocess
import sys

import pytest

from kokoro_plugins.training.processes.launch import launch_of, rank_of, refuse_other_launch

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "GROUP_WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "4",
    "WORLD_SIZE": "8",
    "RANK": "5",
    "LOCAL_RANK": "1",
}
SLURM = {
    "SLURM_JOB_NAME": "voice",
    "SLURM_NTASKS": "8",
    "SLURM_NNODES": "2",
    "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_PROCID": "6",
}
BY_HAND = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "NODE_RANK": "1"}


@pytest.mark.parametrize(
    ("environment", "nodes", "devices", "rank"),
    [
        (TORCHRUN, 2, 4, 5),
        (SLURM, 2, 4, 6),
        ({**SLURM, **TORCHRUN}, 2, 4, 5),
        ({**BY_HAND, "LOCAL_RANK": "2"}, 2, 4, 6),
        (BY_HAND, 2, 1, 1),
        ({"LOCAL_RANK": "1"}, 1, 2, 1),
        ({}, 1, 2, 0),
        ({}, 1, 1, 0),
        (BY_HAND, 1, 1, 0),  # of something else: one process is the first, whatever is set
    ],
)
def test_a_process_knows_which_it_is(environment, nodes, devices, rank):
    refuse_other_launch(nodes, devices, environment)
    assert rank_of(nodes, devices, environment) == rank


@pytest.mark.parametrize(
    ("environment", "nodes", "devices", "said"),
    [
        (TORCHRUN, 1, 1, "torchrun started 8 processes on 2 machines, but `--nodes 1 --devices 1`"),
        (
            TORCHRUN,
            1,
            8,
            "asks for 8 processes on 1 machine; give `--nodes 2 --devices 4`, or have",
        ),
        (
            SLURM,
            2,
            2,
            "SLURM started 8 processes on 2 machines, but `--nodes 2 --devices 2` asks for 4",
        ),
        (
            {"SLURM_NTASKS": "1"},
            1,
            4,
            "SLURM started 1 process on 1 machine, but `--nodes 1 --devices 4` asks for 4",
        ),
        (
            {name: each for name, each in SLURM.items() if "PER_NODE" not in name},
            2,
            4,
            "without `--ntasks-per-node`, which Lightning reads; start them with `srun --nodes=2 "
            "--ntasks-per-node=4`",
        ),
        ({}, 2, 1, "`--nodes 2` needs .* MASTER_ADDR, MASTER_PORT, NODE_RANK are not set here"),
        ({**BY_HAND, "NODE_RANK": "2"}, 2, 1, "`NODE_RANK` must be from 0 to 1 .*, not 2"),
    ],
)
def test_another_number_than_was_started_is_refused(environment, nodes, devices, said):
    with pytest.raises(ValueError, match=said):
        refuse_other_launch(nodes, devices, environment)


def test_a_job_of_slurm_in_which_somebody_types_is_none_of_its_launches():
    assert launch_of({**SLURM, "SLURM_JOB_NAME": "interactive"}) is None
    assert launch_of({}) is None


def test_the_launch_is_looked_at_without_torch():
    code = "import sys, kokoro_plugins.training.processes.launch; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
