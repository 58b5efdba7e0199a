"""`Agreement`: all processes train the same, from the same step on, or none of them does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from lightning import Callback, LightningModule, Trainer

from kokoro_plugins.training.processes.group import gathered, number_of_processes

SHOWN = 8
"""As many differences are listed, and the rest counted."""

NOTHING = "nothing"


class ProcessesDisagree(ValueError):
    """Processes would train different things together; the message lists what differs."""


@final
class Agreement(Callback):
    """Compares what the processes are about to do, once they have met and before a step is loaded.

    Each machine reads the corpus and looks for the newest step by itself. What it finds is the same
    where they share a disk, and else nobody would notice that it is not.

    Args:
        say: Is given a sentence if they run on different machines.

    Attributes:
        facts: Whatever must be equal, by what it is called.
        machine: What should be, likewise.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.facts: Mapping[str, Any] = {}
        self.machine: Mapping[str, Any] = {}
        self._say = say

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Compare.

        Raises:
            ProcessesDisagree: Something differs.
        """
        if number_of_processes() == 1:
            return
        found = gathered((dict(self.facts), dict(self.machine)))
        refuse_different([facts for facts, _ in found])
        if unlike := unequal([machine for _, machine in found]):
            self._say(
                f"The processes run on different machines: {'; '.join(unlike)}. Their weights may "
                f"drift apart by what they round differently."
            )


def refuse_different(found: Sequence[Mapping[str, Any]]) -> None:
    """Refuse facts that are not equal in all processes.

    Args:
        found: Those of each.

    Raises:
        ProcessesDisagree: They are not.
    """
    unlike = unequal(found)
    if not unlike:
        return
    more = [f"and {len(unlike) - SHOWN} more"] if len(unlike) > SHOWN else []
    listed = "\n".join(f"- {each}" for each in [*unlike[:SHOWN], *more])
    raise ProcessesDisagree(
        f"The {len(found)} processes would not train the same, so none begins:\n{listed}\nGive "
        f"every machine the same command, versions and data, and an `--out` that all of them see."
    )


def unequal(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return in words each fact that differs from the first process's, once."""
    first, said = found[0], dict[str, str]()
    for process, facts in enumerate(found):
        for name in {**first, **facts}:
            here, there = first.get(name, NOTHING), facts.get(name, NOTHING)
            if here != there and name not in said:
                said[name] = f"`{name}` is {here} in process 0 and {there} in process {process}"
    return [*said.values()]
