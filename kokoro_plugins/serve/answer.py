"""From the sentences of a job to what is sent: sound, events with sound, or lines of JSON."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any, Protocol, final

import torch
from torch import Tensor

from kokoro_core.speaking.result import joined
from kokoro_core.speaking.sound_files import as_16_bit
from kokoro_core.speech import SpokenSentence
from kokoro_plugins.serve.encoding import MEDIA_TYPES, encoder, rate_of
from kokoro_plugins.serve.job import Made
from kokoro_plugins.serve.problems import ApiError


class Form(Protocol):
    """What sentences are turned into.

    Attributes:
        media_type: Of the answer.
        headers: More of it.
    """

    media_type: str
    headers: dict[str, str]

    async def sentence(self, made: Made) -> bytes:
        """Return what is sent when a sentence is there."""

    def failure(self, error: ApiError) -> bytes | None:
        """Return what is sent when the next sentence fails; None: nothing can say so."""

    def close(self) -> None:
        """Let go of what is held, however the answer ended."""


@final
class Sound:
    """The bytes of a format."""

    def __init__(self, form: str, sample_rate: int, *, whole: bool) -> None:
        self.media_type = MEDIA_TYPES[form]
        self.headers = {"x-sample-rate": str(rate_of(form, sample_rate))}
        self._encoder = encoder(form, sample_rate, whole=whole)
        self._pause = torch.zeros(0)
        # A request that is broken off leaves the thread of its sentence behind.
        self._busy = threading.Lock()

    async def sentence(self, made: Made) -> bytes:
        """Return the bytes of a sentence, with the silence that is before it."""
        return await asyncio.to_thread(self._encoded, made)

    def _encoded(self, made: Made) -> bytes:
        sentence = made.sentence
        with self._busy:
            data = self._encoder.add(torch.cat([self._pause, sentence.samples]))
            self._pause = torch.zeros(sentence.pause_samples)
            return data + self._encoder.end() if made.is_last else data

    def failure(self, error: ApiError) -> bytes | None:
        """Return nothing: the connection is cut, so that no client takes a part for the whole."""
        return None

    def close(self) -> None:
        """Close the encoder."""
        with self._busy:
            self._encoder.close()


@final
class Events:
    """OpenAI's events of sound, each with a piece in base64."""

    media_type = "text/event-stream"

    def __init__(self, sound: Sound) -> None:
        self.headers = {**sound.headers, "cache-control": "no-store"}
        self._sound = sound

    async def sentence(self, made: Made) -> bytes:
        """Return the event of a sentence, and after the last one that of the end."""
        piece = await self._sound.sentence(made)
        sent = _event({"type": "speech.audio.delta", "audio": b64encode(piece).decode()})
        if made.is_last:
            usage = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 0)
            sent += _event({"type": "speech.audio.done", "usage": usage})
        return sent

    def failure(self, error: ApiError) -> bytes | None:
        """Return an event with the error."""
        return _event({"type": "error", **error.body()})

    def close(self) -> None:
        """Close the encoder."""
        self._sound.close()


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@final
class Lines:
    """A line of JSON a sentence: samples, mel, and when each word and phoneme is heard."""

    media_type = "application/x-ndjson"

    def __init__(self) -> None:
        self.headers = {"cache-control": "no-store"}

    async def sentence(self, made: Made) -> bytes:
        """Return the line of a sentence."""
        return await asyncio.to_thread(self._line, made)

    def _line(self, made: Made) -> bytes:
        return json.dumps(described(made)).encode() + b"\n"

    def failure(self, error: ApiError) -> bytes | None:
        """Return a line with the error."""
        return json.dumps(error.body()).encode() + b"\n"

    def close(self) -> None:
        """Do nothing: a line is whole when it is sent."""


def described(made: Made) -> dict[str, Any]:
    """Return a sentence as JSON values."""
    sentence = made.sentence
    return {
        "index": made.index,
        "count": made.count,
        "text": sentence.text,
        "sample_rate": sentence.sample_rate,
        "seconds": sentence.audio_seconds,
        "pause_samples": sentence.pause_samples,
        "frames": sentence.frames,
        "planned_frames": sentence.planned_frames,
        "stop_reason": sentence.stop_reason,
        "problems": problems_of(sentence),
        "words": [
            {
                "text": word.text,
                "phonemes": [[each.symbol, each.start, each.end] for each in word.phonemes],
            }
            for word in sentence.words
        ],
        "samples": b64encode(as_16_bit(sentence.samples)).decode(),
        "mel": None if sentence.mel is None else _picture(sentence.mel),
    }


def problems_of(sentence: SpokenSentence) -> list[str]:
    """Return what was not spoken, or misread, in sentences."""
    loss = joined([sentence]).loss
    return [*sentence.notes, *(() if loss is None else (loss,))]


def _picture(mel: Tensor) -> dict[str, Any]:
    """Return a mel (T, M) in 256 steps from its least to its largest value, a frame after another.

    Values are finite: a sentence ends before a frame that is not.
    """
    low, high = float(mel.min()), float(mel.max())
    steps = (mel - low) / max(high - low, 1e-9) * 255
    data = b64encode(steps.round().to(torch.uint8).numpy().tobytes()).decode()
    return {"channels": mel.shape[1], "low": low, "high": high, "data": data}


async def whole(form: Form, sentences: AsyncIterator[Made]) -> tuple[bytes, list[str]]:
    """Return all that is sent, and what went wrong in it."""
    sent, said = bytearray(), list[str]()
    async for made in sentences:
        sent += await form.sentence(made)
        said += problems_of(made.sentence)
    return bytes(sent), list(dict.fromkeys(said))
