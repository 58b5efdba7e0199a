"""What the processes of a training tell each other; one that is alone is asked nothing."""

from __future__ import annotations

import json
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, distributed
from torch.nn import functional as F

from kokoro_plugins.training.processes.launch import rank_of, refuse_other_launch
from kokoro_plugins.training.settings import TrainingSettings


def take_place(settings: TrainingSettings) -> None:
    """Find out which of its processes this one is, before Lightning does.

    Raises:
        ValueError: Another number of processes was started than the settings ask for.
    """
    refuse_other_launch(settings.nodes, settings.devices)
    rank_zero_only.rank = rank_of(settings.nodes, settings.devices)  # type: ignore[attr-defined]


def is_first_process() -> bool:
    """Return whether this process is the one that writes, of all that train together."""
    return getattr(rank_zero_only, "rank", 0) == 0


def number_of_processes() -> int:
    """Return how many have met; 1 also before they meet."""
    met = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if met else 1


def gathered(value: Any) -> list[Any]:
    """Return what each process has given, by their numbers; for what is small and seldom.

    It is told as JSON: no process runs what another sends, as a pickle would let it.

    Args:
        value: Of JSON's kinds; tuples become lists.
    """
    if number_of_processes() == 1:
        return [value]
    own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    lengths = [int(each) for each in _from_all(torch.tensor([len(own)]))]
    padded = F.pad(own, (0, max(lengths) - len(own)))
    told = zip(_from_all(padded), lengths, strict=True)
    return [json.loads(bytes(each[:length].tolist())) for each, length in told]


def _from_all(own: Tensor) -> list[Tensor]:
    """Return a tensor of each process, all of one form, on the CPU."""
    sent = own.to("cuda" if distributed.get_backend() == "nccl" else "cpu")
    found = [torch.empty_like(sent) for _ in range(number_of_processes())]
    distributed.all_gather(found, sent)
    return [each.cpu() for each in found]


def wait_for_all() -> None:
    """Wait until every process has come here."""
    if number_of_processes() > 1:
        gathered(None)
