"""Resident memory of this process and its high-water mark (Linux)."""

from __future__ import annotations


def resident_and_highest() -> tuple[int, int]:
    """Return VmRSS and VmHWM in bytes (proc_pid_status(5))."""
    with open("/proc/self/status", "rb", buffering=0) as file:  # a plain read: called often
        status = file.read()
    return _bytes(status, b"VmRSS:"), _bytes(status, b"VmHWM:")


def restart_high_water_mark() -> bool:
    """Set VmHWM to VmRSS (proc_pid_clear_refs(5)); return False if that is not allowed."""
    try:
        with open("/proc/self/clear_refs", "wb", buffering=0) as file:
            file.write(b"5")
    except OSError:
        return False
    return True


def _bytes(status: bytes, name: bytes) -> int:
    _, _, rest = status.partition(name)
    return int(rest[: rest.index(b"kB")]) * 1024
