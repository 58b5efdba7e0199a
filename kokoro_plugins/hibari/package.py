"""The package hibari-tts: its G2P and its voice, imported where they are used."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

VOICE = "heart"
"""The one voice that the package carries; the others would be downloaded."""


_ALONE = "_g2p_of_hibari"


def package_version() -> str:
    """Return the version of hibari-tts.

    Raises:
        ValueError: It is not installed.
    """
    _import("hibari")
    return version("hibari-tts")


def make_g2p() -> Any:
    """Return what turns English words into phonemes.

    Raises:
        ValueError: The package is not installed.
    """
    return _g2p().G2P()


def normalize(text: str) -> str:
    """Return a text with dates, units, money and abbreviations in words, by the package's rules."""
    words: str = _g2p().normalize(text)
    return words


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text without the blanks between them."""
    found: list[str] = _import("hibari").Hibari.split_sentences(text)
    return found


def voice_file() -> Path:
    """Return the network of the voice.

    Raises:
        ValueError: The package is not installed.
    """
    return Path(_import("hibari.voices").voice_path(VOICE, download_missing=False))


def indices_by_character() -> dict[str, int]:
    """Return the index of each phoneme in the network; 0 is the silence at both ends."""
    import json

    file = Path(_import("hibari").__file__).parent / "assets" / "vocab.json"
    indices: dict[str, int] = json.loads(file.read_text("utf-8"))
    return indices


def vocode(spectrum: tuple[Any, ...], generator: Any) -> Any:
    """Return the samples of what the network gives, its noise drawn from a generator of numpy's."""
    return _import("hibari.dsp").synth(*spectrum, generator)


def _g2p() -> Any:
    """Return the package's G2P, imported without the package around it.

    That imports its voice, and the voice scipy, which costs a command that speaks a tenth of its
    start.
    """
    import importlib.util
    import sys

    if _ALONE in sys.modules:
        return sys.modules[_ALONE]
    package = importlib.util.find_spec("hibari")
    if package is None or package.origin is None:
        return _import("hibari.g2p")  # which says what is missing
    folder = Path(package.origin).parent / "g2p"
    spec = importlib.util.spec_from_file_location(_ALONE, folder / "__init__.py")
    if spec is None or spec.loader is None:
        return _import("hibari.g2p")
    sys.modules[_ALONE] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[_ALONE]  # half a module would be found by the next call
        raise
    return module


def _import(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"The plugin `hibari` needs the package hibari-tts with what it asks for, and "
            f"{error.name} is not installed; install kokoro-core[voices]."
        ) from None
