"""Which process created something; start time and boot ID tell it from later ones with its PID."""

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
    """A process, identified unambiguously even long after its end.

    Attributes:
        pid: Its PID.
        started: When it started, in clock ticks since boot; 0 if the system does not report it.
        boot: Eight hexadecimal digits that identify the boot.
    """

    pid: int
    started: int
    boot: str

    @classmethod
    def own(cls) -> Self:
        """Return the identity of the current process."""
        return cls(os.getpid(), _started(os.getpid()) or 0, _boot())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the identity from the text that `str` gives, or None."""
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
    """Return an identifier of the boot, or at least of the machine."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        text = socket.gethostname()
    return sha256(text.strip().encode()).hexdigest()[:8]


def _started(pid: int) -> int | None:
    """Return when a process started; None if it does not run, or there is no `/proc`."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name may contain anything
    return None if state in "ZX" else int(fields[18])  # field 22 of man 5 proc_pid_stat
