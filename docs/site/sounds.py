"""The shipped voice beside its teacher: sounds that a build makes, and a table that plays them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from kokoro_core import KokoroModel
from kokoro_core.speech import speak, write_sound
from kokoro_plugins.hibari.voice import SAMPLE_RATE, HibariVoice

MARKER = "<!-- the site has the voice beside its teacher here -->"
"""Where a page is given the table."""

SENTENCES = {
    "door": "The garden was quiet, and nobody knew why the door stood open.",
    "train": "Did you say that the last train leaves at a quarter past nine?",
}
"""What is spoken, by the name of its files."""


def sound_files() -> Iterator[tuple[str, bytes]]:
    """Yield the sounds of both voices as MP3, by their place in the site."""
    model, teacher = KokoroModel.load("heart", widen=True), HibariVoice()
    frontend = model.spec.frontend
    assert frontend is not None
    read = frontend.build(model.spec.sizes)
    for name, text in SENTENCES.items():
        spoken = speak(model, text, seed=0)
        yield f"sounds/{name}-heart.mp3", _mp3(spoken.samples, spoken.sample_rate)
        recorded = teacher.speak(read.phonemize(text), seed=0)
        yield f"sounds/{name}-teacher.mp3", _mp3(torch.from_numpy(recorded.samples), SAMPLE_RATE)


def _mp3(samples: torch.Tensor, rate: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sound.mp3"
        write_sound(file, samples, rate)
        return file.read_bytes()


def with_sounds(markdown: str) -> str:
    """Return a page with the table of sounds where the marker stands."""
    rows = [
        f"| {text} | {_player(name, 'heart', text)} | {_player(name, 'teacher', text)} |"
        for name, text in SENTENCES.items()
    ]
    head = "| new to the voice | `heart` | the recording, of its teacher hibari-tts |"
    return markdown.replace(MARKER, "\n".join([head, "| --- | --- | --- |", *rows]))


def _player(name: str, voice: str, text: str) -> str:
    label = f"{voice} says: {text}"
    words = f'controls preload="none" aria-label="{label}" src="sounds/{name}-{voice}.mp3"'
    return f"<audio {words}></audio>"
