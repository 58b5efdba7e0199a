"""Sound that is heard: a player for a notebook, and a program of the machine."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kokoro_core.speaking.sound_files import wav_bytes, write_wav

if TYPE_CHECKING:
    from torch import Tensor

PROGRAMS = (
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("play", "-q"),
)
"""Programs that play the wav that is named behind these words, those of a system before others."""

LONGEST = 300.0
"""Seconds that a page carries: 16 bits at 24 kHz are 19 MB of text then."""


def player(samples: Tensor, sample_rate: int, label: str) -> str:
    """Return a player as HTML that carries its sound.

    Args:
        samples: In [-1, 1].
        sample_rate: Samples per second.
        label: What it plays, for those who do not see it.

    Shape:
        samples: (S,).
    """
    seconds = len(samples) / sample_rate
    if seconds > LONGEST:
        return (
            f"<p>{seconds:.0f} s are too long for a player in a page; write them to a file with "
            f"<code>save</code>.</p>"
        )
    sound = base64.b64encode(wav_bytes(samples, sample_rate)).decode()
    return (
        f'<audio controls aria-label="{escape(label)}" src="data:audio/wav;base64,{sound}"></audio>'
    )


def play(samples: Tensor, sample_rate: int) -> None:
    """Play samples on this machine, and wait until they are over.

    Args:
        samples: In [-1, 1].
        sample_rate: Samples per second.

    Shape:
        samples: (S,).

    Raises:
        RuntimeError: No program that plays sound is installed, or it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        write_wav(file, samples, sample_rate)
        if sys.platform == "win32":
            import winsound

            winsound.PlaySound(str(file), winsound.SND_FILENAME)
        else:
            _run(file)


def _run(file: Path) -> None:
    program = next((each for each in PROGRAMS if shutil.which(each[0])), None)
    if program is None:
        names = ", ".join(each[0] for each in PROGRAMS)
        raise RuntimeError(
            f"`play` needs a program that plays sound, one of {names}, and none is installed; in a "
            f"notebook let a cell end with the result, which shows a player, or write a file with "
            f"`save`."
        )
    done = subprocess.run([*program, str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"`{program[0]}` could not play the speech (status {done.returncode}): "
            f"{done.stderr.strip() or 'it says nothing'}; write a file with `save` and open it "
            f"with another program."
        )
