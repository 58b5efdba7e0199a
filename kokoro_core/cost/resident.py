"""Memory of this process that is resident, and its high-water mark (Linux)."""

from __future__ import annotations


def resident_and_highest() -> tuple[int, int]:
    """Return VmRSS and VmHWM in bytes (proc_pid_status(5))."""
    with open("/proc/self/status", "rb", buffering=0) as file:  # a plain read: it is done often
        status = file.read()
    return _bytes(status, b"VmRSS:"), _bytes(status, b"VmHWM:")


def restart_high_water_mark() -> bool:
    """Set VmHWM to VmRSS (proc_pid_clear_refs(5)); return False where that is not allowed."""
    try:
        with open("/proc/self/clear_refs", "wb", buffering=0) as file:
            file.write(b"5")
    except OSError:
        return False
    return True


def _bytes(status: bytes, name: bytes) -> int:
    _, _, rest = status.partition(name)
    return int(rest[: rest.index(b"kB")]) * 1024
