"""The library espeak-ng through ctypes: loaded, called under a lock, and freed.

The structures are those of espeak-ng's ``speak_lib.h`` (version 1.52). The library keeps its state
in globals, so independent states take copies of the file.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import shutil
import sys
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 22050

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_PHONEME_EVENTS, _PHONEMES_IN_IPA, _DO_NOT_EXIT = 0x1, 0x2, 0x8000
_POSITION_CHARACTER, _CHARACTERS_UTF8 = 1, 1
_EVENT_LIST_END, _EVENT_WORD, _EVENT_CLAUSE_END, _EVENT_PHONEME = 0, 1, 5, 7


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
    """A phoneme or a word that begins, or a clause that ends.

    Attributes:
        kind: Which of the three.
        sample: Where in the recording.
        phoneme: In IPA with its stress mark; empty for silence and for links between vowels.
        text_position: How many characters have been read; of a word and its phonemes, the place of
            the word in the text, counted from 1.
    """

    kind: Literal["phoneme", "word", "clause_end"]
    sample: int
    phoneme: str
    text_position: int


@dataclass(frozen=True)
class Speech:
    """What espeak-ng made of a text: (S,) int16 samples at 22,050 Hz, and the events in order."""

    samples: NDArray[np.int16]
    events: tuple[SpeechEvent, ...]


class _Recorder:
    """Keeps what the library reports while it speaks, and holds no library that it would keep."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.events: list[SpeechEvent] = []

    def receive(self, wave: Any, num_samples: int, events: Any) -> int:
        """Keep one chunk of the recording; 0 asks for the next."""
        if wave and num_samples:
            self.chunks.append(ctypes.string_at(wave, 2 * num_samples))
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
            if phoneme.startswith("("):  # another language begins: "(en)" before a loaned word
                return
            self.events.append(SpeechEvent("phoneme", event.sample, phoneme, event.text_position))
        elif event.type == _EVENT_WORD:
            self.events.append(SpeechEvent("word", event.sample, "", event.text_position))
        elif event.type == _EVENT_CLAUSE_END:
            self.events.append(SpeechEvent("clause_end", event.sample, "", event.text_position))


@final
class EspeakLibrary:
    """A copy of the library with a state of its own, unloaded when nobody holds it any more.

    A lock guards it, so that threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorder = _Recorder()
        self._callback = _Callback(self._recorder.receive)  # kept alive as long as the library
        self._library = _load_copy()
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""
        unload = weakref.finalize(self, _unload, self._library)
        # The end of a process frees its memory; a fork's end must not call into what it inherited.
        # Windows, which has no forks, cannot delete the file while it is loaded.
        unload.atexit = sys.platform == "win32"

    def speak(self, text: str, voice: str) -> Speech:
        """Return the recording of a text in a voice by espeak-ng's name, and its events.

        Raises:
            ValueError: The voice cannot be loaded.
        """
        encoded = text.encode() + b"\0"
        with self._lock:
            self._set_voice(voice)
            self._recorder.chunks, self._recorder.events = [], []
            status = self._library.espeak_Synth(
                encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _CHARACTERS_UTF8, None, None
            )
            if status != 0:
                raise RuntimeError(f"`espeak_Synth` returned the error {status} for {text!r}.")
            samples = np.frombuffer(b"".join(self._recorder.chunks), dtype=np.int16)
            return Speech(samples, tuple(self._recorder.events))

    def set_voice(self, voice: str) -> None:
        """Load a voice by espeak-ng's name.

        Raises:
            ValueError: It cannot be loaded.
        """
        with self._lock:
            self._set_voice(voice)

    def _set_voice(self, voice: str) -> None:
        if voice == self._voice:
            return
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"`voice` {voice!r} could not be loaded by espeak-ng.")
        self._voice = voice

    def version(self) -> str:
        """Return the version of espeak-ng."""
        info = self._library.espeak_Info
        info.restype = ctypes.c_char_p
        return str(info(None).decode())

    def identifier(self, language: str) -> str:
        """Return what espeak-ng calls the voice of a language."""
        list_voices = self._library.espeak_ListVoices
        list_voices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        with self._lock:
            voices, index = list_voices(None), 0
            while voices[index]:
                voice = voices[index].contents
                if voice.languages[1:].decode() == language:  # the first byte is a priority
                    return str(voice.identifier.decode())
                index += 1
        raise RuntimeError(f"espeak-ng has no voice `{language}`; espeakng-loader carries it.")


_OF_PROCESS: dict[int, EspeakLibrary] = {}


def library_of_this_process() -> EspeakLibrary:
    """Return the one copy that all frontends of this process share.

    A fork loads its own, since a thread that it does not have may have been inside the other.
    """
    found = _OF_PROCESS.get(os.getpid())
    # Of two threads that come here at once the slower one's copy is unloaded again.
    return found or _OF_PROCESS.setdefault(os.getpid(), EspeakLibrary())


def data_path() -> Path:
    """Return where the voices and dictionaries are."""
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
        str(data_path()).encode(),
        _PHONEME_EVENTS | _PHONEMES_IN_IPA | _DO_NOT_EXIT,
    )
    if rate != SAMPLE_RATE:
        raise RuntimeError(
            f"`espeak_Initialize` returned {rate} instead of the rate {SAMPLE_RATE}."
        )
    return library


def _unload(library: Any) -> None:
    """Free the state and the code of a copy."""
    library.espeak_Terminate()
    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)
    else:
        _ctypes.dlclose(library._handle)
