"""How many copies of espeak-ng a process holds, and who may share one."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading

import pytest

from kokoro_core.contracts.speech import Frontend
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.params import EspeakFrontendParams

_COUNT = """
import gc, tempfile
from pathlib import Path
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.params import EspeakFrontendParams

def loaded():
    maps = Path("/proc/self/maps").read_text().splitlines()
    return sum("libespeak" in line and " r-xp " in line for line in maps)

def left_behind():
    return len(list(Path(tempfile.gettempdir()).iterdir()))

gc.disable()  # each copy goes with its last holder, not when cycles are looked for
"""
_FRONTENDS = """
built = [EspeakFrontendParams(voice=("en-us", "en-gb")[n % 2]).build(Sizes(63, 0, 80, 8))
         for n in range(50)]
for frontend in built:
    assert frontend.encode("hot")
assert loaded() == 1, loaded()
"""
_VOICES = """
for _ in range(50):
    assert Espeak("en-us").speak("hot").events
assert loaded() == 0, loaded()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts by /proc")
@pytest.mark.parametrize("code", [_FRONTENDS, _VOICES], ids=["frontends", "voices"])
def test_fifty_leave_at_most_one_library_and_no_file(
    code: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = _COUNT + code + "assert left_behind() == 0, left_behind()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _frontend(voice: str) -> Frontend:
    return EspeakFrontendParams(voice=voice).build(Sizes(63, 0, 80, 8))


def test_voices_that_share_a_library_keep_their_accents() -> None:
    american, british = _frontend("en-us"), _frontend("en-gb")
    for _ in range(2):
        assert american.phonemize("hot") == ["h", "ˈ", "ɑː", "t", "."]
        assert british.phonemize("hot") == ["h", "ˈ", "ɒ", "t", "."]


def test_threads_with_different_voices_do_not_disturb_each_other() -> None:
    frontends = [_frontend(voice) for voice in ("en-us", "en-gb")]
    text = "The hot bath can not last."
    expected = [each.encode(text) for each in frontends]
    assert expected[0] != expected[1]
    wrong: list[list[int]] = []

    def work(number: int) -> None:
        for _ in range(20):
            found = frontends[number % 2].encode(text)
            if found != expected[number % 2]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong


def _speak_in_child(frontend: Frontend, answers: multiprocessing.SimpleQueue[list[int]]) -> None:
    answers.put(frontend.encode("hot"))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_speaks_although_a_thread_was_inside_the_library() -> None:
    """What the fork inherits is locked by a thread that it does not have."""
    frontend = _frontend("en-us")
    expected = frontend.encode("hot")
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    library = frontend._espeak._library()  # type: ignore[attr-defined]
    with library._lock:
        child = context.Process(target=_speak_in_child, args=(frontend, answers))
        child.start()
        child.join(30)
    assert child.exitcode == 0
    assert answers.get() == expected
