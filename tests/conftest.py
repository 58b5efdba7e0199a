"""Settings of all tests."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Generator

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop(
    "COLUMNS", None
)  # workers of pytest-xdist have the terminal's, and tables are as wide

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


ADDRESS = re.compile(r" at 0x[0-9a-f]|object at ")
SET = re.compile(r"\{'[^':]*'(, '[^':]*')+\}")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from looking at what is collected, then and ever after.

    A million objects come into being, modules and tests, of which none goes before the end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that differ between workers, and start with the slow tests.

    A name with an address or a set of strings in it makes the workers disagree on what there is to
    run, though not always: only where the addresses' first digits or the order in the set differ. A
    slow test that starts last keeps all other workers waiting.
    """
    names = [item.nodeid for item in items]
    if unstable := [each for each in names if ADDRESS.search(each) or SET.search(each)]:
        raise pytest.UsageError(f"These names hold an address or a set, so give `ids`: {unstable}")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if os.environ.get("KOKORO_KERNELS") == "reference":
        skip = pytest.mark.skip(reason="it says which kernel runs, and the formulas alone do")
        for item in items:
            if item.get_closest_marker("fast_kernels"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def _one_thread_and_a_known_seed() -> None:
    """Make tests repeatable and keep them from fighting for the cores."""
    import torch

    torch.set_num_threads(1)
    if torch.accelerator.is_available():
        torch.manual_seed(0)
    else:  # which would record a stack trace for each kind of device that is not there
        torch.default_generator.manual_seed(0)
