"""Freed memory stays with the process: by what it is told, and by the pages that it asks for."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from kokoro_core.kernels import allocator

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the C library is another one"
)

PROGRAM = """
import ctypes, resource
from kokoro_core.kernels.allocator import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

library = ctypes.CDLL(None)
library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
kept = keep_freed_memory()
for turn in range(4):
    before = faults()
    # 40 MB, which glibc always maps for itself if it is not told otherwise
    place = library.malloc(ctypes.c_size_t(40 << 20))
    ctypes.memset(place, 1, 40 << 20)
    library.free(place)
    if turn:
        print(kept, faults() - before)
"""
PAGES = (40 << 20) // 4096


def turns(**variables: str) -> list[tuple[str, int]]:
    """Return whether memory is kept and the page faults of each turn but the first."""
    plain = {name: each for name, each in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=plain | {"OMP_NUM_THREADS": "1"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return [(kept, int(faults)) for kept, faults in rows]


@needs_glibc
@pytest.mark.fast_kernels
def test_the_pages_of_freed_tensors_serve_the_next_ones() -> None:
    for kept, faults in turns():
        assert kept == "True"
        assert faults < PAGES / 20


@needs_glibc
@pytest.mark.parametrize(
    "variables",
    [
        {"KOKORO_KERNELS": "reference"},
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"},
    ],
)
def test_whoever_asks_for_the_formulas_or_has_chosen_is_left_alone(
    variables: dict[str, str],
) -> None:
    for kept, faults in turns(**variables):
        assert kept == "False"
        assert faults > PAGES / 2


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, False),
        ({"MALLOC_ARENA_MAX": "2"}, False),
        ({"MALLOC_MMAP_THRESHOLD_": "1"}, True),
        ({"MALLOC_TOP_PAD_": ""}, True),
        ({"GLIBC_TUNABLES": "glibc.rtld.nns=4"}, False),
        ({"GLIBC_TUNABLES": "glibc.rtld.nns=4:glibc.malloc.top_pad=9"}, True),
    ],
)
def test_a_user_has_chosen_who_names_a_setting_of_this_memory(
    environment: dict[str, str], chosen: bool
) -> None:
    assert allocator.is_chosen(environment) == chosen


def test_a_version_with_a_lower_limit_gets_the_highest_that_it_takes() -> None:
    taken: dict[int, int] = {}

    def mallopt(setting: int, value: int) -> int:
        if setting == allocator.MMAP_THRESHOLD and value > 32 << 20:
            return 0
        taken[setting] = value
        return 1

    assert allocator.set_thresholds(mallopt)
    assert taken == {-3: 32 << 20, -1: 2**31 - 1, -2: 64 << 20}


def test_a_library_that_takes_nothing_keeps_nothing() -> None:
    assert not allocator.set_thresholds(lambda setting, value: 0)


def test_another_library_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr(allocator, "set_thresholds", lambda mallopt: pytest.fail("was asked"))
    assert not allocator.keep_freed_memory()
