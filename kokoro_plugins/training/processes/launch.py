"""Who has started the processes of a training, and whether they are as many as it asks for.

Imports no torch: a wrong number is told before anything is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which somebody types; Lightning does not take those for SLURM's either."""

BY_HAND = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
"""What says on each machine where the first one is, and which this is, if no launcher does."""


@dataclass(frozen=True)
class Launch:
    """What a launcher has started.

    Attributes:
        launcher: Its name.
        nodes: Machines, or what it counts as such.
        processes: Of all machines.
        rank: Which of them this one is.
    """

    launcher: str
    nodes: int
    processes: int
    rank: int

    def __str__(self) -> str:
        return f"{self.launcher} started {counted(self.nodes, self.processes)}"

    @property
    def flags(self) -> str:
        """The options that ask for it."""
        return f"--nodes {self.nodes} --devices {max(1, self.processes // self.nodes)}"


def launch_of(environment: Mapping[str, str] | None = None) -> Launch | None:
    """Return what torchrun or SLURM's ``srun`` has started; None: neither has started this process.

    Args:
        environment: Of the process; None: of this one.
    """
    given = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in given:  # comes first, since it can also be used inside of SLURM
        nodes = int(given.get("GROUP_WORLD_SIZE", "1"))
        return Launch("torchrun", nodes, int(given["WORLD_SIZE"]), int(given["RANK"]))
    if "SLURM_NTASKS" in given and given.get("SLURM_JOB_NAME") not in INTERACTIVE:
        nodes, rank = (int(given.get(f"SLURM_{name}", d)) for name, d in _OF_SLURM)
        return Launch("SLURM", nodes, int(given["SLURM_NTASKS"]), rank)
    return None


_OF_SLURM = (("NNODES", "1"), ("PROCID", "0"))


def counted(nodes: int, processes: int) -> str:
    """Return in words how many processes on how many machines there are."""
    return f"{processes} process{'es' * (processes > 1)} on {nodes} machine{'s' * (nodes > 1)}"


def rank_of(nodes: int, devices: int, environment: Mapping[str, str] | None = None) -> int:
    """Return which of the processes of a training this is, from 0.

    Args:
        nodes: Machines that train together.
        devices: Of each.
        environment: Of the process; None: of this one.
    """
    given = os.environ if environment is None else environment
    if nodes * devices == 1:
        return 0
    launch = launch_of(given)
    if launch is not None:
        return launch.rank
    return int(given.get("NODE_RANK", "0")) * devices + int(given.get("LOCAL_RANK", "0"))


def refuse_other_launch(
    nodes: int, devices: int, environment: Mapping[str, str] | None = None
) -> None:
    """Refuse a training of another number of processes than were started.

    Args:
        nodes: Machines that train together.
        devices: Of each.
        environment: Of the process; None: of this one.

    Raises:
        ValueError: It is; the message says which options ask for those that were started.
    """
    given = os.environ if environment is None else environment
    launch, asked = launch_of(given), f"`--nodes {nodes} --devices {devices}`"
    if launch is None:
        _refuse_lonely(nodes, given)
    elif (launch.nodes, launch.processes) != (nodes, nodes * devices):
        raise ValueError(
            f"{launch}, but {asked} asks for {counted(nodes, nodes * devices)}; give "
            f"`{launch.flags}`, or have as many started."
        )
    elif launch.launcher == "SLURM" and launch.processes > 1 and _lacks_tasks_per_node(given):
        raise ValueError(
            f"{launch} without `--ntasks-per-node`, which Lightning reads; start them with "
            f"`srun --nodes={nodes} --ntasks-per-node={devices}`."
        )


def _lacks_tasks_per_node(given: Mapping[str, str]) -> bool:
    return "SLURM_NTASKS_PER_NODE" not in given


def _refuse_lonely(nodes: int, given: Mapping[str, str]) -> None:
    """Refuse several machines that nobody has told where the others are."""
    missing = [name for name in BY_HAND if name not in given]
    if nodes > 1 and missing:
        raise ValueError(
            f"`--nodes {nodes}` needs processes that know each other, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not set here; start the command on each "
            f"machine with torchrun or SLURM's `srun`, or set {', '.join(BY_HAND)} there."
        )
    if nodes > 1 and not 0 <= int(given["NODE_RANK"]) < nodes:
        raise ValueError(
            f"`NODE_RANK` must be from 0 to {nodes - 1} with `--nodes {nodes}`, not "
            f"{given['NODE_RANK']}; each machine has a number of its own."
        )
