"""Which process made something: its number is used again, with its start and the boot it is not."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

_TEXT = re.compile(r"(?P<pid>[1-9][0-9]*)-(?P<started>[0-9]+)-(?P<boot>[0-9a-f]{8})")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, for as long as names with it can lie about.

    Attributes:
        pid: Its number.
        started: When it started, in clock ticks since the boot; 0 where the system does not tell.
        boot: Eight hexadecimal digits of the boot that it ran in.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def own(cls) -> Self:
        """Return the identity of the process that asks."""
        return cls(os.getpid(), _started(os.getpid()) or 0, _boot())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the identity that `str` wrote, or nothing."""
        found = _TEXT.fullmatch(text)
        return found and cls(int(found["pid"]), int(found["started"]), found["boot"])

    def __str__(self) -> str:
        return f"{self.pid}-{self.started}-{self.boot}"

    def is_alive(self) -> bool:
        """Tell whether the process runs, on this machine and in this boot."""
        if self.boot != _boot():
            return False
        if self.started:
            return _started(self.pid) == self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _boot() -> str:
    """Return what differs from boot to boot, or at least from machine to machine."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        text = socket.gethostname()
    return sha256(text.strip().encode()).hexdigest()[:8]


def _started(pid: int) -> int | None:
    """Return when a process started; nothing if there is none, if it has ended, or no `/proc`."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else int(fields[18])  # field 22 of man 5 proc_pid_stat
