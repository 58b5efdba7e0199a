"""The collector rests while a command starts, and is afterwards as it was."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kokoro_core.cli.collector import uncollected


@pytest.fixture(autouse=True)
def as_found() -> Iterator[None]:
    """Leave the collector to the other tests as they know it."""
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() == enabled


def test_an_error_within_leaves_it_as_it_was_too() -> None:
    gc.enable()
    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled()


def run(code: str) -> list[str]:
    """Run code in a process of its own, as a command has one, and return what it prints."""
    code = "import gc\nfrom kokoro_core.cli.collector import uncollected\n" + code
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_what_was_loaded_is_not_looked_at_afterwards_where_that_is_asked_for() -> None:
    assert run(
        "with uncollected(): first = [[] for _ in range(1000)]\n"
        "print(gc.get_freeze_count() > 1000)\n"
        "with uncollected(freeze=True): second = [[] for _ in range(1000)]\n"
        "print(gc.get_freeze_count() > 2000, gc.isenabled())\n"
    ) == ["False", "True", "True"]


def test_what_a_process_has_frozen_itself_is_left_alone() -> None:
    frozen, after = run(
        "gc.freeze(); print(gc.get_freeze_count())\n"
        "with uncollected(freeze=True): more = [[] for _ in range(1000)]\n"
        "print(gc.get_freeze_count())\n"
    )
    assert int(after) <= int(frozen)


def test_speaking_begins_without_a_collection_of_old_objects() -> None:
    """By itself it looks at young objects 539 times before a text is read, and at all thrice."""
    young, all_of_them = run(
        "import os, sys\n"
        "from kokoro_core.__main__ import main\n"
        "sys.argv = ['kokoro-core', 'synthesize', 'heart', 'Hi.', '--out', 'hi.wav']\n"
        "import kokoro_core.speech as speech\n"
        "def stop(*_, **__):\n"
        "    passes = [each['collections'] for each in gc.get_stats()]\n"
        "    print(passes[0], passes[2], flush=True); os._exit(0)\n"
        "speech.TextToSpeech.read = stop\n"
        "main()\n"
    )
    assert int(young) < 200
    assert int(all_of_them) == 0
