"""espeak-ng through ctypes: text in, samples and phoneme events out.

The events carry the sample at which each phoneme begins, which is why text is turned into phonemes
here too: the phonemes of a text and of a recording of it come from one stream and cannot disagree.
The structures are those of espeak-ng's ``speak_lib.h`` (version 1.52).
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 22050
VOICES = ("en-us", "en-us-nyc", "en-gb", "en-gb-x-rp")
"""The English voices whose sounds are all in the vocabulary."""

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_PHONEME_EVENTS, _PHONEMES_IN_IPA, _DO_NOT_EXIT = 0x1, 0x2, 0x8000
_POSITION_CHARACTER, _CHARACTERS_UTF8 = 1, 1
_EVENT_LIST_END, _EVENT_CLAUSE_END, _EVENT_PHONEME = 0, 5, 7


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender_age_variant", ctypes.c_ubyte * 4),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class SpeechEvent:
    """A phoneme that begins, or a clause that ends.

    Attributes:
        kind: Which of the two.
        sample: Where in the recording.
        phoneme: In IPA with its stress mark; empty for silence and for links between vowels.
        text_position: How many characters of the text have been read.
    """

    kind: Literal["phoneme", "clause_end"]
    sample: int
    phoneme: str
    text_position: int


@dataclass(frozen=True)
class Speech:
    """What espeak-ng made of a text: (S,) int16 samples at 22,050 Hz, and the events in order."""

    samples: NDArray[np.int16]
    events: tuple[SpeechEvent, ...]


@final
class Espeak:
    """One English voice of espeak-ng.

    The library keeps its state in globals and the wave depends on it (the flutter of the pitch goes
    on from sentence to sentence). So each object loads a copy of its own: objects do not disturb
    each other, and the same texts in the same order give the same samples. A lock guards each copy.

    Args:
        voice: One of `VOICES`, with ``+variant`` if wanted (``en-us+f3``).

    Raises:
        ValueError: The voice is not one of them, or espeak-ng has no such variant.
    """

    def __init__(self, voice: str = "en-us") -> None:
        self.voice = voice
        self._lock = threading.Lock()
        self._library = _load_copy()
        self._chunks: list[bytes] = []
        self._events: list[SpeechEvent] = []
        self._callback = _Callback(self._receive)  # kept alive as long as the library
        self._library.espeak_SetSynthCallback(self._callback)
        self._set_voice(voice)

    def speak(self, text: str) -> Speech:
        """Return the recording of a text and its events."""
        encoded = text.encode() + b"\0"
        with self._lock:
            self._chunks, self._events = [], []
            status = self._library.espeak_Synth(
                encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _CHARACTERS_UTF8, None, None
            )
            if status != 0:
                raise RuntimeError(f"`espeak_Synth` returned the error {status} for {text!r}.")
            samples = np.frombuffer(b"".join(self._chunks), dtype=np.int16)
            return Speech(samples, tuple(self._events))

    def version(self) -> str:
        """Return the version of espeak-ng."""
        info = self._library.espeak_Info
        info.restype = ctypes.c_char_p
        return str(info(None).decode())

    def _receive(self, wave: Any, num_samples: int, events: Any) -> int:
        """Keep one chunk of the recording; 0 asks for the next."""
        if wave and num_samples:
            self._chunks.append(ctypes.string_at(wave, 2 * num_samples))
        index = 0
        while events[index].type != _EVENT_LIST_END:
            self._keep(events[index])
            index += 1
        return 0

    def _keep(self, event: Any) -> None:
        if event.type == _EVENT_PHONEME:
            # Eight bytes, with no terminator if the name fills them.
            name = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
            phoneme = name.decode(errors="replace")
            self._events.append(SpeechEvent("phoneme", event.sample, phoneme, event.text_position))
        elif event.type == _EVENT_CLAUSE_END:
            self._events.append(SpeechEvent("clause_end", event.sample, "", event.text_position))

    def _set_voice(self, voice: str) -> None:
        language, plus, variant = voice.partition("+")
        if language not in VOICES:
            raise ValueError(
                f"`voice` must be a voice whose sounds the vocabulary has ({', '.join(VOICES)}), "
                f"not {voice!r}."
            )
        variants = {each.name for each in (_data_path() / "voices" / "!v").iterdir()}
        if plus and variant not in variants:
            raise ValueError(
                f"`voice` has the variant {variant!r}, which espeak-ng does not have; "
                f"it has {', '.join(sorted(variants))}."
            )
        name = self._identifier(language) + plus + variant
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"`voice` {voice!r} could not be loaded by espeak-ng.")

    def _identifier(self, language: str) -> str:
        """Return what espeak-ng calls the voice of a language, in ``espeak_SetVoiceByName``."""
        list_voices = self._library.espeak_ListVoices
        list_voices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        voices, index = list_voices(None), 0
        while voices[index]:
            voice = voices[index].contents
            if voice.languages[1:].decode() == language:  # the first byte is a priority
                return str(voice.identifier.decode())
            index += 1
        raise RuntimeError(f"espeak-ng has no voice `{language}`; espeakng-loader carries it.")


def _data_path() -> Path:
    import espeakng_loader

    return Path(espeakng_loader.get_data_path())


def _load_copy() -> Any:
    """Load and initialise a private copy of the library that espeakng-loader carries."""
    import espeakng_loader

    original = Path(espeakng_loader.get_library_path())
    # Windows keeps a loaded file open, so there the copy stays behind.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        library = ctypes.CDLL(str(shutil.copy(original, Path(folder) / original.name)))
    rate = library.espeak_Initialize(
        _AUDIO_OUTPUT_SYNCHRONOUS,
        0,
        str(_data_path()).encode(),
        _PHONEME_EVENTS | _PHONEMES_IN_IPA | _DO_NOT_EXIT,
    )
    if rate != SAMPLE_RATE:
        raise RuntimeError(
            f"`espeak_Initialize` returned {rate} instead of the rate {SAMPLE_RATE}."
        )
    return library
